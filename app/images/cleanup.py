"""The plain clean-up: a file's own coded pixels and nothing else, for pictures that re-encoding would enlarge."""

from __future__ import annotations

from app.images.formats import ImageFormat
from app.images.records import Structure
from app.images.structure import jpeg_segments, png_chunks, webp_chunks

# Frame headers, tables, scans and the end (ITU-T T.81, table B.1). APPn, COM and all that is reserved can go.
_JPEG_PIXELS = frozenset({*range(0xC0, 0xD0), 0xDA, 0xDB, 0xDC, 0xDD, 0xD9}) - {0xC8}
_JFIF, _ADOBE = 0xE0, 0xEE
# JFIF says that the colours are YCbCr, nothing more: no density, no thumbnail.
_PLAIN_JFIF = b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
_ADOBE_BYTES = 12
_PNG_PIXELS = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_WEBP_STILL = frozenset({b"VP8 ", b"VP8L", b"ALPH"})
_WEBP_ALPHA_FLAG = 0x10


def has_clean_copy(structure: Structure) -> bool:
    """Whether `clean_copy` knows the format, and what it keeps is the whole picture: no animation, not even of one."""
    if structure.format is ImageFormat.WEBP:
        return all(kind != b"ANMF" for kind, _, _ in webp_chunks(structure.decodable))
    return structure.format in {ImageFormat.JPEG, ImageFormat.PNG} and structure.frames == 1


def clean_copy(image_format: ImageFormat, content: bytes) -> bytes:
    """The same picture, bit for bit: pixels without EXIF, XMP, profile, text, comments, further pictures or trailer.

    Colour profile and orientation are dropped too, so it is only right for upright pictures without a profile. The
    content must have passed `read_structure` and `has_clean_copy`.
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
        payload = content[start + 4 : end]
        if marker in _JPEG_PIXELS:
            parts.append(content[start:end])
        elif marker == _JFIF and payload.startswith(b"JFIF\0") and _PLAIN_JFIF not in parts:
            parts.append(_PLAIN_JFIF)
        elif marker == _ADOBE and payload.startswith(b"Adobe") and len(payload) >= _ADOBE_BYTES:
            # It says how the colours are coded.
            parts.append(b"\xff\xee\x00\x0e" + payload[:_ADOBE_BYTES])
    return b"".join(parts)


def _clean_webp(content: bytes) -> bytes:
    parts = [b"WEBP"]
    for kind, start, end in webp_chunks(content):
        if kind == b"VP8X":
            flags = content[start + 8] & _WEBP_ALPHA_FLAG
            parts.append(b"VP8X\x0a\0\0\0" + bytes([flags, 0, 0, 0]) + content[start + 12 : start + 18])
        elif kind in _WEBP_STILL:
            parts.append(content[start:end])
    body = b"".join(parts)
    return b"RIFF" + len(body).to_bytes(4, "little") + body
