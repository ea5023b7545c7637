"""IPTC records and the Photoshop resources around them: what they tell.

IPTC-NAA Information Interchange Model 4.2; Adobe Photoshop File Formats Specification, image resource blocks.
"""

from __future__ import annotations

from collections.abc import Iterator

from app.images.metadata.findings import Finding, PrivacyFact
from app.images.metadata.texts import decode_text
from app.images.metadata.xmp import find_in_xmp

MAX_RECORDS = 1000
MAX_RESOURCES = 500

_MARK, _LONG_LENGTH = 0x1C, 0x8000
_APPLICATION_RECORD = 2
_CREATOR, _COPYRIGHT = 80, 116
_FACTS = {
    5: PrivacyFact.DESCRIPTIONS,
    25: PrivacyFact.DESCRIPTIONS,
    27: PrivacyFact.PLACE_NAMES,
    55: PrivacyFact.DATES,
    62: PrivacyFact.DATES,
    65: PrivacyFact.SOFTWARE,
    _CREATOR: PrivacyFact.CREATOR,
    90: PrivacyFact.PLACE_NAMES,
    92: PrivacyFact.PLACE_NAMES,
    95: PrivacyFact.PLACE_NAMES,
    101: PrivacyFact.PLACE_NAMES,
    105: PrivacyFact.DESCRIPTIONS,
    _COPYRIGHT: PrivacyFact.COPYRIGHT,
    118: PrivacyFact.OWNER_NAMES,
    120: PrivacyFact.DESCRIPTIONS,
}

_RESOURCE = b"8BIM"
_RESOURCE_IPTC, _RESOURCE_XMP = 0x0404, 0x0424
_RESOURCE_FACTS = {
    0x0409: PrivacyFact.THUMBNAIL,
    0x040C: PrivacyFact.THUMBNAIL,
    0x040F: PrivacyFact.ICC_PROFILE,
    0x0422: PrivacyFact.EXIF,
    0x0423: PrivacyFact.EXIF,
}


def find_in_iptc(block: bytes) -> Iterator[Finding]:
    """What IPTC records tell."""
    if block:
        yield Finding(PrivacyFact.IPTC)
    at = 0
    for _ in range(MAX_RECORDS):
        if at + 5 > len(block) or block[at] != _MARK:
            return
        record, number, length = block[at + 1], block[at + 2], int.from_bytes(block[at + 3 : at + 5], "big")
        if length >= _LONG_LENGTH:
            return
        value = block[at + 5 : at + 5 + length].strip(b"\0 ")
        fact = _FACTS.get(number) if record == _APPLICATION_RECORD and value else None
        if fact:
            yield Finding(fact, decode_text(value) if number in {_CREATOR, _COPYRIGHT} else "", PrivacyFact.IPTC)
        at += 5 + length


def find_in_photoshop(block: bytes) -> Iterator[Finding]:
    """What resources of Photoshop tell."""
    at = 0
    for _ in range(MAX_RESOURCES):
        if block[at : at + 4] != _RESOURCE or at + 12 > len(block):
            return
        number, name_length = int.from_bytes(block[at + 4 : at + 6], "big"), block[at + 6]
        # Names and values are padded to an even number of bytes.
        size_at = at + 6 + (name_length + 2) // 2 * 2
        size = int.from_bytes(block[size_at : size_at + 4], "big")
        yield from _find_in_resource(number, block[size_at + 4 : size_at + 4 + size])
        at = size_at + 4 + size + size % 2


def _find_in_resource(number: int, value: bytes) -> Iterator[Finding]:
    if number == _RESOURCE_IPTC:
        yield from find_in_iptc(value)
    elif number == _RESOURCE_XMP:
        yield from find_in_xmp(value)
    else:
        yield Finding(_RESOURCE_FACTS.get(number, PrivacyFact.APPLICATION_DATA))
