"""Whether a picture is drawn rather than photographed: few colours in even areas, which are coded best without loss."""

from __future__ import annotations

from typing import Any

import numpy as np

# Neighbours that are equal: over half in logos and screenshots, but in skies and shadows too.
_EVEN_SHARE = 0.5
# Colours among the pixels looked at: under a twentieth, or no more than a palette has; photographs have more.
_COLOURS_SHARE = 0.05
_PALETTE_COLOURS = 256
_LOOKED_AT_ROWS = 64


def is_flat(image: Any) -> bool:
    """Whether a picture in memory looks drawn, judged by some of its rows."""
    if image.width < 2:
        return False
    rows = image.subsample(1, max(1, image.height // _LOOKED_AT_ROWS))
    samples = rows.numpy().reshape(-1, image.width, image.bands)
    pixels = samples[..., 0].astype(np.uint32)
    for band in range(1, image.bands):
        pixels |= samples[..., band].astype(np.uint32) << np.uint32(8 * band)
    if (pixels[:, 1:] == pixels[:, :-1]).mean() < _EVEN_SHARE:
        return False
    return bool(np.unique(pixels).size <= max(_PALETTE_COLOURS, _COLOURS_SHARE * pixels.size))
