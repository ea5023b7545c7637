"""The quality of every encoding of one picture: fixed by the plan, or chosen once per format, target and effort."""

from __future__ import annotations

from functools import partial
from typing import Any

from app.images.formats import ImageFormat
from app.images.records import Qualities
from app.images.variants import VariantSpec
from app.services.decoder.quality import QualityChooser

_LOSSLESS = frozenset({ImageFormat.PNG})
_ORIGINAL_EFFORT = 0


class QualityTable:
    """Qualities for one picture; `image` is the step of its cascade that the choosers look at."""

    def __init__(self, image: Any, qualities: Qualities) -> None:
        self._choose = partial(QualityChooser, image)
        self._qualities = qualities
        self._choosers: dict[tuple[float, int], QualityChooser] = {}

    def of_original(self, image_format: ImageFormat) -> int:
        """1 to 100, for a format with loss."""
        fixed = self._qualities.of(image_format)
        return fixed or self._chosen(image_format, self._qualities.target, _ORIGINAL_EFFORT)

    def of_variant(self, spec: VariantSpec) -> int | None:
        """1 to 100; None for formats without loss. JPEG and WebP mean the same by a number, so stand-ins keep it."""
        if spec.format in _LOSSLESS:
            return None
        return spec.quality or self._chosen(spec.format, spec.target, spec.effort)

    def _chosen(self, image_format: ImageFormat, target: float, effort: int) -> int:
        chooser = self._choosers.get((target, effort))
        if chooser is None:
            chooser = self._choosers[target, effort] = self._choose(target=target, effort=effort)
        return chooser.quality_for(image_format)
