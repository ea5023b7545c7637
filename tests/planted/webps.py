"""WebPs with canaries in every chunk that may hold metadata, inside frames, and behind their end."""

from __future__ import annotations

import struct
from typing import Any

from tests.pictures import add_webp_chunks, make_webp
from tests.planted.blocks import exif_block, profile, xmp_packet
from tests.planted.registry import FULL_EXIF_FACTS, HEIGHT, WIDTH, XMP_FACTS, mark, plant

EVERYTHING = FULL_EXIF_FACTS | {"icc_profile"}


def loaded_webp(name: str, **options: Any) -> bytes:
    content = make_webp(WIDTH, HEIGHT, icc=profile(name), xmp=xmp_packet(name), gps=True, **options)
    # Pillow's EXIF becomes another chunk, so that ours is the one that decoders read.
    return add_webp_chunks(
        content.replace(b"EXIF", b"eXIF"), [(b"EXIF", exif_block(name)), (b"prVt", mark(name, "own"))]
    )


@plant("webp lossy", "application_data", also=EVERYTHING)
def _(name: str) -> bytes:
    return loaded_webp(name)


@plant("webp lossless", "application_data", also=EVERYTHING)
def _(name: str) -> bytes:
    return loaded_webp(name, lossless=True)


@plant("webp alpha", "application_data", also=EVERYTHING)
def _(name: str) -> bytes:
    return loaded_webp(name, mode="RGBA")


@plant("webp animation", "application_data", also=EVERYTHING)
def _(name: str) -> bytes:
    return loaded_webp(name, frames=3)


@plant("webp xmp", also=XMP_FACTS)
def _(name: str) -> bytes:
    return make_webp(WIDTH, HEIGHT, xmp=xmp_packet(name))


@plant("webp simple with chunks", "application_data")
def _(name: str) -> bytes:
    return add_webp_chunks(make_webp(WIDTH, HEIGHT), [(b"prVt", mark(name, "own")), (b"XXXX", mark(name, "other"))])


@plant("webp frame", "application_data")
def _(name: str) -> bytes:
    """A chunk inside each frame of an animation, behind its pixels."""
    content = make_webp(WIDTH, HEIGHT, frames=2)
    parts, at = [content[:12]], 12
    while at < len(content):
        kind, size = content[at : at + 4], int.from_bytes(content[at + 4 : at + 8], "little")
        payload = content[at + 8 : at + 8 + size + size % 2]
        if kind == b"ANMF":
            own = mark(name, "inside").ljust(40, b".")
            payload += b"prVt" + struct.pack("<I", len(own)) + own
        parts.append(kind + struct.pack("<I", len(payload) if kind == b"ANMF" else size) + payload)
        at += 8 + size + size % 2
    body = b"".join(parts)[8:]
    return b"RIFF" + struct.pack("<I", len(body)) + body


@plant("webp trailing bytes", "trailing_bytes")
def _(name: str) -> bytes:
    return make_webp(WIDTH, HEIGHT) + mark(name, "end")
