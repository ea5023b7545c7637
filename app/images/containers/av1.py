"""AV1: how large the frames of a bitstream can be, and which of its parts make up the picture.

AV1 Bitstream & Decoding Process Specification, sections 5.3 (OBUs) and 5.5 (sequence header).
"""

from __future__ import annotations

from collections.abc import Iterator

from app.core.exceptions import ImageCorrupt, ImageTruncated
from app.images.containers.bits import Bits
from app.images.containers.reading import PartCounter

SEQUENCE_HEADER = 1
# Sequence, frame headers, tile groups, frames. Not among them: time codes and HDR notes, padding, lists of tiles.
PICTURE_OBUS = frozenset({SEQUENCE_HEADER, 3, 4, 6, 7})
_HAS_SIZE, _HAS_EXTENSION = 0x02, 0x04
_MAX_SIZE_BYTES = 8
_MAX_HEADER_BYTES = 512


def av1_obus(stream: memoryview, parts: PartCounter) -> Iterator[tuple[int, int, int, int]]:
    """Each open bitstream unit, as (type, start, payload start, end).

    Raises:
        ImageTruncated: one reaches past the end.
        ImageCorrupt: there are too many, or one is none.
    """
    at, stop = 0, len(stream)
    while at < stop:
        parts.count()
        header = stream[at]
        payload = at + (2 if header & _HAS_EXTENSION else 1)
        size = stop - payload
        if header & 0x80 or size < 0:
            raise ImageCorrupt
        if header & _HAS_SIZE:
            size, payload = _leb128(stream, payload)
        if payload + size > stop:
            raise ImageTruncated
        yield header >> 3 & 15, at, payload, payload + size
        at = payload + size


def _leb128(stream: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for index in range(min(_MAX_SIZE_BYTES, len(stream) - at)):
        value |= (stream[at + index] & 0x7F) << 7 * index
        if not stream[at + index] & 0x80:
            return value, at + index + 1
    raise ImageTruncated


def av1_sizes(stream: memoryview, parts: PartCounter) -> list[tuple[int, int]]:
    """The largest width and height that each sequence header of the stream allows.

    Raises:
        ImageTruncated, ImageCorrupt: see `av1_obus`.
    """
    return [
        _frame_size(Bits(stream[payload : min(end, payload + _MAX_HEADER_BYTES)]))
        for kind, _, payload, end in av1_obus(stream, parts)
        if kind == SEQUENCE_HEADER
    ]


def _frame_size(bits: Bits) -> tuple[int, int]:
    """Section 5.5.1, up to the sizes."""
    bits.skip(4)
    if bits.take(1):
        bits.skip(5)
    else:
        _skip_operating_points(bits)
    width_bits, height_bits = bits.take(4) + 1, bits.take(4) + 1
    return bits.take(width_bits) + 1, bits.take(height_bits) + 1


def _skip_operating_points(bits: Bits) -> None:
    delay_bits = 0
    if bits.take(1):
        bits.skip(64)
        if bits.take(1):
            bits.golomb()
        if bits.take(1):
            delay_bits = bits.take(5) + 1
            bits.skip(42)
    has_display_delay = bits.take(1)
    for _ in range(bits.take(5) + 1):
        bits.skip(12)
        if bits.take(5) > 7:
            bits.skip(1)
        if delay_bits and bits.take(1):
            bits.skip(2 * delay_bits + 1)
        if has_display_delay and bits.take(1):
            bits.skip(4)
