"""Containers built by hand, and read as the service reads them."""

from __future__ import annotations

import struct

from app.images.formats import sniff_format
from app.images.records import Structure
from app.images.structure import read_structure


def read(content: bytes) -> Structure:
    """The structure of a whole file of an accepted format."""
    image_format = sniff_format(content)
    assert image_format is not None
    return read_structure(image_format, content)


def webp(*chunks: tuple[bytes, bytes]) -> bytes:
    """A RIFF container with these chunks, whatever they are."""
    body = b"WEBP" + b"".join(
        kind + struct.pack("<I", len(payload)) + payload + bytes(len(payload) % 2) for kind, payload in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body
