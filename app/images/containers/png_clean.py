"""PNG: what makes up the pixels and nothing else, neither in other chunks nor inside of those that stay.

https://www.w3.org/TR/png-3/, clauses 7.2 (rows), 8 (passes), 10 (compression), 11.2 and 11.3.2 (chunks).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from app.images.containers.png import SIGNATURE, png_chunks

_DEPTH_AT, _COLOUR_AT, _INTERLACE_AT = 24, 25, 28
_PALETTE = 3
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_TRANSPARENCY_BYTES = {0: 2, 2: 6}
_END = b"\0\0\0\0IEND\xaeB`\x82"
# First column and row of each pass, and how far apart they are (clause 8.1).
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_PIECE_BYTES = 1024 * 1024
_THOROUGH = 9


def pixel_chunks(content: bytes) -> bytes:
    """The PNG with the chunks that its pixels need, and with those alone."""
    return SIGNATURE + b"".join(_needed_chunks(content)) + _END


def _needed_chunks(content: bytes) -> Iterator[bytes]:
    colour = content[_COLOUR_AT]
    for kind, start, end in png_chunks(content):
        size = end - start - 12
        is_needed = kind in {b"IHDR", b"IDAT"}
        if kind == b"PLTE":
            # In other pictures it is but a suggestion.
            is_needed = colour == _PALETTE
        elif kind == b"tRNS":
            # Decoders pass over one of another length.
            is_needed = colour == _PALETTE or size == _TRANSPARENCY_BYTES.get(colour)
        if is_needed:
            yield content[start:end]


def exact_pixels(content: bytes) -> bytes:
    """The PNG, whose chunks are those of `pixel_chunks`, without anything behind its last row, packed or not.

    Decoders pass over it. All pixels are unpacked, a megabyte at a time. A damaged stream stays as it is.
    """
    places = [(start, end) for kind, start, end in png_chunks(content) if kind == b"IDAT"]
    packed = [content[start + 8 : end - 4] for start, end in places]
    wanted = _pixel_bytes(content)
    try:
        unpacked, length = _measure(packed, wanted)
        if unpacked > wanted:
            stream = _repacked(packed, wanted)
        elif length < sum(map(len, packed)):
            stream = b"".join(packed)[:length]
        else:
            return content
    except zlib.error:
        return content
    checked = b"IDAT" + stream
    chunk = len(stream).to_bytes(4, "big") + checked + zlib.crc32(checked).to_bytes(4, "big")
    return content[: places[0][0]] + chunk + content[places[-1][1] :]


def _pixel_bytes(content: bytes) -> int:
    """Of all rows, each with the number of its filter."""
    width, height = (int.from_bytes(content[at : at + 4], "big") for at in (16, 20))
    bits = content[_DEPTH_AT] * _SAMPLES.get(content[_COLOUR_AT], 4)
    passes = _PASSES if content[_INTERLACE_AT] else ((0, 0, 1, 1),)
    total = 0
    for column, row, across, down in passes:
        columns, rows = -(-max(width - column, 0) // across), -(-max(height - row, 0) // down)
        total += rows * (1 + -(-columns * bits // 8)) if columns else 0
    return total


def _measure(packed: list[bytes], wanted: int) -> tuple[int, int]:
    """Bytes unpacked, counted until they are more than wanted, and bytes of the stream until its end."""
    stream = zlib.decompressobj()
    fed = unpacked = 0
    for part in packed:
        fed, rest = fed + len(part), part
        while rest and not stream.eof and unpacked <= wanted:
            unpacked += len(stream.decompress(rest, _PIECE_BYTES))
            rest = stream.unconsumed_tail
        if stream.eof:
            break
    return unpacked, fed - len(stream.unused_data)


def _repacked(packed: list[bytes], wanted: int) -> bytes:
    stream, packing = zlib.decompressobj(), zlib.compressobj(_THOROUGH)
    parts: list[bytes] = []
    for part in packed:
        rest = part
        while rest and wanted:
            piece = stream.decompress(rest, min(wanted, _PIECE_BYTES))
            wanted -= len(piece)
            parts.append(packing.compress(piece))
            rest = stream.unconsumed_tail
    return b"".join([*parts, packing.flush()])
