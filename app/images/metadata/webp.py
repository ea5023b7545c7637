"""What a WebP holds beside its pixels: in its chunks (RFC 9649, section 2.7), and behind its end."""

from __future__ import annotations

from collections.abc import Iterator

from app.images.containers.webp import webp_chunks, webp_frame_chunks
from app.images.metadata.blocks import Blocks
from app.images.metadata.findings import Finding, PrivacyFact

_PICTURE = frozenset({b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF"})
_FRAME = frozenset({b"VP8 ", b"VP8L", b"ALPH"})
_RIFF_HEADER_BYTES, _FRAME_HEADER_BYTES = 8, 24


def find_in_webp(content: bytes) -> Iterator[Finding]:
    """The findings of every chunk, in the order of the file."""
    blocks = Blocks()
    for kind, start, end in webp_chunks(content):
        payload_start, size = start + 8, int.from_bytes(content[start + 4 : start + 8], "little")
        if kind == b"EXIF":
            yield from blocks.exif(content[payload_start : payload_start + size])
        elif kind == b"XMP ":
            yield from blocks.xmp(content[payload_start : payload_start + size])
        elif kind == b"ICCP":
            yield Finding(PrivacyFact.ICC_PROFILE)
        elif kind not in _PICTURE or (kind == b"ANMF" and _has_foreign_chunks(content, start, end)):
            yield Finding(PrivacyFact.APPLICATION_DATA)
    riff_end = _RIFF_HEADER_BYTES + int.from_bytes(content[4:8], "little")
    if len(content) > riff_end:
        yield Finding(PrivacyFact.TRAILING_BYTES)


def _has_foreign_chunks(content: bytes, start: int, end: int) -> bool:
    chunks = webp_frame_chunks(content, start + _FRAME_HEADER_BYTES, end)
    return any(kind not in _FRAME for kind, _, _ in chunks)
