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
from app.images.heif_boxes import read_heif_size
from app.images.records import Structure

# An ICC profile's header alone has 128 bytes.
MIN_PROFILE_BYTES = 128
MAX_PROFILE_BYTES = 4 * 1024 * 1024
MAX_EXIF_BYTES = 256 * 1024
# A progressive JPEG of a camera has about ten scans; each costs a pass over every coefficient.
MAX_JPEG_SCANS = 100
# Segments or chunks of one file. Real ones have a few thousand at most; empty ones could keep us busy for seconds.
MAX_PARTS = 100_000
_TOO_MANY_PARTS = f"The file has more than {MAX_PARTS} parts."

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT = frozenset(
    {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"eXIf", b"sBIT"}
)
_WEBP_KEPT = frozenset({b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP", b"EXIF"})
# May stand only once: decoders read the first, and unpacking profile after profile would cost minutes.
_PNG_SINGLE = _PNG_KEPT - {b"IDAT"}
_JPEG_FILL = re.compile(rb"\xff+")
# A marker inside entropy-coded bytes: 0xFF not followed by a stuffed zero, a restart marker or fill.
_JPEG_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_JPEG_BARE_MARKERS = frozenset({0x01, *range(0xD0, 0xD8)})
_JPEG_SOF = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
_JPEG_PROGRESSIVE_SOF = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_JPEG_SEQUENTIAL_SOF = frozenset({0xC0, 0xC1, 0xC9})
_SEQUENTIAL_SCAN = b"\x00\x3f\x00"
_SOI, _EOI, _SOS, _APP0 = 0xD8, 0xD9, 0xDA, 0xE0
_WEBP_STILL = frozenset({b"VP8 ", b"VP8L"})


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
        ImageCorrupt: something else stands where a marker must, or there are more than `MAX_PARTS`.
    """
    at = 2
    for _ in range(MAX_PARTS):
        if at + 2 > len(content):
            raise ImageTruncated
        fill = _JPEG_FILL.match(content, at)
        if not fill:
            raise ImageCorrupt
        at = fill.end() - 1
        if at + 2 > len(content):
            raise ImageTruncated
        marker = content[at + 1]
        if marker == _SOI:
            raise ImageCorrupt
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
    raise ImageCorrupt(_TOO_MANY_PARTS)


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
    coding = 0
    scans = 0
    end = 0
    mended: list[tuple[int, bytes]] = []
    for marker, start, end in jpeg_segments(content):  # noqa: B007 - the last end is the picture's
        if marker in _JPEG_SOF:
            if size or start + 9 > len(content):
                raise ImageCorrupt
            size = (
                int.from_bytes(content[start + 7 : start + 9], "big"),
                int.from_bytes(content[start + 5 : start + 7], "big"),
            )
            coding = marker
        scans += marker == _SOS
        if scans > MAX_JPEG_SCANS:
            raise ImageCorrupt(f"The JPEG has more than {MAX_JPEG_SCANS} scans.")
        mended += _jpeg_harmless_faults(content, marker, start, coding=coding)
    if not size or not scans:
        raise ImageCorrupt
    decodable = content[:end]
    if mended:
        mendable = bytearray(decodable)
        for at, right in mended:
            mendable[at : at + len(right)] = right
        decodable = bytes(mendable)
    is_progressive = coding in _JPEG_PROGRESSIVE_SOF
    return _structure(ImageFormat.JPEG, *size, frames=1, is_costly=is_progressive, decodable=decodable)


def _jpeg_harmless_faults(content: bytes, marker: int, start: int, *, coding: int) -> Iterator[tuple[int, bytes]]:
    """Wrong bytes that change nothing, as (offset, right bytes). Mended, so that every warning of a decoder is damage.

    Many Samsung phones write other scan parameters than the only ones that a sequential JPEG can have.
    """
    if marker == _SOS and coding in _JPEG_SEQUENTIAL_SOF:
        at = _jpeg_segment_end(content, start) - len(_SEQUENTIAL_SCAN)
        if at > start + 4 and content[at : at + 3] != _SEQUENTIAL_SCAN:
            yield at, _SEQUENTIAL_SCAN
    elif marker == _APP0 and content[start + 4 : start + 9] == b"JFIF\0" and content[start + 9] != 1:
        yield start + 9, b"\x01"


# --- PNG: https://www.w3.org/TR/png-3/#5DataRep ---


def png_chunks(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Each chunk up to and with IEND, as (type, start, end), length and CRC included.

    Raises:
        ImageTruncated: the bytes end before IEND.
        ImageCorrupt: there are more than `MAX_PARTS`.
    """
    at = len(_PNG_SIGNATURE)
    for _ in range(MAX_PARTS):
        end = at + 12 + int.from_bytes(content[at : at + 4], "big")
        if at + 12 > len(content) or end > len(content):
            raise ImageTruncated
        kind = content[at + 4 : at + 8]
        yield kind, at, end
        if kind == b"IEND":
            return
        at = end
    raise ImageCorrupt(_TOO_MANY_PARTS)


def _read_png(content: bytes) -> Structure:
    kept = [_PNG_SIGNATURE]
    header = b""
    frames = 1
    seen: set[bytes] = set()
    for kind, start, end in png_chunks(content):
        payload = content[start + 8 : end - 4]
        if kind == b"IHDR":
            if seen or len(payload) != 13:
                raise ImageCorrupt
            header = payload
        elif kind == b"acTL":
            frames = int.from_bytes(payload[:4], "big")
        is_kept = kind in _PNG_KEPT and not (kind in seen and kind in _PNG_SINGLE)
        if is_kept and not _is_png_unsafe(kind, payload):
            kept.append(content[start:end])
        seen.add(kind)
    if not {b"IHDR", b"IDAT"} <= seen:
        raise ImageCorrupt
    width, height = int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big")
    return _structure(
        ImageFormat.PNG, width, height, frames=max(1, frames), is_costly=header[12] != 0, decodable=b"".join(kept)
    )


def _is_png_unsafe(kind: bytes, payload: bytes) -> bool:
    if kind == b"eXIf":
        return len(payload) > MAX_EXIF_BYTES
    if kind != b"iCCP":
        return False
    compressed = payload[payload.find(b"\0") + 2 :]
    try:
        profile = zlib.decompressobj().decompress(compressed, MAX_PROFILE_BYTES + 1)
    except zlib.error:
        return True
    return not MIN_PROFILE_BYTES <= len(profile) <= MAX_PROFILE_BYTES


# --- WebP: RFC 9649 ---


def webp_chunks(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Each chunk of the RIFF container, as (type, start, end), header and padding included.

    Raises:
        ImageTruncated: the RIFF size or a chunk reaches past the end.
        ImageCorrupt: there are more than `MAX_PARTS`.
    """
    riff_end = 8 + int.from_bytes(content[4:8], "little")
    if riff_end > len(content):
        raise ImageTruncated
    at = 12
    for _ in range(MAX_PARTS):
        if at >= riff_end:
            return
        size = int.from_bytes(content[at + 4 : at + 8], "little")
        end = at + 8 + size + (size & 1)
        if at + 8 > riff_end or at + 8 + size > riff_end:
            raise ImageTruncated
        yield content[at : at + 4], at, min(end, riff_end)
        at = end
    raise ImageCorrupt(_TOO_MANY_PARTS)


def _read_webp(content: bytes) -> Structure:
    kept: list[bytes] = []
    canvas: tuple[int, int] | None = None
    still: tuple[int, int] | None = None
    frames = 0
    is_lossless = False
    for kind, start, end in webp_chunks(content):
        payload = content[start + 8 : min(end, start + 8 + 32)]
        if (kind == b"VP8X" and canvas) or (kind in _WEBP_STILL and still):
            raise ImageCorrupt
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
    if not size or not (still or frames) or (still and still != size):
        raise ImageCorrupt
    body = b"WEBP" + b"".join(kept)
    riff = b"RIFF" + len(body).to_bytes(4, "little") + body
    return _structure(ImageFormat.WEBP, *size, frames=max(1, frames), is_costly=is_lossless, decodable=riff)


# --- HEIC: see heif_boxes.py ---


def _read_heic(content: bytes) -> Structure:
    width, height = read_heif_size(content)
    return _structure(ImageFormat.HEIC, width, height, frames=1, is_costly=True, decodable=content)


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
