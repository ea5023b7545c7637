"""WebP: its chunks, and what they say of the picture (RFC 9649)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from app.core.exceptions import ImageCorrupt, ImageTruncated
from app.images.containers.exif import find_orientation, write_orientation
from app.images.containers.reading import MAX_PARTS, TOO_MANY_PARTS, Kept, Reading, is_plausible_profile

FLAG_PROFILE, FLAG_ALPHA, FLAG_EXIF, FLAG_ANIMATION = 0x20, 0x10, 0x08, 0x02
_STILL = frozenset({b"VP8 ", b"VP8L"})
_CANVAS_BYTES, _FRAME_HEADER_BYTES = 10, 16
_VP8_HEADER = struct.Struct("<HB3sHH")
_FRAME_HEADER = struct.Struct("<HBHBHBHB")
_START_CODE = b"\x9d\x01\x2a"
_KEY_FRAME_BIT, _SHOWN_BIT = 0x01, 0x10
_LOSSLESS_SIGNATURE = 0x2F


def webp_chunks(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Each chunk of the RIFF container, as (type, start, end), header and padding included.

    Raises:
        ImageTruncated: the RIFF size or a chunk reaches past the end.
        ImageCorrupt: there are more than `MAX_PARTS`.
    """
    riff_end = 8 + int.from_bytes(content[4:8], "little")
    if riff_end > len(content):
        raise ImageTruncated
    return webp_frame_chunks(content, 12, riff_end)


