"""Serial numbers and owners in the notes of camera makers, whose layouts are published by no one but known.

https://exiftool.org/TagNames/ lists them. Other makers' notes are reported as notes only.
"""

from __future__ import annotations

from collections.abc import Iterator

from app.images.containers.tiff import TiffDirectory, TiffEntry
from app.images.metadata.findings import Finding, PrivacyFact
from app.images.metadata.tags import find_directory, find_first_directory, is_blank

MAX_NOTE_BYTES = 256 * 1024
_CANON = {
    0x0009: PrivacyFact.OWNER_NAMES,
    0x000C: PrivacyFact.SERIAL_NUMBERS,
    0x0096: PrivacyFact.SERIAL_NUMBERS,
}
_FUJIFILM = {0x0010: PrivacyFact.SERIAL_NUMBERS}
_NIKON = {0x001D: PrivacyFact.SERIAL_NUMBERS}
_PANASONIC = {0x0025: PrivacyFact.SERIAL_NUMBERS}
_NIKON_HEADER_BYTES, _PANASONIC_HEADER_BYTES, _FUJIFILM_POINTER_AT = 10, 12, 8


def find_in_maker_note(block: bytes, note: TiffEntry, order: str) -> Iterator[Finding]:
    """Serial numbers and owners that the note tells in plain; `block` is the EXIF in which it stands."""
    inner, directory, facts = _open(block, note, order)
    for tag, entry in directory.entries.items() if directory else ():
        if tag in facts and not is_blank(inner, entry):
            yield Finding(facts[tag])


def _open(block: bytes, note: TiffEntry, order: str) -> tuple[bytes, TiffDirectory | None, dict[int, PrivacyFact]]:
    """The bytes that the note's offsets count in, its directory, and what the maker's tags tell."""
    payload = block[note.at : note.at + min(note.size, MAX_NOTE_BYTES)]
    if payload.startswith(b"Nikon\0\2"):
        inner = payload[_NIKON_HEADER_BYTES:]
        return inner, find_first_directory(inner), _NIKON
    if payload.startswith(b"FUJIFILM"):
        start = int.from_bytes(payload[_FUJIFILM_POINTER_AT : _FUJIFILM_POINTER_AT + 4], "little")
        return payload, find_directory(payload, start, "<"), _FUJIFILM
    if payload.startswith(b"Panasonic\0\0\0"):
        return block, find_directory(block, note.at + _PANASONIC_HEADER_BYTES, order), _PANASONIC
    # Canon's begins with the number of its tags, those of other makers with a name.
    is_named = payload[:3].isalpha()
    return block, None if is_named else find_directory(block, note.at, order), _CANON
