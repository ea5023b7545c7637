"""What draws the eye: the point that crops keep in view when nobody named one."""

from __future__ import annotations

from typing import Any

from app.images.geometry import fit_within
from app.images.records import FocalPoint
from app.services.decoder.cascade import resize

# Of the shorter side: a stand-in for crops of every shape. What draws the eye is found with their size in mind.
_CROP_SHARE = 0.75
_SMALL_SIDE = 320


def attention_point(image: Any) -> FocalPoint:
    """The middle of what draws the eye in a small picture, by libvips' smartcrop; the same every time."""
    side = max(1, round(min(image.width, image.height) * _CROP_SHARE))
    _, found = image.smartcrop(side, side, interesting="attention", attention_x=True, attention_y=True)
    return FocalPoint(found["attention_x"] / image.width, found["attention_y"] / image.height)


def attention_point_of_large(image: Any) -> FocalPoint:
    """The same of a picture of any size in memory, which is looked at in few pixels."""
    small = resize(image, fit_within(image.width, image.height, _SMALL_SIDE))
    return attention_point(small.copy_memory())
