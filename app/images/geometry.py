"""Sizes and crops in integers of pixels: what a source of some upright size becomes, without any picture at hand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isqrt

from app.images.records import FocalPoint, RenderPlan
from app.images.variants import Crop, VariantSpec

Size = tuple[int, int]

# The longest side that WebP can have (RFC 9649, section 2.7.1.1); longer variants are left out in every format.
MAX_CANVAS_SIDE = 16_383
# Of all animated variants together, about 35 ms of CPU each million: what an upload costs stays bounded.
MAX_ANIMATED_VARIANT_PIXELS = 24_000_000
CENTRE = FocalPoint(0.5, 0.5)


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle of a picture, in its pixels from the top left."""

    left: int
    top: int
    width: int
    height: int


def fit_within(width: int, height: int, max_side: int) -> Size:
    """The size of the picture scaled down, never up, until no side is longer than `max_side`; no side falls below 1."""
    longest = max(width, height)
    if longest <= max_side:
        return width, height
    return max(1, round(width * max_side / longest)), max(1, round(height * max_side / longest))


def upright_size(width: int, height: int, orientation: int) -> Size:
    """The size as it is looked at; `orientation` is EXIF's, 5 to 8 are turned by a quarter (CIPA DC-008, 4.6.4)."""
    return (height, width) if orientation >= 5 else (width, height)


def original_size(plan: RenderPlan, width: int, height: int) -> Size:
    """Size of the optimised original of an upright source; only a picture that no coding makes smaller has fewer."""
    return fit_within(width, height, plan.max_side_pixels)


def variant_size(spec: VariantSpec, width: int, height: int) -> Size | None:
    """The canvas that this spec gives for an optimised original of this size, never larger; None: it is left out.

    A variant by width alone is left out where the original is narrower. A box is always rendered: the picture is fitted
    inside it, or fills it; what is smaller than a box to fill is cut to the shape of the box.
    """
    if spec.height is None:
        if spec.width > width:
            return None
        canvas = spec.width, _scaled(height, spec.width, width)
        return canvas if canvas[1] <= MAX_CANVAS_SIDE else None
    box = spec.width, spec.height
    if not is_cropped(spec):
        return fit_box(width, height, box)
    return box if covers((width, height), box) else largest_of_shape(width, height, box)


def crop_region(width: int, height: int, canvas: Size, focus: FocalPoint = CENTRE) -> Region:
    """The largest region of the canvas's shape, with the focus as near to its middle as the edges allow."""
    region_width, region_height = largest_of_shape(width, height, canvas)
    return Region(
        _slide(focus.x, width, region_width),
        _slide(focus.y, height, region_height),
        region_width,
        region_height,
    )


def cascade_sizes(original: Size, specs: Iterable[VariantSpec]) -> tuple[Size, ...]:
    """The sizes of the whole picture that its renditions are made from, largest first, each within the one before.

    Every uncropped rendition is one of them; every cropped one is covered by the first.
    """
    canvases = (variant_size(spec, *original) for spec in specs if not is_cropped(spec))
    return tuple(sorted({original, *(canvas for canvas in canvases if canvas)}, reverse=True))


def is_cropped(spec: VariantSpec) -> bool:
    """Whether the spec fills a box instead of showing the whole picture."""
    return spec.height is not None and spec.crop is not Crop.NONE


def nearest_covering(sizes: tuple[Size, ...], canvas: Size) -> Size:
    """The smallest of these sizes, given largest first, that covers the canvas on both sides.

    Raises:
        ValueError: none does.
    """
    for size in reversed(sizes):
        if covers(size, canvas):
            return size
    raise ValueError("No size covers the canvas.")


def fit_frames(size: Size, *, frames: int, max_pixels: int) -> Size:
    """The size scaled down, never up, until so many frames together have at most about `max_pixels`."""
    pixels = size[0] * size[1] * frames
    if pixels <= max_pixels:
        return size
    return fit_within(*size, max(1, isqrt(max(size) ** 2 * max_pixels // pixels)))


def affordable_animations(canvases: Sequence[Size], *, frames: int) -> frozenset[int]:
    """Which of these canvases are rendered with all of their frames: the smallest, while the pixels last."""
    chosen: set[int] = set()
    left = MAX_ANIMATED_VARIANT_PIXELS
    for at in sorted(range(len(canvases)), key=lambda at: canvases[at][0] * canvases[at][1]):
        left -= canvases[at][0] * canvases[at][1] * frames
        if left < 0:
            break
        chosen.add(at)
    return frozenset(chosen)


def covers(size: Size, canvas: Size) -> bool:
    """Whether a picture of this size is nowhere smaller than the canvas."""
    return size[0] >= canvas[0] and size[1] >= canvas[1]


def _scaled(side: int, part: int, whole: int) -> int:
    """side × part ÷ whole, rounded half up, at least 1."""
    return max(1, (2 * side * part + whole) // (2 * whole))


def fit_box(width: int, height: int, box: Size) -> Size:
    """The size of the whole picture scaled down, never up, until it fits inside the box."""
    if covers(box, (width, height)):
        return width, height
    if width * box[1] >= height * box[0]:
        return box[0], _scaled(height, box[0], width)
    return _scaled(width, box[1], height), box[1]


def largest_of_shape(width: int, height: int, shape: Size) -> Size:
    """The size of the largest part of the picture that has this shape."""
    if width * shape[1] >= height * shape[0]:
        return min(width, _scaled(height, shape[0], shape[1])), height
    return width, min(height, _scaled(width, shape[1], shape[0]))


def covering_size(width: int, height: int, box: Size) -> Size:
    """The smallest size of the whole picture that covers the box."""
    if width * box[1] >= height * box[0]:
        return _scaled(width, box[1], height), box[1]
    return box[0], _scaled(height, box[0], width)


def _slide(focus: float, side: int, part: int) -> int:
    return min(max(round(focus * side - part / 2), 0), side - part)
