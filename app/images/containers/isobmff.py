"""Boxes of ISO media files, of which HEIF and AVIF are two, and the numbers in them (ISO/IEC 14496-12, clause 4.2)."""

from __future__ import annotations

from collections.abc import Iterator

from app.core.exceptions import ImageCorrupt, ImageTruncated
from app.images.containers.reading import MAX_PARTS, TOO_MANY_PARTS


def heif_boxes(content: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Each box between two offsets, as (type, start, end) of its payload.

    Raises:
        ImageTruncated: a box reaches past the end, or is shorter than its own header.
        ImageCorrupt: there are more than `MAX_PARTS`.
    """
    at = start
    for _ in range(MAX_PARTS):
        if at >= end:
            return
        size, header = int.from_bytes(content[at : at + 4], "big"), 8
        if size == 1:
            size, header = int.from_bytes(content[at + 8 : at + 16], "big"), 16
        elif size == 0:
            size = end - at
        if size < header or at + size > end:
            raise ImageTruncated
        yield content[at + 4 : at + 8], at + header, at + size
        at += size
    raise ImageCorrupt(TOO_MANY_PARTS)


class Fields:
    """Big-endian numbers of one box, one after the other; `at` is where the next one stands.

    Every method raises `ImageCorrupt` when the box ends first.
    """

    def __init__(self, content: bytes | memoryview, start: int, end: int) -> None:
        self._content, self.at, self._end = content, start, end

    def take(self, count: int) -> int:
        """A number of this many bytes."""
        at, self.at = self.at, self.at + count
        if self.at > self._end:
            raise ImageCorrupt
        return int.from_bytes(self._content[at : self.at], "big")

    def version_and_flags(self) -> tuple[int, int]:
        """How a full box begins."""
        return self.take(1), self.take(3)
