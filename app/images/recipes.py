"""Recipes: a transform of one image of known size, in integers of pixels, as a decoder process carries it out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from app.images.formats import FORMATS, ImageFormat
from app.images.geometry import Region, Size, covering_size, covers, fit_box, largest_of_shape
from app.images.records import FocalPoint, Structure
from app.images.transform_options import MAX_TRANSFORM_SIDE
from app.images.transforms import CropBox, Fit, Gravity, Position, Transform, Watermark
from app.images.variants import DEFAULT_TARGET, Crop, Preset

_WHITE = "ffffff"
_WHOLE = 10_000


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

    1. `region` of the upright source is cut out, in pixels of the source that is decoded. 2. it is turned clockwise by
    `rotate` degrees. 3. it is scaled to `scaled`, and cut to `cut` around `focus` (fractions of what is cut), or around
    what draws the eye (`attention`), else around its middle. 4. `blur`, `sharpen` (sigmas in pixels). 5. it is laid in
    the middle of a `canvas`; `background` (`rrggbb`) fills that and what is transparent, None keeps alpha and pads with
    nothing. 6. `overlay`. 7. it is encoded. `size` of the result is that of the last of `scaled`, `cut` and `canvas`.
    `quality` None is auto, with `target`; `effort` as in `VariantSpec`. `keeps_animation` lets a source that moves
    move on where its pixels can be afforded, else the first frame is taken.
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


def check_overlay(recipe: Recipe, overlay: Structure | None) -> None:
    """Returns when there is a watermark exactly where the recipe has one: none is ever left out unnoticed.

    Raises:
        ValueError: there is not.
    """
    if (recipe.overlay is None) != (overlay is None):
        raise ValueError("A recipe with an overlay is carried out with a watermark, any other without one.")


def needed_size(transform: Transform, *, preset: Preset | None, stored: Size) -> Size:
    """The least size of the whole upright picture that the transform needs: any rendition that is nowhere smaller will
    do. Never larger than `stored`; both as in `plan_recipe`.
    """
    region = _region(transform.box, stored)
    turned = _turned((region.width, region.height), transform.rotate)
    scaled = _turned(_shape(_asked(transform, preset), turned).scaled, transform.rotate)
    # Rounded up, and the picture is never scaled up: no side comes out longer than it is stored.
    return -(-stored[0] * scaled[0] // region.width), -(-stored[1] * scaled[1] // region.height)


def plan_recipe(
    transform: Transform,
    *,
    preset: Preset | None,
    stored: Size,
    decoded: Size,
    focal_point: FocalPoint | None,
    has_alpha: bool,
    image_format: ImageFormat,
    quality: int | None,
    target: float,
    effort: int,
    overlay_size: Size | None = None,
) -> Recipe:
    """What to do with a rendition of `decoded` pixels so that the transform of the image comes out.

    `stored` is the upright size of the optimised original, beyond which nothing is enlarged; `decoded` that of the
    uncropped rendition chosen by `needed_size`. `preset` is the one that the transform names. `image_format` is the
    format negotiated where the transform leaves it open; `quality` holds where the transform names none, and None is
    auto. `overlay_size` is the watermark's upright size. Same arguments, same recipe.

    Raises:
        ValueError: the transform has a preset or a watermark, but nothing was given for it.
    """
    asked = _asked(transform, preset)
    whole = _region(transform.box, stored)
    shape = _shape(asked, _turned((whole.width, whole.height), transform.rotate))
    result = shape.canvas or shape.cut or shape.scaled
    is_cut = shape.cut is not None
    focus = focal_point if asked.prefers_focal_point else None
    recipe = Recipe(
        source=decoded,
        scaled=shape.scaled,
        format=transform.format or image_format,
        region=_region(transform.box, decoded) if transform.box else None,
        rotate=transform.rotate,
        cut=shape.cut,
        focus=_turned_focus(focus, transform.rotate) if is_cut and focus else None,
        attention=is_cut and focus is None and asked.crop is Crop.ATTENTION,
        blur=transform.blur / 10,
        sharpen=transform.sharpen / 10,
        canvas=shape.canvas,
        overlay=_overlay(transform.watermark, overlay_size, result) if transform.watermark else None,
        target=target,
        effort=effort,
    )
    lossy = transform.quality or quality
    return replace(
        recipe,
        background=transform.background or _needed_background(recipe, has_alpha),
        quality=None if recipe.format is ImageFormat.PNG else lossy,
        keeps_animation=_can_move(recipe, transform),
    )


class _Asked(NamedTuple):
    """What a transform asks for, its preset spelled out. `crop` is what a cut keeps where no focal point does."""

    width: int | None
    height: int | None
    fit: Fit
    crop: Crop
    prefers_focal_point: bool


class _Shape(NamedTuple):
    """Sizes of one picture on its way, as in `Recipe`."""

    scaled: Size
    cut: Size | None = None
    canvas: Size | None = None


def _asked(transform: Transform, preset: Preset | None) -> _Asked:
    if transform.preset is None:
        # A box says what to keep: what is cut from it is cut around its middle.
        is_centred = transform.box is not None or transform.gravity is Gravity.CENTRE
        crop = Crop.CENTRE if is_centred else Crop.ATTENTION
        prefers_focal_point = not is_centred and transform.gravity is Gravity.FOCAL
        return _Asked(transform.width, transform.height, transform.fit, crop, prefers_focal_point)
    if preset is None:
        raise ValueError(f"The preset {transform.preset} is not given.")
    fit = Fit.INSIDE if preset.crop is Crop.NONE else Fit.COVER
    return _Asked(preset.width, preset.height, fit, preset.crop, prefers_focal_point=True)


def _shape(asked: _Asked, picture: Size) -> _Shape:
    box = asked.width or MAX_TRANSFORM_SIDE, asked.height or MAX_TRANSFORM_SIDE
    inside = fit_box(*picture, box)
    match asked.fit:
        case Fit.INSIDE:
            return _Shape(inside)
        case Fit.CONTAIN:
            return _Shape(inside, canvas=box if box != inside else None)
        case Fit.COVER:
            cut = box if covers(picture, box) else largest_of_shape(*picture, box)
            scaled = covering_size(*picture, cut)
            return _Shape(scaled, cut=cut if cut != scaled else None)


def _region(box: CropBox | None, size: Size) -> Region:
    """The pixels of a picture of this size that lie in the box: at least one."""
    if box is None:
        return Region(0, 0, *size)
    left, width = _stretch(box.left, box.width, size[0])
    top, height = _stretch(box.top, box.height, size[1])
    return Region(left, top, width, height)


def _stretch(start: int, length: int, side: int) -> tuple[int, int]:
    first = min(_part(start, side), side - 1)
    return first, max(1, _part(start + length, side) - first)


def _part(share: int, side: int) -> int:
    return (2 * share * side + _WHOLE) // (2 * _WHOLE)


def _turned(size: Size, degrees: int) -> Size:
    return (size[1], size[0]) if degrees in {90, 270} else size


def _turned_focus(point: FocalPoint, degrees: int) -> FocalPoint:
    """Where the point lies once the picture was turned clockwise."""
    match degrees:
        case 90:
            return FocalPoint(1 - point.y, point.x)
        case 180:
            return FocalPoint(1 - point.x, 1 - point.y)
        case 270:
            return FocalPoint(point.y, 1 - point.x)
        case _:
            return point


def _needed_background(recipe: Recipe, has_alpha: bool) -> str | None:
    """White where the format has no alpha, and where an opaque picture is padded."""
    if recipe.format is ImageFormat.JPEG or (recipe.canvas and not has_alpha):
        return _WHITE
    return None


def _can_move(recipe: Recipe, transform: Transform) -> bool:
    """Only what is resized and cut keeps its frames: other steps would cost as many times more as there are frames."""
    is_changed = recipe.blur or recipe.sharpen or recipe.rotate or recipe.canvas or recipe.overlay
    is_moving_format = FORMATS[recipe.format].keeps_animation
    return is_moving_format and not is_changed and transform.background is None


def _overlay(watermark: Watermark, size: Size | None, result: Size) -> Overlay:
    """The watermark in its share of the width, or smaller where it would be too high; it lies against the edges."""
    if size is None:
        raise ValueError("The size of the watermark is not given.")
    width = max(1, _share(result[0], watermark.scale, 100))
    height = max(1, _share(size[1], width, size[0]))
    if height > result[1]:
        width, height = max(1, _share(size[0], result[1], size[1])), result[1]
    left = {"w": 0, "e": result[0] - width}
    top = {"n": 0, "s": result[1] - height}
    name = "" if watermark.position is Position.CENTRE else watermark.position.value
    return Overlay(
        left=next((left[letter] for letter in name if letter in left), (result[0] - width) // 2),
        top=next((top[letter] for letter in name if letter in top), (result[1] - height) // 2),
        width=width,
        height=height,
        opacity=watermark.opacity,
    )


def _share(side: int, part: int, whole: int) -> int:
    """side × part ÷ whole, rounded half up."""
    return (2 * side * part + whole) // (2 * whole)
