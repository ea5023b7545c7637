"""The plain clean-up: a file's own coded pixels and nothing else, for pictures that re-encoding would enlarge."""

from __future__ import annotations

from app.core.exceptions import ImageError
from app.images.containers.heif_clean import clean_avif, is_plain_avif
from app.images.containers.jpeg import PLAIN_JFIF, jpeg_segments
from app.images.containers.jpeg_tables import reduced_tables
from app.images.containers.png_clean import exact_pixels, pixel_chunks
from app.images.containers.webp import FLAG_ALPHA, FLAG_ANIMATION, webp_chunks, webp_frame_chunks
from app.images.formats import ImageFormat
from app.images.records import Structure

# Frame headers, tables, scans and the end (ITU-T T.81, table B.1). APPn, COM, DNL and all that is reserved can go.
_JPEG_PIXELS = frozenset({*range(0xC0, 0xD0), 0xDA, 0xDB, 0xDD, 0xD9}) - {0xC8}
_JFIF, _ADOBE = 0xE0, 0xEE
# It says how the colours are coded, by its last byte; version and flags are free to choose.
_PLAIN_ADOBE = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00"
_ADOBE_BYTES = 12
_WEBP_STILL = frozenset({b"VP8 ", b"VP8L", b"ALPH"})
_WEBP_CANVAS_BYTES, _WEBP_LOOP_BYTES, _WEBP_FRAME_BYTES = 10, 6, 16


def has_clean_copy(structure: Structure) -> bool:
    """Whether `clean_copy` knows the format, and what it keeps is the whole picture, as it is to be seen.

    Not so for animations, even of one frame, nor for AVIF that is turned, mirrored or cropped by its container, has
    more than 8 bits per sample, or colours of its own.
    """
    if structure.frames > 1:
        return False
    match structure.format:
        case ImageFormat.WEBP:
            return all(kind != b"ANMF" for kind, _, _ in webp_chunks(structure.decodable))
        case ImageFormat.AVIF:
            return is_plain_avif(structure.decodable)
        case _:
            return structure.format in {ImageFormat.JPEG, ImageFormat.PNG}


def clean_copy(image_format: ImageFormat, content: bytes) -> bytes:
    """The same picture, bit for bit: pixels without EXIF, XMP, profile, text, comments, further pictures or trailer.

    Of an animated WebP all frames stay, with their timing. Colour profile and orientation are dropped too, so it is
    only right for upright pictures without a profile. The content must have passed `read_structure`, and
    `has_clean_copy` unless an encoder of ours made it.
    """
    match image_format:
        case ImageFormat.JPEG:
            return _clean_jpeg(content)
        case ImageFormat.PNG:
            return exact_pixels(pixel_chunks(content))
        case ImageFormat.WEBP:
            return _clean_webp(content)
        case ImageFormat.AVIF:
            return clean_avif(content)
        case _:
            raise ValueError(f"{image_format} has no plain clean-up")


def is_clean(image_format: ImageFormat, body: bytes) -> bool:
    """Whether a file of this format is its own clean copy, to the last byte. It never raises."""
    try:
        # Unpacking all pixels is for where they are decoded anyway.
        copy = pixel_chunks(body) if image_format is ImageFormat.PNG else clean_copy(image_format, body)
    except (ImageError, ValueError, IndexError):
        return False
    return copy == body


def _clean_jpeg(content: bytes) -> bytes:
    parts = [content[:2]]
    segments = list(jpeg_segments(content))
    reduced = reduced_tables(content, segments)
    for marker, start, end in segments:
        payload = content[start + 4 : end]
        if marker in _JPEG_PIXELS:
            parts.append(reduced.get(start, content[start:end]))
        elif marker == _JFIF and payload.startswith(b"JFIF\0") and PLAIN_JFIF not in parts:
            parts.append(PLAIN_JFIF)
        elif marker == _ADOBE and payload.startswith(b"Adobe") and len(payload) >= _ADOBE_BYTES:
            parts.append(_PLAIN_ADOBE + payload[_ADOBE_BYTES - 1 : _ADOBE_BYTES])
    return b"".join(parts)


def _clean_webp(content: bytes) -> bytes:
    parts = [b"WEBP"]
    for kind, start, end in webp_chunks(content):
        if kind == b"VP8X":
            flags = content[start + 8] & (FLAG_ALPHA | FLAG_ANIMATION)
            parts.append(_webp_chunk(kind, bytes([flags, 0, 0, 0]) + content[start + 12 : start + 18]))
        elif kind == b"ANIM":
            parts.append(_webp_chunk(kind, content[start + 8 : start + 8 + _WEBP_LOOP_BYTES]))
        elif kind == b"ANMF":
            parts.append(_webp_chunk(kind, _clean_webp_frame(content, start, end)))
        elif kind in _WEBP_STILL:
            parts.append(_padded(content[start:end]))
    body = b"".join(parts)
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def _clean_webp_frame(content: bytes, start: int, end: int) -> bytes:
    pixels_start = start + 8 + _WEBP_FRAME_BYTES
    header = content[start + 8 : pixels_start]
    payload_end = start + 8 + int.from_bytes(content[start + 4 : start + 8], "little")
    chunks = webp_frame_chunks(content, pixels_start, min(end, payload_end))
    # Of the last byte two bits say how the frame is laid over the one before; the others are reserved.
    flags = bytes([header[-1] & 3]) if header else b""
    return header[:-1] + flags + b"".join(_padded(content[at:stop]) for kind, at, stop in chunks if kind in _WEBP_STILL)


def _webp_chunk(kind: bytes, payload: bytes) -> bytes:
    return _padded(kind + len(payload).to_bytes(4, "little") + payload)


def _padded(chunk: bytes) -> bytes:
    """To an even length, with a zero."""
    size = int.from_bytes(chunk[4:8], "little")
    return chunk[: 8 + size] + bytes(size % 2)
