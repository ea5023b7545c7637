"""What draws the eye: the point that crops keep in view when nobody named one."""

from __future__ import annotations

from typing import Any

from app.images.geometry import Size, crop_region
from app.images.records import FocalPoint


def attention_point(image: Any, shape: Size) -> FocalPoint:
    """The middle of what draws the eye for a crop of this shape, by libvips' smartcrop; the same every time."""
    region = crop_region(image.width, image.height, shape)
    _, found = image.smartcrop(region.width, region.height, interesting="attention", attention_x=True, attention_y=True)
    return FocalPoint(found["attention_x"] / image.width, found["attention_y"] / image.height)
