"""PNG palettes without the colours that no pixel has: entries that nothing shows can spell anything."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from app.images.containers.png import png_chunks

_STRIP_ROWS = 256
_OPAQUE = 0xFF


def without_unused_colours(content: bytes, image: Any) -> bytes:
    """The PNG with the palette's unused entries black and opaque; `image` is what it decodes to, in pyvips.

    A PNG without a palette, or with no unused entries, stays as it is.
    """
    chunks = {kind: (start, end) for kind, start, end in png_chunks(content) if kind in {b"PLTE", b"tRNS"}}
    if b"PLTE" not in chunks or image.bands < 3:
        return content
    start, end = chunks[b"PLTE"]
    colours = bytearray(content[start + 8 : end - 4])
    unused = _unused_entries(colours, image)
    for entry in unused:
        colours[3 * entry : 3 * entry + 3] = bytes(3)
    if b"tRNS" in chunks:
        # It stands behind the palette.
        at, stop = chunks[b"tRNS"]
        alphas = bytearray(content[at + 8 : stop - 4])
        for entry in unused:
            if entry < len(alphas):
                alphas[entry] = _OPAQUE
        content = content[:at] + _chunk(b"tRNS", alphas) + content[stop:]
    return content[:start] + _chunk(b"PLTE", colours) + content[end:]


def _unused_entries(colours: bytearray, image: Any) -> list[int]:
    shown = np.zeros(1 << 24, dtype=bool)
    for top in range(0, image.height, _STRIP_ROWS):
        strip = image.crop(0, top, image.width, min(_STRIP_ROWS, image.height - top)).numpy()
        red, green, blue = (strip[..., band].astype(np.uint32) for band in range(3))
        shown[(red << 16 | green << 8 | blue).ravel()] = True
    return [at // 3 for at in range(0, len(colours), 3) if not shown[int.from_bytes(colours[at : at + 3], "big")]]


def _chunk(kind: bytes, payload: bytearray) -> bytes:
    checked = kind + payload
    return len(payload).to_bytes(4, "big") + checked + zlib.crc32(checked).to_bytes(4, "big")
