"""Sizes of variants, crops and cascades keep their promises for every size of picture and every box."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.images.formats import ImageFormat
from app.images.geometry import (
    MAX_ANIMATED_VARIANT_PIXELS,
    MAX_CANVAS_SIDE,
    affordable_animations,
    cascade_sizes,
    crop_region,
    fit_frames,
    nearest_covering,
    original_size,
    upright_size,
    variant_size,
)
from app.images.records import FocalPoint, RenderPlan
from app.images.variants import Crop, Preset, VariantSpec, VariantTable

sides = st.integers(1, 30_000)
boxes = st.integers(1, 8192)
crops = st.sampled_from([Crop.CENTRE, Crop.ATTENTION])
fractions = st.floats(0, 1)


def by_width(width: int) -> VariantSpec:
    return VariantSpec(str(width), ImageFormat.JPEG, width)


def boxed(width: int, height: int, crop: Crop) -> VariantSpec:
    return VariantSpec("box", ImageFormat.JPEG, width, height, crop)


@given(sides, sides, boxes)
def test_a_width_is_exact_or_left_out(width: int, height: int, asked: int) -> None:
    """A variant by width has exactly that width and the picture's shape; a narrower picture has none."""
    size = variant_size(by_width(asked), width, height)
    if asked > width:
        assert size is None
        return
    exact = Fraction(height * asked, width)
    if size is None:
        assert exact > MAX_CANVAS_SIDE
        return
    assert size[0] == asked
    assert abs(size[1] - exact) <= Fraction(1, 2) or (size[1] == 1 and exact < 1)
    assert size[1] <= height


@pytest.mark.parametrize(
    ("asked", "upright", "expected"),
    [
        (640, (4032, 3024), (640, 480)),
        (640, (3024, 4032), (640, 853)),
        (640, (640, 427), (640, 427)),
        (640, (639, 427), None),
        (1, (30_000, 1), (1, 1)),
        (1000, (1000, 16_383), (1000, 16_383)),
        (1000, (1000, 16_384), None),
    ],
)
def test_widths_by_example(asked: int, upright: tuple[int, int], expected: tuple[int, int] | None) -> None:
    """The width of the source itself is still given; what no WebP can hold is left out in every format."""
    assert variant_size(by_width(asked), *upright) == expected


@given(sides, sides, boxes, boxes)
def test_a_fitted_picture_lies_within_its_box_and_is_never_enlarged(
    width: int, height: int, box_width: int, box_height: int
) -> None:
    """It touches the box on one side, unless it was small enough as it came."""
    size = variant_size(boxed(box_width, box_height, Crop.NONE), width, height)
    assert size is not None
    assert 1 <= size[0] <= min(width, box_width)
    assert 1 <= size[1] <= min(height, box_height)
    if width <= box_width and height <= box_height:
        assert size == (width, height)
    else:
        assert size[0] == box_width or size[1] == box_height


@given(sides, sides, boxes, boxes, crops)
def test_a_filled_box_is_exact_or_as_large_as_the_picture_allows(
    width: int, height: int, box_width: int, box_height: int, crop: Crop
) -> None:
    """A small picture is cut to the shape of the box, and not enlarged to fill it."""
    size = variant_size(boxed(box_width, box_height, crop), width, height)
    assert size is not None
    assert 1 <= size[0] <= min(width, box_width)
    assert 1 <= size[1] <= min(height, box_height)
    if width >= box_width and height >= box_height:
        assert size == (box_width, box_height)
    else:
        assert size[0] == width or size[1] == height
        assert abs(size[0] * box_height - size[1] * box_width) <= max(box_width, box_height)


