"""The plain clean-up: a file's own coded pixels and nothing else, for pictures that re-encoding would enlarge."""

from __future__ import annotations

from app.images.formats import ImageFormat
from app.images.structure import jpeg_segments, png_chunks, webp_chunks

# APP14 says how the colours are coded (Adobe); every other APPn and COM can go.
_JPEG_APPLICATION = frozenset(range(0xE0, 0xF0)) - {0xEE}
_JPEG_COMMENT = 0xFE
_PNG_PIXELS = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_WEBP_STILL = frozenset({b"VP8 ", b"VP8L", b"ALPH"})
_ANIMATION_ICC_EXIF_XMP_FLAGS = 0x02 | 0x20 | 0x08 | 0x04


def clean_copy(image_format: ImageFormat, content: bytes) -> bytes:
    """The same picture, bit for bit: pixels without EXIF, XMP, profile, text, comments, further pictures or trailer.

    Colour profile and orientation are dropped too, so it is only right for upright pictures without a profile. The
    content must have passed `read_structure`.
    """
    if image_format is ImageFormat.JPEG:
        return _clean_jpeg(content)
    if image_format is ImageFormat.PNG:
        return content[:8] + b"".join(content[a:b] for kind, a, b in png_chunks(content) if kind in _PNG_PIXELS)
    if image_format is ImageFormat.WEBP:
        return _clean_webp(content)
    raise ValueError(f"{image_format} has no plain clean-up")


def _clean_jpeg(content: bytes) -> bytes:
    parts = [content[:2]]
    for marker, start, end in jpeg_segments(content):
        if marker not in _JPEG_APPLICATION and marker != _JPEG_COMMENT:
            parts.append(content[start:end])
    return b"".join(parts)


def _clean_webp(content: bytes) -> bytes:
    parts = [b"WEBP"]
    for kind, start, end in webp_chunks(content):
        if kind == b"VP8X":
            flags = content[start + 8] & ~_ANIMATION_ICC_EXIF_XMP_FLAGS
            parts.append(content[start : start + 8] + bytes([flags]) + content[start + 9 : end])
        elif kind in _WEBP_STILL:
            parts.append(content[start:end])
    body = b"".join(parts)
    return b"RIFF" + len(body).to_bytes(4, "little") + body
