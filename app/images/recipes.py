"""Recipes: a transform of one image of known size, in integers of pixels, as a decoder process carries it out."""

from __future__ import annotations

from dataclasses import dataclass

from app.images.formats import ImageFormat
from app.images.geometry import Region
from app.images.records import FocalPoint
from app.images.variants import DEFAULT_TARGET


@dataclass(frozen=True, slots=True)
class Overlay:
    """Where the watermark goes on the finished picture, in its pixels; opacity in percent."""

    left: int
    top: int
    width: int
    height: int
    opacity: int


@dataclass(frozen=True, slots=True)
class Recipe:
    """The steps in their order; each is left out where it is None or 0.

    1. `region` of the upright source is cut out (pixels of the source that is decoded). 2. it is turned clockwise by
    `rotate` degrees. 3. it is scaled to `scaled`, and cut to `cut` around `focus`, or around what draws the eye
    (`attention`), else around its middle. 4. `blur`, `sharpen` (sigmas in pixels). 5. it is laid on a canvas of
    `canvas` in `background` (`#rrggbb` without the `#`), which also fills what is transparent; None keeps alpha, and
    pads with nothing. 6. `overlay`. 7. it is encoded. `size` of the result is that of the last of `scaled`, `cut` and
    `canvas`. `quality` None is auto, with `target`; `effort` as in `VariantSpec`.
    """

    source: tuple[int, int]
    scaled: tuple[int, int]
    format: ImageFormat
    region: Region | None = None
    rotate: int = 0
    cut: tuple[int, int] | None = None
    focus: FocalPoint | None = None
    attention: bool = False
    blur: float = 0.0
    sharpen: float = 0.0
    canvas: tuple[int, int] | None = None
    background: str | None = None
    overlay: Overlay | None = None
    quality: int | None = None
    target: float = DEFAULT_TARGET
    effort: int = 0
    keeps_animation: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the result."""
        return self.canvas or self.cut or self.scaled


@dataclass(frozen=True, slots=True)
class TransformedImage:
    """The result of a recipe: a whole file, and its size in pixels."""

    body: bytes
    format: ImageFormat
    width: int
    height: int
    frames: int = 1
