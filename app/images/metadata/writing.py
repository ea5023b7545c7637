"""Writing a small EXIF block into a finished picture that has none: JPEG, PNG, WebP and AVIF."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

from app.images.containers.jpeg import jpeg_segments
from app.images.containers.png import png_chunks
from app.images.containers.webp import webp_chunks
from app.images.formats import ImageFormat
from app.images.metadata.heif_writing import add_exif_item

_ASCII = 2
_JFIF = 0xE0
_EXIF_FLAG, _ALPHA_FLAG = 0x08, 0x10
_VP8L_ALPHA_BIT = 28


def add_exif(image_format: ImageFormat, body: bytes, texts: Mapping[int, bytes]) -> bytes:
    """The picture with an EXIF block of these texts, by the numbers of their tags.

    An AVIF whose tables take no further item stays as it is.

    Raises:
        ValueError: a format that is never stored.
    """
    block = _exif_block(texts)
    match image_format:
        case ImageFormat.JPEG:
            return _add_to_jpeg(body, block)
        case ImageFormat.PNG:
            return _add_to_png(body, block)
        case ImageFormat.WEBP:
            return _add_to_webp(body, block)
        case ImageFormat.AVIF:
            return add_exif_item(body, block) or body
        case _:
            raise ValueError(f"{image_format} is never stored")


def _exif_block(texts: Mapping[int, bytes]) -> bytes:
    """One directory of texts (TIFF 6.0, section 2); what fits into an entry stands in it."""
    entries, values = b"", b""
    values_at = 8 + 2 + 12 * len(texts) + 4
    for tag, text in sorted(texts.items()):
        value = text + b"\0"
        entries += struct.pack(">HHI", tag, _ASCII, len(value))
        if len(value) <= 4:
            entries += value.ljust(4, b"\0")
        else:
            entries += struct.pack(">I", values_at + len(values))
            values += value + b"\0" * (len(value) % 2)
    return b"MM\0*" + struct.pack(">IH", 8, len(texts)) + entries + bytes(4) + values


def _add_to_jpeg(body: bytes, block: bytes) -> bytes:
    """Behind JFIF, which must be the first segment."""
    marker, _, end = next(jpeg_segments(body))
    at = end if marker == _JFIF else 2
    payload = b"Exif\0\0" + block
    return body[:at] + struct.pack(">BBH", 0xFF, 0xE1, len(payload) + 2) + payload + body[at:]


def _add_to_png(body: bytes, block: bytes) -> bytes:
    """Before the pixels: a decoder that reads from the front sees it in time."""
    at = next(start for kind, start, _ in png_chunks(body) if kind == b"IDAT")
    chunk = struct.pack(">I", len(block)) + b"eXIf" + block + struct.pack(">I", zlib.crc32(b"eXIf" + block))
    return body[:at] + chunk + body[at:]


def _add_to_webp(body: bytes, block: bytes) -> bytes:
    """Behind the pixels, and announced in the extended header (RFC 9649, section 2.7)."""
    chunks = [(kind, body[start:end]) for kind, start, end in webp_chunks(body)]
    if chunks[0][0] == b"VP8X":
        header, pixels = bytearray(chunks[0][1]), [chunk for _, chunk in chunks[1:]]
        header[8] |= _EXIF_FLAG
    else:
        header, pixels = _extended_header(*chunks[0]), [chunk for _, chunk in chunks]
    padded = block + b"\0" * (len(block) % 2)
    exif = b"EXIF" + struct.pack("<I", len(block)) + padded
    content = b"WEBP" + bytes(header) + b"".join(pixels) + exif
    return b"RIFF" + struct.pack("<I", len(content)) + content


def _extended_header(kind: bytes, chunk: bytes) -> bytearray:
    """That of a simple file, whose only chunk this is."""
    flags = _EXIF_FLAG
    if kind == b"VP8L":
        bits = int.from_bytes(chunk[9:13], "little")
        width, height = bits & 0x3FFF, bits >> 14 & 0x3FFF
        flags |= _ALPHA_FLAG if bits >> _VP8L_ALPHA_BIT & 1 else 0
    else:
        width, height = (int.from_bytes(chunk[at : at + 2], "little") - 1 & 0x3FFF for at in (14, 16))
    sizes = width.to_bytes(3, "little") + height.to_bytes(3, "little")
    return bytearray(b"VP8X\x0a\0\0\0" + bytes([flags, 0, 0, 0]) + sizes)
