"""Quality auto: the lowest quality of each format that reaches a SSIMULACRA2 target, in two encodes of a sample or one.

How the figures here were found, and how near the target pictures come: docs/adr/0016-quality-by-similarity.md.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import AvifImagePlugin, Image

from app.images.formats import ImageFormat
from app.services.decoder.codecs import encode
from app.services.decoder.similarity import MIN_SIDE_PIXELS, Pixels, Similarity
from app.services.decoder.vips_library import load_vips

# Decoding what we have just encoded needs no thread, and a confined worker can start none.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1

_MOST_ENCODES = 2
# Natural logarithm of 100 - score: so near the target, the curve of an ordinary photo leads the rest of the way.
_NEAR = 0.15
_SAMPLE_SIDE_PIXELS = 640
_SAMPLE_PIXELS = 160_000
# A multiple of the blocks of every codec but AVIF's largest, and of the coarsest scale of the comparison.
_STRIP_ROWS = 32
_BEHIND_ALPHA = 128


@dataclass(frozen=True, slots=True)
class _Curve:
    """Scores of an ordinary photo at some qualities; other pictures' curves run higher or lower, much the same way.

    Distances are natural logarithms of 100 - score: in them the curves are parallel. `gain` is by how many points the
    widths that weigh most, 1280 and 1920, score better than a sample of 640 pixels at the same quality.
    """

    qualities: tuple[float, ...]
    scores: tuple[float, ...]
    gain: float

    def distance_at(self, quality: float) -> float:
        return float(np.interp(quality, self.qualities, self._distances))

    def quality_at(self, distance: float) -> float:
        """Between the ends of the curve."""
        return float(np.interp(-distance, -self._distances, self.qualities))

    @property
    def _distances(self) -> Any:
        return np.log(100 - np.array(self.scores))


_CURVES = {
    ImageFormat.JPEG: _Curve(
        (30, 40, 50, 60, 70, 75, 80, 85, 90, 94), (52.7, 59.4, 64.1, 67.9, 72.1, 74.8, 77.6, 80.6, 84.2, 87.5), gain=0
    ),
    ImageFormat.WEBP: _Curve(
        (30, 45, 60, 70, 75, 80, 85, 90, 95), (53.7, 62.1, 67.5, 70.5, 72.0, 75.6, 79.3, 83.2, 86.8), gain=-1.5
    ),
    ImageFormat.AVIF: _Curve(
        (20, 30, 40, 50, 60, 66, 72, 78, 84, 90), (14.1, 32.5, 49.6, 62.9, 72.0, 75.6, 79.5, 81.8, 84.5, 86.8), gain=0
    ),
}


class QualityChooser:
    """Chooses for one picture; `image` is any step of its cascade as a pyvips image in memory, 8 bit.

    `target` is a SSIMULACRA2 score and `effort` the one that `encode` will be given.
    """

    def __init__(self, image: Any, *, target: float, effort: int) -> None:
        self._image = image
        self._target = target
        self._effort = effort
        self._sample: _Sample | None = None
        self._chosen: dict[ImageFormat, int] = {}

    def quality_for(self, image_format: ImageFormat) -> int:
        """1 to 100, worked out once per format; for pictures too small to be measured what suits most.

        Raises:
            ValueError: the format has no quality.
        """
        if image_format not in _CURVES:
            raise ValueError(f"{image_format} has no quality")
        if image_format not in self._chosen:
            self._chosen[image_format] = round(self._search(image_format, _CURVES[image_format]))
        return self._chosen[image_format]

    def _search(self, image_format: ImageFormat, curve: _Curve) -> float:
        goal = float(np.log(100 - self._target + curve.gain))
        quality = curve.quality_at(goal)
        if self._sample is None:
            pixels = _sampled(_opaque(_reduced(self._image)))
            if min(pixels.shape[:2]) < MIN_SIDE_PIXELS:
                return quality
            self._sample = _Sample(pixels)
        slope = 1.0
        measured: list[tuple[float, float]] = []
        for _ in range(_MOST_ENCODES):
            tried = round(quality)
            distance = self._sample.distance_of(image_format, quality=tried, effort=self._effort)
            measured.append((curve.distance_at(tried), distance))
            if len(measured) == 2:
                slope = _slope(*measured)
            quality = curve.quality_at(measured[-1][0] + (goal - distance) / slope)
            if abs(goal - distance) <= _NEAR:
                break
        return quality


def _slope(first: tuple[float, float], second: tuple[float, float]) -> float:
    """How steep this picture's curve is beside the ordinary one, from two points (ordinary, measured) of it."""
    run = second[0] - first[0]
    return float(np.clip((second[1] - first[1]) / run, 0.6, 1.6)) if abs(run) > 0.03 else 1.0


class _Sample:
    """Pixels that stand for the whole picture: they are encoded, decoded again and compared."""

    def __init__(self, pixels: Pixels) -> None:
        height, width, bands = pixels.shape
        sample = load_vips().Image.new_from_memory(pixels.tobytes(), width, height, bands, "uchar")
        self._image = sample.copy(interpretation="srgb" if bands == 3 else "b-w")
        self._similarity = Similarity(pixels if bands == 3 else np.repeat(pixels, 3, axis=2))

    def distance_of(self, image_format: ImageFormat, *, quality: int, effort: int) -> float:
        body = encode(self._image, image_format, quality=quality, effort=effort)
        decoded = Image.open(io.BytesIO(body), formats=[image_format.name]).convert("RGB")
        return float(np.log(100 - self._similarity.score_of(np.asarray(decoded))))


def _reduced(image: Any) -> Any:
    longest = max(image.width, image.height)
    return image if longest <= _SAMPLE_SIDE_PIXELS else image.resize(_SAMPLE_SIDE_PIXELS / longest)


def _opaque(image: Any) -> Pixels:
    if image.hasalpha():
        image = image.flatten(background=[_BEHIND_ALPHA] * (image.bands - 1))
    return np.ndarray((image.height, image.width, image.bands), np.uint8, image.write_to_memory())


def _sampled(pixels: Pixels) -> Pixels:
    """Every other strip of rows where there are many pixels: a part at full detail tells more than a smaller whole."""
    height, width, bands = pixels.shape
    pairs = height // (2 * _STRIP_ROWS)
    if height * width <= _SAMPLE_PIXELS or pairs * _STRIP_ROWS < MIN_SIDE_PIXELS:
        return pixels
    strips = pixels[: pairs * 2 * _STRIP_ROWS].reshape(pairs, 2, _STRIP_ROWS, width, bands)
    return strips[:, 0].reshape(pairs * _STRIP_ROWS, width, bands)
