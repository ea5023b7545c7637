"""How similar a picture still is after encoding: SSIMULACRA2, simplified until it costs two milliseconds.

SSIMULACRA2 (https://github.com/cloudinary/ssimulacra2, BSD licence) compares two pictures in XYB, a perceptual colour
space, at six scales: structural similarity (SSIM), edges that were added and edges that were lost. Here

* X, Y and B are linear in the coded (gamma) values, which run nearly like the cube roots of XYB,
* windows lie on every second pixel: means of 2 × 2, smoothed by 1-2-1, have the deviation of its Gaussian, 1.5 pixels,
* X and B begin at the third scale and the sixth scale is left out: their weights are next to nothing.

The weights are its own. Against the original: docs/adr/0016-quality-by-similarity.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Planes = NDArray[np.float32]

# Rows of the opsin matrix of XYB, times what makes gamma-coded white as light as white in XYB.
_WHITE_Y = 0.845
_TO_Y = np.array([0.265, 0.657, 0.078], np.float32) * np.float32(_WHITE_Y / 255)
_TO_X = np.array([0.035, -0.035, 0], np.float32) * np.float32(14 * _WHITE_Y / 255)
_TO_B = np.array([0.243, 0.205, 0.552], np.float32) * np.float32(_WHITE_Y / 255) - _TO_Y
_TO_XYB = np.stack([_TO_X, _TO_Y, _TO_B], axis=1)

_STABILISER = np.float32(0.0009)
_ONE = np.float32(1)
_LIGHTNESS_SCALES, _SCALES = 2, 5
# The smallest sides that have a window at the coarsest scale.
MIN_SIDE_PIXELS = 6 << _SCALES - 1

# Weights of the mean dissimilarity, its 4-norm, and the 4-norms of edges added and lost; columns are X, Y, B.
_WEIGHTS: tuple[NDArray[np.float64], ...] = (
    np.array([[0], [7.466890328078848], [0], [17.445833984131262]]),
    np.array([[0], [6.683678146179332], [0], [1.027889937768264]]),
    np.array(
        [[0, 225.20515300849274, 0], [1.8422455520539298, 19.213238186143016, 0], [11.441172603757666, 0, 0], [0, 0, 0]]
    ),
    np.array(
        [
            [0, 176.39317598450694, 0],
            [1.8787594979546387, 24.43300999870476, 8.826982764996862],
            [10.94906990605142, 0.28520802612117757, 23.19243343998926],
            [0, 0, 0],
        ]
    ),
    np.array(
        [
            [0, 0, 95.1080498811086],
            [0, 34.77906344483772, 0],
            [0.9981766977854967, 44.835625328877896, 171.2667255897307],
            [0, 0, 0.9807858872435379],
        ]
    ),
)

# From the weighted sum to the score, fitted to SSIMULACRA2 itself: ln(100 - score) = offset + slope * ln(sum).
_OFFSET, _SLOPE = 2.84, 0.585
_LEAST_SUM = 1e-3


@dataclass(frozen=True, slots=True)
class _Scale:
    """The source at one scale, shaped (height, width, channels): itself, its windows' means and variances."""

    planes: Planes
    means: Planes
    variances: Planes
    edges: Planes


class Similarity:
    """Compares encodings with one source: 8-bit sRGB shaped (height, width, 3), both sides ≥ `MIN_SIDE_PIXELS`."""

    def __init__(self, source: Pixels) -> None:
        self._scales = [_describe(planes) for planes in _scales_of(source)]

    def score_of(self, encoded: Pixels) -> float:
        """About its SSIMULACRA2 score: 100 for no difference, 90 for none that is visible, 70 for high quality."""
        total = sum(
            float((weights * _differences(source, planes)).sum())
            for source, planes, weights in zip(self._scales, _scales_of(encoded), _WEIGHTS, strict=True)
        )
        return float(100 - np.exp(_OFFSET + _SLOPE * np.log(max(total, _LEAST_SUM))))


def _scales_of(pixels: Pixels) -> list[Planes]:
    values = pixels.astype(np.float32)
    lightness = [(values @ _TO_Y)[..., None]]
    while len(lightness) < _LIGHTNESS_SCALES:
        lightness.append(_halved(lightness[-1]))
    scales = [_halved(_halved(values)) @ _TO_XYB]
    while len(scales) < _SCALES - _LIGHTNESS_SCALES:
        scales.append(_halved(scales[-1]))
    return lightness + scales


def _describe(planes: Planes) -> _Scale:
    means = _windows(planes)
    return _Scale(planes, means, _windows(planes * planes) - means * means, _edges(planes, means))


def _differences(source: _Scale, planes: Planes) -> NDArray[np.float64]:
    """Shaped like `_WEIGHTS`: the four measures by channel."""
    means = _windows(planes)
    variances = _windows(planes * planes) - means * means
    covariances = _windows(source.planes * planes) - source.means * means
    apart = source.means - means
    alike = (_ONE - apart * apart) * (covariances + covariances + _STABILISER)
    unlike = np.maximum(_ONE - alike / (source.variances + variances + _STABILISER), 0)
    change = _edges(planes, means) / source.edges - _ONE
    return np.stack(
        [unlike.mean((0, 1)), _norm4(unlike), _norm4(np.maximum(change, 0)), _norm4(np.minimum(change, 0))]
    ).astype(np.float64)


def _edges(planes: Planes, means: Planes) -> Planes:
    """One more than the distance of each window's pixel from the window's mean."""
    height, width = means.shape[:2]
    return np.asarray(np.abs(planes[2 : 2 + 2 * height : 2, 2 : 2 + 2 * width : 2] - means) + _ONE, np.float32)


def _norm4(values: Planes) -> NDArray[np.float32]:
    squares = values * values
    return np.asarray((squares * squares).mean((0, 1)) ** 0.25, np.float32)


def _halved(planes: Planes) -> Planes:
    height, width = planes.shape[0] & ~1, planes.shape[1] & ~1
    rows = planes[0:height:2, :width] + planes[1:height:2, :width]
    return np.asarray((rows[:, ::2] + rows[:, 1::2]) * np.float32(0.25), np.float32)


def _windows(planes: Planes) -> Planes:
    """Means around every second pixel with a deviation of 1.5 pixels, without the border."""
    halved = _halved(planes)
    rows = halved[:-2] + halved[2:] + halved[1:-1] + halved[1:-1]
    return np.asarray((rows[:, :-2] + rows[:, 2:] + rows[:, 1:-1] + rows[:, 1:-1]) * np.float32(1 / 16), np.float32)
