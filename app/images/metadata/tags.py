"""Tags of TIFF-like blocks (EXIF, maker notes, TIFF itself), read leniently: what is out of bounds is not there."""

from __future__ import annotations

from app.core.exceptions import ImageError
from app.images.containers.tiff import TiffDirectory, TiffEntry, read_tiff_directory

MAX_POINTERS = 8
_MAX_VALUE_BYTES = 4096
_POINTER_BYTES = {3: 2, 4: 4, 13: 4}
_BLANK = b"\0 "


def find_directory(content: bytes, start: int, order: str) -> TiffDirectory | None:
    """The directory at an offset, or None where none can be read."""
    try:
        return read_tiff_directory(content, start, order) if start else None
    except ImageError:
        return None


def find_first_directory(content: bytes) -> TiffDirectory | None:
    """The directory that a TIFF header at the beginning names."""
    order = {b"II": "<", b"MM": ">"}.get(content[:2])
    return find_directory(content, _number(content[4:8], order), order) if order else None


def value_of(content: bytes, entry: TiffEntry) -> bytes:
    """The first bytes of a value; none when it reaches past the end."""
    if entry.at + entry.size > len(content):
        return b""
    return content[entry.at : entry.at + min(entry.size, _MAX_VALUE_BYTES)]


def is_blank(content: bytes, entry: TiffEntry) -> bool:
    """Whether the value is nothing but NULs and spaces, as cameras write what nobody filled in."""
    return not value_of(content, entry).strip(_BLANK)


def directories_at(content: bytes, directory: TiffDirectory, tag: int) -> list[TiffDirectory]:
    """The directories that a tag points to, `MAX_POINTERS` at most."""
    entry = directory.entries.get(tag)
    width = _POINTER_BYTES.get(entry.kind, 0) if entry else 0
    if entry is None or not width:
        return []
    pointers = value_of(content, entry)[: MAX_POINTERS * width]
    starts = (_number(pointers[at : at + width], directory.order) for at in range(0, len(pointers), width))
    return [found for start in starts if (found := find_directory(content, start, directory.order))]


def _number(digits: bytes, order: str) -> int:
    return int.from_bytes(digits, "little" if order == "<" else "big")
