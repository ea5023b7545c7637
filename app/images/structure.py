"""Container checks and filters on bytes: is the file complete, how large, how many frames; text and trailers dropped.

Decoders accept files that are cut short and read chunks that explode in memory; here both end before any decoder sees
a byte.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator

from app.core.exceptions import ImageCorrupt, ImageTruncated
from app.images.formats import ImageFormat
from app.images.records import Structure

MAX_PROFILE_BYTES = 4 * 1024 * 1024
MAX_EXIF_BYTES = 256 * 1024
# A progressive JPEG of a camera has about ten scans; each costs a pass over every coefficient.
MAX_JPEG_SCANS = 100

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT = frozenset(
    {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"eXIf", b"sBIT"}
)
_WEBP_KEPT = frozenset({b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP", b"EXIF"})
# A marker inside entropy-coded bytes: 0xFF not followed by a stuffed zero, a restart marker or fill.
_JPEG_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_JPEG_BARE_MARKERS = frozenset({0x01, *range(0xD0, 0xD8)})
_JPEG_SOF = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
_JPEG_PROGRESSIVE_SOF = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA


def read_structure(image_format: ImageFormat, content: bytes) -> Structure:
    """The structure of a whole file of this format.

    Raises:
        ImageTruncated: the container is cut short.
        ImageCorrupt: the container contradicts itself.
    """
    return _READERS[image_format](content)


# --- JPEG: ITU-T T.81, annex B ---


def jpeg_segments(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Each marker up to and with EOI of the first picture, as (marker, start, end) with end behind its payload.

    The payload of SOS runs to the next marker, so it holds the entropy-coded bytes.

    Raises:
        ImageTruncated: the bytes end before EOI.
        ImageCorrupt: something else stands where a marker must.
    """
    at = 2
    while True:
        if at + 2 > len(content):
            raise ImageTruncated
        if content[at] != 0xFF:
            raise ImageCorrupt
        marker = content[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker == _EOI:
            yield marker, at, at + 2
            return
        end = at + 2 if marker in _JPEG_BARE_MARKERS else _jpeg_segment_end(content, at)
        if marker == _SOS:
            found = _JPEG_MARKER.search(content, end)
            if not found:
                raise ImageTruncated
            end = found.start()
        yield marker, at, end
        at = end


def _jpeg_segment_end(content: bytes, at: int) -> int:
    length = int.from_bytes(content[at + 2 : at + 4], "big")
    end = at + 2 + length
    if end > len(content) or at + 4 > len(content):
        raise ImageTruncated
    if length < 2:
        raise ImageCorrupt
    return end


def _read_jpeg(content: bytes) -> Structure:
    size: tuple[int, int] | None = None
    is_progressive = False
    scans = 0
    end = 0
    for marker, start, end in jpeg_segments(content):  # noqa: B007 - the last end is the picture's
        if marker in _JPEG_SOF:
            if size or start + 9 > len(content):
                raise ImageCorrupt
            size = (
                int.from_bytes(content[start + 7 : start + 9], "big"),
                int.from_bytes(content[start + 5 : start + 7], "big"),
            )
            is_progressive = marker in _JPEG_PROGRESSIVE_SOF
        scans += marker == _SOS
        if scans > MAX_JPEG_SCANS:
            raise ImageCorrupt(f"The JPEG has more than {MAX_JPEG_SCANS} scans.")
    if not size or not scans:
        raise ImageCorrupt
    return _structure(ImageFormat.JPEG, *size, frames=1, is_costly=is_progressive, decodable=content[:end])


# --- PNG: https://www.w3.org/TR/png-3/#5DataRep ---


def png_chunks(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Each chunk up to and with IEND, as (type, start, end), length and CRC included.

    Raises:
        ImageTruncated: the bytes end before IEND.
    """
    at = len(_PNG_SIGNATURE)
    while True:
        end = at + 12 + int.from_bytes(content[at : at + 4], "big")
        if at + 12 > len(content) or end > len(content):
            raise ImageTruncated
        kind = content[at + 4 : at + 8]
        yield kind, at, end
        if kind == b"IEND":
            return
        at = end


def _read_png(content: bytes) -> Structure:
    kept = [_PNG_SIGNATURE]
    header = b""
    frames = 1
    for kind, start, end in png_chunks(content):
        payload = content[start + 8 : end - 4]
        if kind == b"IHDR":
            header = payload
        elif kind == b"acTL":
            frames = int.from_bytes(payload[:4], "big")
        if kind in _PNG_KEPT and not _is_png_bomb(kind, payload):
            kept.append(content[start:end])
    if len(header) != 13:
        raise ImageCorrupt
    width, height = int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big")
    return _structure(
        ImageFormat.PNG, width, height, frames=max(1, frames), is_costly=header[12] != 0, decodable=b"".join(kept)
    )


def _is_png_bomb(kind: bytes, payload: bytes) -> bool:
    if kind == b"eXIf":
        return len(payload) > MAX_EXIF_BYTES
    if kind != b"iCCP":
        return False
    compressed = payload[payload.find(b"\0") + 2 :]
    try:
        profile = zlib.decompressobj().decompress(compressed, MAX_PROFILE_BYTES + 1)
    except zlib.error:
        return True
    return len(profile) > MAX_PROFILE_BYTES


# --- WebP: RFC 9649 ---


def webp_chunks(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Each chunk of the RIFF container, as (type, start, end), header and padding included.

    Raises:
        ImageTruncated: the RIFF size or a chunk reaches past the end.
    """
    riff_end = 8 + int.from_bytes(content[4:8], "little")
    if riff_end > len(content):
        raise ImageTruncated
    at = 12
    while at < riff_end:
        size = int.from_bytes(content[at + 4 : at + 8], "little")
        end = at + 8 + size + (size & 1)
        if at + 8 > riff_end or at + 8 + size > riff_end:
            raise ImageTruncated
        yield content[at : at + 4], at, min(end, riff_end)
        at = end


def _read_webp(content: bytes) -> Structure:
    kept: list[bytes] = []
    canvas: tuple[int, int] | None = None
    still: tuple[int, int] | None = None
    frames = 0
    is_lossless = False
    for kind, start, end in webp_chunks(content):
        payload = content[start + 8 : min(end, start + 8 + 32)]
        if kind == b"VP8X":
            canvas = 1 + int.from_bytes(payload[4:7], "little"), 1 + int.from_bytes(payload[7:10], "little")
        elif kind == b"VP8 ":
            still = int.from_bytes(payload[6:8], "little") & 0x3FFF, int.from_bytes(payload[8:10], "little") & 0x3FFF
        elif kind == b"VP8L":
            is_lossless = True
            bits = int.from_bytes(payload[1:5], "little")
            still = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        elif kind == b"ANMF":
            frames += 1
            is_lossless = is_lossless or b"VP8L" in payload
        if kind in _WEBP_KEPT:
            kept.append(content[start:end])
    size = canvas or still
    if not size or not (still or frames):
        raise ImageCorrupt
    body = b"WEBP" + b"".join(kept)
    riff = b"RIFF" + len(body).to_bytes(4, "little") + body
    return _structure(ImageFormat.WEBP, *size, frames=max(1, frames), is_costly=is_lossless, decodable=riff)


# --- HEIC: ISO/IEC 14496-12, clause 4.2 (boxes) and 23008-12, clause 6.5.3 (ispe) ---


def _read_heic(content: bytes) -> Structure:
    at = 0
    meta = b""
    while at < len(content):
        size, header = int.from_bytes(content[at : at + 4], "big"), 8
        if size == 1:
            size, header = int.from_bytes(content[at + 8 : at + 16], "big"), 16
        elif size == 0:
            size = len(content) - at
        if size < header or at + size > len(content):
            raise ImageTruncated
        if content[at + 4 : at + 8] == b"meta":
            meta = content[at + header : at + size]
        at += size
    width, height = _largest_ispe(meta)
    return _structure(ImageFormat.HEIC, width, height, frames=1, is_costly=True, decodable=content)


def _largest_ispe(meta: bytes) -> tuple[int, int]:
    """The largest picture that any `ispe` property announces: the primary one or larger, to be safe."""
    sizes = [
        (
            int.from_bytes(meta[found.end() + 4 : found.end() + 8], "big"),
            int.from_bytes(meta[found.end() + 8 : found.end() + 12], "big"),
        )
        for found in re.finditer(b"ispe", meta)
    ]
    if not sizes:
        raise ImageCorrupt
    return max(sizes, key=lambda size: size[0] * size[1])


def _structure(
    image_format: ImageFormat, width: int, height: int, *, frames: int, is_costly: bool, decodable: bytes
) -> Structure:
    if width < 1 or height < 1:
        raise ImageCorrupt
    return Structure(image_format, width, height, frames, is_costly, decodable)


_READERS: dict[ImageFormat, Callable[[bytes], Structure]] = {
    ImageFormat.JPEG: _read_jpeg,
    ImageFormat.PNG: _read_png,
    ImageFormat.WEBP: _read_webp,
    ImageFormat.HEIC: _read_heic,
}
