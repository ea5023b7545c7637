"""JPEG quantisation tables that spend bits where SSIMULACRA2 and butteraugli see a difference."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray


@cache
def quantisation_tables(quality: int) -> tuple[list[int], list[int]]:
    """Luma and chroma table, 64 steps each in natural order, of a quality from 1 to 100."""
    scale = 50 / quality if quality < 50 else 2 - quality / 50
    return _scaled(_LUMA, scale), _scaled(_CHROMA, scale)


def _scaled(steps: NDArray[np.float64], scale: float) -> list[int]:
    # Steps above 255 are no baseline JPEG (ITU-T T.81, B.2.4.1).
    return [int(step) for step in np.clip(np.rint(steps * scale), 1, 255).ravel()]


def _steps(lowest: float, *, dc: float, radius: float, power: float) -> NDArray[np.float64]:
    across, down = np.meshgrid(np.arange(8), np.arange(8))
    steps = lowest * (1 + (np.hypot(across, down) / radius) ** power)
    steps[0, 0] *= dc
    return steps


# Found by search (docs/adr/0017-formats-and-efforts.md): a quality is as similar to the source as with the tables of
# ITU-T T.81, annex K, in a seventh fewer bytes.
_LUMA = _steps(10, dc=0.75, radius=2, power=1.75)
_CHROMA = _steps(9, dc=0.6, radius=1, power=0.85)