@given(sides, sides, boxes, boxes, fractions, fractions)
def test_a_crop_lies_within_the_picture_and_keeps_its_focus(
    width: int, height: int, canvas_width: int, canvas_height: int, x: float, y: float
) -> None:
    """The region has the canvas's shape, is as large as can be, and the focal point is in it."""
    region = crop_region(width, height, (canvas_width, canvas_height), FocalPoint(x, y))
    assert region.left >= 0
    assert region.top >= 0
    assert region.left + region.width <= width
    assert region.top + region.height <= height
    assert region.width == width or region.height == height
    assert region.left - 1 <= x * width <= region.left + region.width + 1
    assert region.top - 1 <= y * height <= region.top + region.height + 1
    if width >= canvas_width and height >= canvas_height:
        assert region.width >= canvas_width
        assert region.height >= canvas_height


@pytest.mark.parametrize(("x", "left"), [(0.0, 0), (0.25, 100), (0.5, 350), (0.75, 600), (1.0, 700)])
def test_the_focus_is_in_the_middle_unless_the_edge_is_near(x: float, left: int) -> None:
    """A focal point in the left quarter gives a crop of the left part."""
    assert crop_region(1000, 300, (300, 300), FocalPoint(x, 0.5)).left == left


tables = st.builds(
    VariantTable,
    widths=st.lists(boxes, max_size=4, unique=True).map(tuple),
    formats=st.just((ImageFormat.JPEG,)),
    presets=st.lists(st.builds(Preset, st.just("box"), boxes, boxes, st.sampled_from(Crop)), max_size=3).map(tuple),
)


@given(tables, sides, sides, st.integers(16, 16_383))
def test_a_cascade_only_ever_shrinks_and_has_all_that_is_needed(
    table: VariantTable, width: int, height: int, max_side: int
) -> None:
    """Every size comes from the one before it, the first is the original's, each rendition has one to come from."""
    plan = RenderPlan(max_side_pixels=max_side, variants=table.specs())
    original = original_size(plan, width, height)
    sizes = cascade_sizes(original, plan.variants)
    assert sizes[0] == original
    for larger, smaller in pairwise(sizes):
        assert smaller[0] <= larger[0]
        assert smaller[1] <= larger[1]
    for spec in plan.variants:
        canvas = variant_size(spec, *original)
        if canvas is not None:
            covering = nearest_covering(sizes, canvas)
            assert covering[0] >= canvas[0]
            assert covering[1] >= canvas[1]


def test_a_size_that_nothing_covers_is_an_error() -> None:
    """There is nothing to cut such a canvas from."""
    with pytest.raises(ValueError, match="covers"):
        nearest_covering(((10, 10),), (11, 5))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_quarter_turns_swap_the_sides(orientation: int) -> None:
    """Orientations 5 to 8 stand on their side."""
    assert upright_size(30, 20, orientation) == ((20, 30) if orientation >= 5 else (30, 20))


@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(2, 1000), st.integers(1_000_000, 60_000_000))
def test_frames_fit_their_pixels_together(width: int, height: int, frames: int, allowed: int) -> None:
    """A long animation is scaled down until all frames together are within the limit, but for rounding."""
    size = fit_frames((width, height), frames=frames, max_pixels=allowed)
    if width * height * frames <= allowed:
        assert size == (width, height)
        return
    assert max(size) <= max(width, height)
    # Of very long and narrow ones, the short side cannot fall below one.
    assert (size[0] - 0.5) * (size[1] - 0.5) * frames <= allowed * 1.01 or min(size) == 1


@given(st.lists(st.tuples(st.integers(1, 3000), st.integers(1, 3000)), max_size=12), st.integers(2, 1000))
def test_small_animations_are_afforded_before_large_ones(canvases: list[tuple[int, int]], frames: int) -> None:
    """What is left out is never smaller than what is rendered, and what is rendered is bounded."""
    chosen = affordable_animations(canvases, frames=frames)
    areas = [width * height for width, height in canvases]
    left_out = [area for at, area in enumerate(areas) if at not in chosen]
    assert sum(areas[at] for at in chosen) * frames <= MAX_ANIMATED_VARIANT_PIXELS
    assert not left_out or min(left_out) >= max((areas[at] for at in chosen), default=0)
