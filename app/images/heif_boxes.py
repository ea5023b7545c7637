"""Boxes of HEIF files: sizes of the pictures they announce, and whether the coded bytes they point at are there.

ISO/IEC 14496-12, clauses 4.2 (boxes) and 8.11.3 (iloc); ISO/IEC 23008-12, clause 6.5.3 (ispe).
"""

from __future__ import annotations

from collections.abc import Iterator

from app.core.exceptions import ImageCorrupt, ImageTruncated

MAX_BOXES = 100_000

_FULL_BOX_BYTES = 4
_IN_FILE = 0


def heif_boxes(content: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Each box between two offsets, as (type, start, end) of its payload.

    Raises:
        ImageTruncated: a box reaches past the end, or is shorter than its own header.
        ImageCorrupt: there are absurdly many.
    """
    at = start
    for _ in range(MAX_BOXES):
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
    raise ImageCorrupt


def read_heif_size(content: bytes) -> tuple[int, int]:
    """Width and height of the largest picture that the file announces: the primary one or larger, to be safe.

    Raises:
        ImageTruncated: a box, or the coded bytes that one points at, reach past the end.
        ImageCorrupt: no picture is announced or located.
    """
    meta = None
    for kind, start, end in heif_boxes(content, 0, len(content)):
        if kind == b"meta":
            if meta:
                raise ImageCorrupt
            meta = start + _FULL_BOX_BYTES, end
    if not meta:
        raise ImageCorrupt
    sizes: list[tuple[int, int]] = []
    is_located = False
    for kind, start, end in heif_boxes(content, *meta):
        if kind == b"iprp":
            sizes += _announced_sizes(content, start, end)
        elif kind == b"iloc":
            _check_extents(content, start, end)
            is_located = True
    if not sizes or not is_located:
        raise ImageCorrupt
    return max(sizes, key=lambda size: size[0] * size[1])


def _announced_sizes(content: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    for kind, inner_start, inner_end in heif_boxes(content, start, end):
        if kind == b"ipco":
            for name, at, stop in heif_boxes(content, inner_start, inner_end):
                if name == b"ispe" and stop - at >= 12:
                    yield (
                        int.from_bytes(content[at + 4 : at + 8], "big"),
                        int.from_bytes(content[at + 8 : at + 12], "big"),
                    )


def _check_extents(content: bytes, start: int, end: int) -> None:
    """Every stretch of coded bytes that the item locations name lies within the file."""
    fields = _Fields(content, start, end)
    version = fields.take(1)
    fields.take(3)
    sizes = fields.take(2)
    offset_bytes, length_bytes, base_bytes = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_bytes = sizes & 15 if version else 0
    if version > 2 or not {offset_bytes, length_bytes, base_bytes, index_bytes} <= {0, 4, 8}:
        raise ImageCorrupt
    wide = 4 if version == 2 else 2
    for _ in range(fields.take(wide)):
        fields.take(wide)
        method = fields.take(2) & 15 if version else _IN_FILE
        fields.take(2)
        base = fields.take(base_bytes)
        extents = fields.take(2)
        # Entries of no bytes at all would cost time without end.
        for _ in range(extents if offset_bytes + length_bytes + index_bytes else 0):
            fields.take(index_bytes)
            first = base + fields.take(offset_bytes)
            if first + fields.take(length_bytes) > len(content) and method == _IN_FILE:
                raise ImageTruncated


class _Fields:
    """Big-endian numbers of one box, one after the other."""

    def __init__(self, content: bytes, start: int, end: int) -> None:
        self._content, self._at, self._end = content, start, end

    def take(self, count: int) -> int:
        at, self._at = self._at, self._at + count
        if self._at > self._end:
            raise ImageCorrupt
        return int.from_bytes(self._content[at : self._at], "big")
