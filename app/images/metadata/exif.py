"""EXIF and the tags of TIFF files: what they tell (Exif 3.0, CIPA DC-008; TIFF 6.0; Adobe's technical notes)."""

from __future__ import annotations

from collections.abc import Iterator

from app.images.containers.tiff import TiffDirectory, TiffEntry
from app.images.metadata.findings import Finding, PrivacyFact
from app.images.metadata.iptc import find_in_iptc, find_in_photoshop
from app.images.metadata.maker_notes import find_in_maker_note
from app.images.metadata.tags import directories_at, find_directory, find_first_directory, is_blank, value_of
from app.images.metadata.texts import decode_text
from app.images.metadata.xmp import find_in_xmp

EXIF_POINTER, GPS_POINTER = 0x8769, 0x8825
_GPS_VERSION = 0
_MAKER_NOTE, _USER_COMMENT = 0x927C, 0x9286
_XMP, _IPTC, _PHOTOSHOP, _ICC = 0x02BC, 0x83BB, 0x8649, 0x8773
_ARTIST, _COPYRIGHT, _XP_AUTHOR, _PHOTOGRAPHER = 0x013B, 0x8298, 0x9C9D, 0xA437
# A thumbnail is a JPEG (0x0201) or strips (0x0111) of the second directory.
_THUMBNAIL_PLACES = frozenset({0x0201, 0x0111})
_CHARACTER_CODE_BYTES = 8
_BLANK = b"\0 "

_FACTS: dict[int, PrivacyFact] = {
    0x010D: PrivacyFact.DESCRIPTIONS,
    0x010E: PrivacyFact.DESCRIPTIONS,
    0x010F: PrivacyFact.CAMERA,
    0x0110: PrivacyFact.CAMERA,
    0x0131: PrivacyFact.SOFTWARE,
    0x0132: PrivacyFact.DATES,
    0x011D: PrivacyFact.DESCRIPTIONS,
    _ARTIST: PrivacyFact.CREATOR,
    0x013C: PrivacyFact.CAMERA,
    _COPYRIGHT: PrivacyFact.COPYRIGHT,
    0x9003: PrivacyFact.DATES,
    0x9004: PrivacyFact.DATES,
    _USER_COMMENT: PrivacyFact.COMMENTS,
    0x9C9B: PrivacyFact.DESCRIPTIONS,
    0x9C9C: PrivacyFact.COMMENTS,
    _XP_AUTHOR: PrivacyFact.CREATOR,
    0x9C9E: PrivacyFact.DESCRIPTIONS,
    0x9C9F: PrivacyFact.DESCRIPTIONS,
    0xA420: PrivacyFact.DOCUMENT_IDS,
    0xA430: PrivacyFact.OWNER_NAMES,
    0xA431: PrivacyFact.SERIAL_NUMBERS,
    0xA433: PrivacyFact.CAMERA,
    0xA434: PrivacyFact.CAMERA,
    0xA435: PrivacyFact.SERIAL_NUMBERS,
    0xA436: PrivacyFact.DESCRIPTIONS,
    _PHOTOGRAPHER: PrivacyFact.CREATOR,
    0xA438: PrivacyFact.OWNER_NAMES,
    0xA439: PrivacyFact.SOFTWARE,
    0xA43A: PrivacyFact.SOFTWARE,
    0xA43B: PrivacyFact.SOFTWARE,
    0xA43C: PrivacyFact.SOFTWARE,
    # DNG 1.7
    0xC614: PrivacyFact.CAMERA,
    0xC62F: PrivacyFact.SERIAL_NUMBERS,
    0xC65D: PrivacyFact.DOCUMENT_IDS,
}


def find_in_exif(block: bytes) -> Iterator[Finding]:
    """What an EXIF block tells, from its TIFF header on; its second directory is a thumbnail."""
    yield Finding(PrivacyFact.EXIF)
    first = find_first_directory(block)
    if not first:
        return
    yield from find_in_directory(block, first)
    thumbnail = find_directory(block, first.next_start, first.order)
    if thumbnail and not _THUMBNAIL_PLACES.isdisjoint(thumbnail.entries):
        yield Finding(PrivacyFact.THUMBNAIL)


def find_in_directory(block: bytes, directory: TiffDirectory) -> Iterator[Finding]:
    """What the tags of a directory tell, and those of the EXIF and GPS directories that it points to."""
    for each in (directory, *directories_at(block, directory, EXIF_POINTER)):
        for tag, entry in each.entries.items():
            if tag == _MAKER_NOTE:
                yield Finding(PrivacyFact.MAKER_NOTES)
                yield from find_in_maker_note(block, entry, each.order)
            elif tag in _EMBEDDED:
                yield from _EMBEDDED[tag](block[entry.at : entry.at + entry.size])
            elif tag in _FACTS:
                yield from _find_in_value(block, tag, entry)
        for position in directories_at(block, each, GPS_POINTER):
            # Cameras without a receiver write a directory with nothing but its version.
            if any(tag != _GPS_VERSION and not is_blank(block, entry) for tag, entry in position.entries.items()):
                yield Finding(PrivacyFact.GPS)


def _find_in_value(block: bytes, tag: int, entry: TiffEntry) -> Iterator[Finding]:
    value = value_of(block, entry)
    told = value[_CHARACTER_CODE_BYTES:] if tag == _USER_COMMENT else value
    if not told.strip(_BLANK):
        return
    fact = _FACTS[tag]
    is_right = fact in {PrivacyFact.CREATOR, PrivacyFact.COPYRIGHT}
    yield Finding(fact, _text(value, tag) if is_right else "", PrivacyFact.EXIF)


def _text(value: bytes, tag: int) -> str:
    """Copyright is the photographer's and the editor's, with a NUL between (Exif 3.0, 4.6.5.4.3)."""
    if tag == _XP_AUTHOR:
        return value.decode("utf-16-le", "ignore")
    parts = (part.strip() for part in value.split(b"\0")) if tag == _COPYRIGHT else [value.split(b"\0")[0]]
    return ", ".join(decode_text(part) for part in parts if part)


def _find_profile(profile: bytes) -> Iterator[Finding]:
    if profile:
        yield Finding(PrivacyFact.ICC_PROFILE)


_EMBEDDED = {_XMP: find_in_xmp, _IPTC: find_in_iptc, _PHOTOSHOP: find_in_photoshop, _ICC: _find_profile}

KNOWN_TAGS = frozenset({*_FACTS, *_EMBEDDED, _MAKER_NOTE, EXIF_POINTER, GPS_POINTER})
