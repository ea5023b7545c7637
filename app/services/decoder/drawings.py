"""Whether a picture shows letters and lines, as screenshots and logos do, even after it was made smaller."""

from __future__ import annotations

from typing import Any

import numpy as np

_LOOKED_AT_ROWS = 8
_SHARP_STEP = 24
# Of the neighbouring pixels that differ: photos with as many even areas as drawings have are below it, fog and night.
_LEAST_SHARP_SHARE = 0.1
# Drawings of all kinds and sizes come to 0.8 and more, photos with so many sharp steps to 0.5 and less.
_LEAST_SUM = 0.65


def is_drawn(image: Any) -> bool:
    """Whether few pixels differ from their neighbours and those by much; every eighth row is looked at, in green."""
    if image.width < 2:
        return False
    band = image.extract_band(1 if image.bands >= 3 else 0)
    rows = band.subsample(1, min(_LOOKED_AT_ROWS, image.height)).numpy().reshape(-1, image.width).astype(np.int16)
    steps = np.abs(np.diff(rows, axis=1))
    changes = int(np.count_nonzero(steps))
    if not changes:
        return False
    sharp_share = int(np.count_nonzero(steps >= _SHARP_STEP)) / changes
    even_share = 1 - changes / steps.size
    return sharp_share >= _LEAST_SHARP_SHARE and even_share + sharp_share >= _LEAST_SUM
