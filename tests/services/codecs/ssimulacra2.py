"""SSIMULACRA2 in numpy, written from its reference, to judge encodings in tests.

https://github.com/cloudinary/ssimulacra2. Pictures need sides of at least 256 pixels: with fewer scales the original
weighs the wrong ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Planes = NDArray[np.float64]

_SCALES = 6
_STABILISER = 0.0009
_BIAS = 0.0037930732552754493
_OPSIN = np.array(
    [
        [0.30, 0.622, 0.078],
        [0.23, 0.692, 0.078],
        [0.24342268924547819, 0.20476744424496821, 0.5518098665095536],
    ]
)
# Per channel (X, Y, B) and scale: mean and 4-norm of SSIM, added edges, lost edges.
# fmt: off
_WEIGHTS = np.array([
    0, 0.000737660670741, 0, 0, 0.000779348168287, 0,
    0, 0.000437115573011, 0, 1.10417264267, 0.000662848341293, 0.000152316327837,
    0, 0.00164064374566, 0, 1.84224555205, 11.4411726038, 0,
    0.000798910943602, 0.000176816438079, 0, 1.87875949795, 10.9490699061, 0,
    0.000728934699151, 0.967793708063, 0, 0.000140034242854, 0.998176697785, 0.000319497559344,
    0.000455099211379, 0, 0, 0.00136487661632, 0, 0,
    0, 0, 0, 7.46689032808, 0, 17.4458339841,
    0.000623560163404, 0, 0, 6.68367814618, 0.000377244079796, 1.02788993777,
    225.205153008, 0, 0, 19.2132381861, 0.00114015245866, 0.00123775563551,
    176.393175985, 0, 0, 24.4330099987, 0.285208026121, 0.000448543692383,
    0, 0, 0, 34.7790634448, 44.8356253289, 0,
    0, 0, 0, 0, 0, 0,
    0, 0.000868055657329, 0, 0, 0, 0,
    0, 0.000531319187436, 0, 0.000165338141614, 0, 0,
    0, 0, 0, 0.000417917180325, 0.00172908282347, 0,
    0.00208270058466, 0, 0, 8.826982765, 23.19243344, 0,
    95.1080498811, 0.98639780344, 0.983438279247, 0.00122864050483, 171.26672559, 0.980785887244,
    0, 0, 0, 0.000513006458899, 0, 0.000108540578584,
]).reshape(3, _SCALES, 2, 3)
# fmt: on


def ssimulacra2(source: NDArray[Any], encoded: NDArray[Any]) -> float:
    """The score of two 8-bit sRGB pictures shaped (height, width, 3)."""
    one, other = _linear(source), _linear(encoded)
    total = 0.0
    for scale in range(_SCALES):
        measures = _measures(_xyb(one), _xyb(other))
        total += float((measures * _WEIGHTS[:, scale]).sum())
        one, other = _halved(one), _halved(other)
    total *= 0.9562382616834844
    bent = 2.326765642916932 * total - 0.020884521182843837 * total**2 + 6.248496625763138e-05 * total**3
    return 100.0 - 10.0 * bent**0.6276336467831387 if bent > 0 else 100.0


def _measures(one: Planes, other: Planes) -> Planes:
    """Shaped (channel, mean or 4-norm, SSIM, added, lost)."""
    mean1, mean2 = _blurred(one), _blurred(other)
    variance1, variance2 = _blurred(one * one) - mean1**2, _blurred(other * other) - mean2**2
    covariance = _blurred(one * other) - mean1 * mean2
    alike = (1 - (mean1 - mean2) ** 2) * (2 * covariance + _STABILISER) / (variance1 + variance2 + _STABILISER)
    change = (1 + np.abs(other - mean2)) / (1 + np.abs(one - mean1)) - 1
    maps = [np.maximum(1 - alike, 0), np.maximum(change, 0), np.maximum(-change, 0)]
    means = np.stack([each.mean((0, 1)) for each in maps], axis=-1)
    norms = np.stack([(each**4).mean((0, 1)) ** 0.25 for each in maps], axis=-1)
    return np.stack([means, norms], axis=1)


def _linear(pixels: NDArray[Any]) -> Planes:
    value = pixels.astype(float) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def _xyb(linear: Planes) -> Planes:
    long, middle, short = np.moveaxis(np.cbrt(linear @ _OPSIN.T + _BIAS) - np.cbrt(_BIAS), 2, 0)
    x, y = (long - middle) / 2, (long + middle) / 2
    return np.stack([x * 14 + 0.42, y + 0.01, short - y + 0.55], axis=-1)


def _halved(planes: Planes) -> Planes:
    padded = np.pad(planes, [(0, planes.shape[0] % 2), (0, planes.shape[1] % 2), (0, 0)], mode="edge")
    height, width, _ = padded.shape
    return np.asarray(padded.reshape(height // 2, 2, width // 2, 2, 3).mean((1, 3)))


def _blurred(planes: Planes, *, deviation: float = 1.5, radius: int = 5) -> Planes:
    kernel = np.exp(-(np.arange(-radius, radius + 1) ** 2) / (2 * deviation**2))
    kernel /= kernel.sum()
    for axis in (0, 1):
        padding = [(radius, radius) if at == axis else (0, 0) for at in range(3)]
        padded, length = np.pad(planes, padding, mode="symmetric"), planes.shape[axis]
        planes = sum(
            weight * np.take(padded, range(at, at + length), axis=axis) for at, weight in enumerate(kernel)
        ) + np.zeros_like(planes)
    return planes
