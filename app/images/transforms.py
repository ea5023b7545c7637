"""Transforms: what a delivery URL asks for, as a value with exactly one canonical text."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from app.images.formats import ImageFormat


class Fit(StrEnum):
    """How a picture meets the box: it fits `inside`, it `cover`s it and is cut, or the box `contain`s it, padded."""

    INSIDE = "inside"
    COVER = "cover"
    CONTAIN = "contain"


class Gravity(StrEnum):
    """What a cut keeps: the focal point (or attention where the image has none), what draws the eye, or the middle."""

    FOCAL = "focal"
    ATTENTION = "attention"
    CENTRE = "centre"


class Position(StrEnum):
    """Where a watermark lies."""

    NORTH_WEST = "nw"
    NORTH = "n"
    NORTH_EAST = "ne"
    WEST = "w"
    CENTRE = "c"
    EAST = "e"
    SOUTH_WEST = "sw"
    SOUTH = "s"
    SOUTH_EAST = "se"


@dataclass(frozen=True, slots=True)
class CropBox:
    """A part of the upright picture, in ten-thousandths of its width and height, from the top left."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Watermark:
    """A public image of the bucket laid over the picture; scale in percent of its width, opacity in percent."""

    s3_key: str
    position: Position = Position.SOUTH_EAST
    scale: int = 25
    opacity: int = 100


@dataclass(frozen=True, slots=True)
class Transform:
    """What becomes of a picture. Sizes in pixels, `dpr` already multiplied in; None where an option is not given.

    `format` None means auto: negotiated by `Accept`. `quality` None means auto. `preset` excludes `width`, `height`,
    `fit`, `gravity` and `box`. `blur` and `sharpen` are Gaussian sigmas in tenths of a pixel of the result.
    `background` is six hex digits.
    """

    preset: str | None = None
    width: int | None = None
    height: int | None = None
    fit: Fit = Fit.INSIDE
    gravity: Gravity = Gravity.FOCAL
    box: CropBox | None = None
    rotate: int = 0
    blur: int = 0
    sharpen: int = 0
    background: str | None = None
    watermark: Watermark | None = None
    quality: int | None = None
    format: ImageFormat | None = None
