"""PNG: its chunks, and what they say of the picture (https://www.w3.org/TR/png-3/#5DataRep)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from app.core.exceptions import ImageCorrupt, ImageTruncated
from app.images.containers.exif import find_orientation, write_orientation
from app.images.containers.reading import (
    MAX_PARTS,
    MAX_PROFILE_BYTES,
    TOO_MANY_PARTS,
    Kept,
    Reading,
    is_plausible_profile,
)

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PIXELS = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})
# They say how colours look. Like a profile they may stand only once: decoders read the first, and unpacking profile
# after profile would cost minutes.
_COLOURS = frozenset({b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"sBIT"})
_ANIMATION = frozenset({b"acTL", b"fcTL"})
# Bits per sample of each colour type.
_DEPTHS = {0: {1, 2, 4, 8, 16}, 2: {8, 16}, 3: {1, 2, 4, 8}, 4: {8, 16}, 6: {8, 16}}
_PALETTE = 3
_FRAME_RECTANGLE = struct.Struct(">4xIIII")


def png_chunks(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Each chunk up to and with IEND, as (type, start, end), length and CRC included.

    Raises:
        ImageTruncated: the bytes end before IEND.
        ImageCorrupt: there are more than `MAX_PARTS`.
    """
    at = len(SIGNATURE)
    for _ in range(MAX_PARTS):
        end = at + 12 + int.from_bytes(content[at : at + 4], "big")
        if at + 12 > len(content) or end > len(content):
            raise ImageTruncated
        kind = content[at + 4 : at + 8]
        yield kind, at, end
        if kind == b"IEND":
            return
        at = end
    raise ImageCorrupt(TOO_MANY_PARTS)


def read_png(content: bytes) -> Reading:
    """See `app.images.structure.read_structure`. Of an APNG the default picture counts; its frames are only counted."""
    kept = Kept(content)
    kept.keep(0, len(SIGNATURE))
    seen: set[bytes] = set()
    width = height = 0
    animation = _Animation(content)
    for kind, start, end in png_chunks(content):
        if not seen:
            width, height = _read_header(content, kind, start, end)
        elif kind == b"IHDR":
            raise ImageCorrupt
        if kind in _PIXELS:
            kept.keep(start, end)
        elif kind in _ANIMATION:
            animation.add(kind, start, end, is_before_pixels=b"IDAT" not in seen)
        elif kind not in seen:
            _keep_single(kept, kind, content[start + 8 : end - 4], start)
        seen.add(kind)
    is_palette = content[len(SIGNATURE) + 17] == _PALETTE
    if b"IDAT" not in seen or (is_palette and b"PLTE" not in seen):
        raise ImageCorrupt
    is_interlaced = content[len(SIGNATURE) + 20] == 1
    frames = animation.frames(width, height)
    return Reading(width, height, frames=frames, is_costly=is_interlaced, decodable=kept.joined())


def _read_header(content: bytes, kind: bytes, start: int, end: int) -> tuple[int, int]:
    if kind != b"IHDR" or end - start != 25:
        raise ImageCorrupt
    width, height, depth, colours, packing, filtering, interlace = struct.unpack_from(">IIBBBBB", content, start + 8)
    if depth not in _DEPTHS.get(colours, ()) or packing or filtering or interlace > 1:
        raise ImageCorrupt
    return width, height


def _keep_single(kept: Kept, kind: bytes, payload: bytes, start: int) -> None:
    """Keeps what may stand once, and is needed to show the picture right."""
    if kind in _COLOURS or (kind == b"iCCP" and _is_profile_safe(payload)):
        kept.keep(start, start + len(payload) + 12)
    elif kind == b"eXIf" and (orientation := find_orientation(payload)) > 1:
        kept.put(_chunk(b"eXIf", write_orientation(orientation)))


class _Animation:
    """The frames that an APNG announces and those that are there."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._announced = 0
        self._rectangles: list[tuple[int, int, int, int]] = []

    def add(self, kind: bytes, start: int, end: int, *, is_before_pixels: bool) -> None:
        """An animation's header, which counts only before the first pixels, or a frame's."""
        if kind == b"acTL" and is_before_pixels and not self._announced and end - start == 20:
            self._announced = int.from_bytes(self._content[start + 8 : start + 12], "big")
        elif kind == b"fcTL" and self._announced and end - start == 38:
            self._rectangles.append(_FRAME_RECTANGLE.unpack_from(self._content, start + 8))

    def frames(self, width: int, height: int) -> int:
        """How many frames there are; 1 for a still.

        Raises:
            ImageTruncated: fewer than announced.
            ImageCorrupt: one lies outside of the picture.
        """
        if len(self._rectangles) < self._announced:
            raise ImageTruncated
        for across, down, left, top in self._rectangles:
            if not across or not down or left + across > width or top + down > height:
                raise ImageCorrupt
        return max(1, len(self._rectangles))


def _is_profile_safe(payload: bytes) -> bool:
    compressed = payload[payload.find(b"\0") + 2 :]
    try:
        profile = zlib.decompressobj().decompress(compressed, MAX_PROFILE_BYTES + 1)
    except zlib.error:
        return False
    return is_plausible_profile(len(profile))


def _chunk(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + kind + payload + zlib.crc32(kind + payload).to_bytes(4, "big")