def webp_frame_chunks(content: bytes, start: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    """The same for the chunks between two offsets, such as those inside an ANMF from 24 bytes behind its start on."""
    at = start
    for _ in range(MAX_PARTS):
        if at >= stop:
            return
        size = int.from_bytes(content[at + 4 : at + 8], "little")
        end = at + 8 + size + (size & 1)
        if at + 8 + size > stop:
            raise ImageTruncated
        yield content[at : at + 4], at, min(end, stop)
        at = end
    raise ImageCorrupt(TOO_MANY_PARTS)


def read_webp(content: bytes) -> Reading:
    """See `app.images.structure.read_structure`. Every frame of an animation lies within the canvas."""
    picture = _Picture(content)
    for kind, start, end in webp_chunks(content):
        picture.add(kind, start, end)
    return picture.reading()


class _Picture:
    """What the chunks so far say, and those of them that a decoder may see."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._kept = Kept(content)
        self._canvas: tuple[int, int] | None = None
        self._still: tuple[int, int] | None = None
        self._flags = self._frames = self._parts = 0
        self._is_lossless = False
        self._once: set[bytes] = set()

    def add(self, kind: bytes, start: int, end: int) -> None:
        """One more chunk."""
        if kind == b"VP8X":
            self._add_canvas(start, end)
        elif kind == b"ANMF":
            self._add_frame(start, end)
        elif kind in _STILL:
            if self._still:
                raise ImageCorrupt
            self._still = still_size(self._content, kind, start)
            self._is_lossless |= kind == b"VP8L"
            self._kept.keep(start, end)
        elif kind not in self._once:
            self._once.add(kind)
            self._add_single(kind, start, end)

    def reading(self) -> Reading:
        """The whole picture."""
        size = self._canvas or self._still
        if not size or bool(self._still) == bool(self._frames) or (self._still and self._still != size):
            raise ImageCorrupt
        body = self._kept.joined()
        if self._canvas:
            width, height = (side - 1 for side in self._canvas)
            canvas = struct.pack("<IHBHB", self._flags, width & 0xFFFF, width >> 16, height & 0xFFFF, height >> 16)
            body = b"VP8X\x0a\0\0\0" + canvas + body
        if self._content.endswith(body) and len(self._content) == len(body) + 12:
            decodable = self._content
        else:
            decodable = b"RIFF" + (len(body) + 4).to_bytes(4, "little") + b"WEBP" + body
        frames = max(1, self._frames)
        return Reading(*size, frames=frames, is_costly=self._is_lossless, decodable=decodable)

    def _add_canvas(self, start: int, end: int) -> None:
        if self._canvas or self._still or self._frames or end - start < 8 + _CANVAS_BYTES:
            raise ImageCorrupt
        flags, width, width_high, height, height_high = struct.unpack_from("<IHBHB", self._content, start + 8)
        self._canvas = 1 + (width | width_high << 16), 1 + (height | height_high << 16)
        self._flags = flags & (FLAG_ALPHA | FLAG_ANIMATION)

    def _add_single(self, kind: bytes, start: int, end: int) -> None:
        if kind in {b"ALPH", b"ANIM"}:
            self._kept.keep(start, end)
        elif kind == b"ICCP" and is_plausible_profile(int.from_bytes(self._content[start + 4 : start + 8], "little")):
            self._flags |= FLAG_PROFILE
            self._kept.keep(start, end)
        elif kind == b"EXIF" and (orientation := find_orientation(self._content[start + 8 : end])) > 1:
            self._flags |= FLAG_EXIF
            self._kept.put(_chunk(b"EXIF", write_orientation(orientation)))

    def _add_frame(self, start: int, end: int) -> None:
        content = self._content
        if not self._canvas or not self._flags & FLAG_ANIMATION or end - start < 8 + _FRAME_HEADER_BYTES:
            raise ImageCorrupt
        x, x_high, y, y_high, across, across_high, down, down_high = _FRAME_HEADER.unpack_from(content, start + 8)
        size = 1 + (across | across_high << 16), 1 + (down | down_high << 16)
        left, top = 2 * (x | x_high << 16), 2 * (y | y_high << 16)
        if left + size[0] > self._canvas[0] or top + size[1] > self._canvas[1]:
            raise ImageCorrupt
        pixels = self._frame_pixels(start, size)
        if sum(stop - at for at, stop in pixels) == end - start - 8 - _FRAME_HEADER_BYTES:
            self._kept.keep(start, end)
        else:
            body = content[start + 8 : start + 24] + b"".join(content[at:stop] for at, stop in pixels)
            self._kept.put(_chunk(b"ANMF", body))
        self._frames += 1

    def _frame_pixels(self, start: int, size: tuple[int, int]) -> list[tuple[int, int]]:
        """Where the chunks of a frame lie that make up its pixels."""
        kept: dict[bytes, tuple[int, int]] = {}
        payload_end = start + 8 + int.from_bytes(self._content[start + 4 : start + 8], "little")
        for kind, at, stop in webp_frame_chunks(self._content, start + 8 + _FRAME_HEADER_BYTES, payload_end):
            self._parts += 1
            if self._parts > MAX_PARTS:
                raise ImageCorrupt(TOO_MANY_PARTS)
            if kind in _STILL:
                if _STILL & kept.keys() or still_size(self._content, kind, at) != size:
                    raise ImageCorrupt
                self._is_lossless |= kind == b"VP8L"
            if kind in _STILL or (kind == b"ALPH" and not kept):
                kept[kind] = at, stop
        if not _STILL & kept.keys():
            raise ImageCorrupt
        return list(kept.values())


def _chunk(kind: bytes, payload: bytes) -> bytes:
    return kind + len(payload).to_bytes(4, "little") + payload + bytes(len(payload) % 2)


def still_size(content: bytes, kind: bytes, start: int) -> tuple[int, int]:
    """Width and height that a `VP8 ` or `VP8L` chunk says it has (RFC 6386, section 9.1; RFC 9649, section 3.4).

    Raises:
        ImageCorrupt: it does not begin as such a chunk must.
        ImageTruncated: it ends before its own first part does.
    """
    size = int.from_bytes(content[start + 4 : start + 8], "little")
    if kind == b"VP8L":
        if size < 5 or content[start + 8] != _LOSSLESS_SIGNATURE or content[start + 12] >> 5:
            raise ImageCorrupt
        bits = int.from_bytes(content[start + 9 : start + 13], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if size < 10:
        raise ImageCorrupt
    low, high, code, width, height = _VP8_HEADER.unpack_from(content, start + 8)
    if low & _KEY_FRAME_BIT or not low & _SHOWN_BIT or code != _START_CODE:
        raise ImageCorrupt
    if 10 + ((low | high << 16) >> 5) > size:
        raise ImageTruncated
    return width & 0x3FFF, height & 0x3FFF
