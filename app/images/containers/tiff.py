"""TIFF: its directories and their fields, as in TIFF files and in EXIF (TIFF 6.0, section 2)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from app.core.exceptions import ImageCorrupt, ImageTruncated

# Pages of one file, and entries of one page. Real pages have some thirty.
MAX_DIRECTORIES = 1_000
MAX_ENTRIES = 1_000
# Bytes of one value of each type (TIFF 6.0, section 2; 13 is IFD).
_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_NUMBERS = {1: "B", 3: "H", 4: "I", 13: "I"}
_ENTRY_BYTES = 12


@dataclass(frozen=True, slots=True)
class TiffEntry:
    """One field: where it stands, its type, how many values, and where in the file they begin."""

    start: int
    kind: int
    count: int
    at: int

    @property
    def size(self) -> int:
        """Bytes of all values; 0 for types that TIFF does not know."""
        return _TYPE_BYTES.get(self.kind, 0) * self.count


@dataclass(frozen=True, slots=True)
class TiffDirectory:
    """One image file directory: `entries` by tag, at `start` in a file whose byte order is `order` (`<` or `>`)."""

    start: int
    order: str
    next_start: int
    entries: dict[int, TiffEntry] = field(default_factory=dict)

    def numbers(self, content: bytes, tag: int) -> tuple[int, ...]:
        """The whole numbers of a field; none where it is missing or holds something else.

        Raises:
            ImageTruncated: the values reach past the end.
        """
        entry = self.entries.get(tag)
        if entry is None or entry.kind not in _NUMBERS:
            return ()
        if entry.at + entry.size > len(content):
            raise ImageTruncated
        return struct.unpack_from(f"{self.order}{entry.count}{_NUMBERS[entry.kind]}", content, entry.at)

    def number(self, content: bytes, tag: int, default: int) -> int:
        """The first number of a field, or the default where there is none. Raises as `numbers`."""
        return next(iter(self.numbers(content, tag)), default)


def tiff_directories(content: bytes) -> Iterator[TiffDirectory]:
    """Each directory of the file's chain of pages, the first page first. It also reads EXIF, behind `Exif\\0\\0`.

    Raises:
        ImageTruncated: a directory reaches past the end.
        ImageCorrupt: it is no TIFF, the chain bites its tail, or has more than `MAX_DIRECTORIES`.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(content[:4])
    if order is None or len(content) < 8:
        raise ImageCorrupt
    (start,) = struct.unpack_from(f"{order}I", content, 4)
    seen: set[int] = set()
    while start:
        if start in seen or len(seen) >= MAX_DIRECTORIES:
            raise ImageCorrupt
        seen.add(start)
        directory = read_tiff_directory(content, start, order)
        yield directory
        start = directory.next_start


def read_tiff_directory(content: bytes, start: int, order: str) -> TiffDirectory:
    """The directory at an offset, such as one that a field (EXIF 0x8769, GPS 0x8825) points at.

    Raises:
        ImageTruncated: it reaches past the end.
        ImageCorrupt: it is empty or has more than `MAX_ENTRIES` entries.
    """
    if start + 2 > len(content):
        raise ImageTruncated
    (count,) = struct.unpack_from(f"{order}H", content, start)
    end = start + 2 + count * _ENTRY_BYTES
    if not 0 < count <= MAX_ENTRIES:
        raise ImageCorrupt
    if end > len(content):
        raise ImageTruncated
    # The link to the next page may be left out where nothing follows, as some EXIF does.
    next_start = struct.unpack_from(f"{order}I", content, end)[0] if end + 4 <= len(content) else 0
    entries: dict[int, TiffEntry] = {}
    for at in range(start + 2, end, _ENTRY_BYTES):
        tag, kind, values, offset = struct.unpack_from(f"{order}HHII", content, at)
        is_inline = _TYPE_BYTES.get(kind, 0) * values <= 4
        entries.setdefault(tag, TiffEntry(at, kind, values, at + 8 if is_inline else offset))
    return TiffDirectory(start, order, next_start, entries)
