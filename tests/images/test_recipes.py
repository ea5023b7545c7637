"""Recipes: exact sizes for every transform, nothing enlarged, and no more pixels decoded than are needed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.images.formats import ImageFormat
from app.images.geometry import Region, Size, covers, fit_within, variant_size
from app.images.recipes import Overlay, Recipe, needed_size, plan_recipe
from app.images.records import FocalPoint
from app.images.transform_text import make_transform, parse_transform
from app.images.transforms import Position, Transform, Watermark
from app.images.variants import Crop, Preset, VariantSpec
from tests.images.test_transform_text import LOGO, transforms

STORED = (2560, 1920)
FOCUS = FocalPoint(0.25, 0.125)


def plan(transform: Transform | str, **arguments: Any) -> Recipe:
    """A recipe for the original of an opaque image of 2560 × 1920 without a focal point, as WebP."""
    defaults: dict[str, Any] = {
        "preset": None,
        "stored": STORED,
        "decoded": arguments.get("stored", STORED),
        "focal_point": None,
        "has_alpha": False,
        "image_format": ImageFormat.WEBP,
        "quality": None,
        "target": 75.0,
        "effort": 0,
        "overlay_size": (400, 100),
    }
    parsed = parse_transform(transform) if isinstance(transform, str) else transform
    return plan_recipe(parsed, **(defaults | arguments))


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("f:webp", (2560, 1920)),
        ("w:640", (640, 480)),
        ("h:480", (640, 480)),
        ("w:640,h:100", (133, 100)),
        ("w:5000", (2560, 1920)),
        ("w:640,rotate:90", (640, 853)),
        ("rotate:270", (1920, 2560)),
        ("w:300,h:300,fit:cover", (300, 300)),
        ("w:4000,h:4000,fit:cover", (1920, 1920)),
        ("w:4000,h:1000,fit:cover", (2560, 640)),
        ("w:3000,h:3000,fit:contain", (3000, 3000)),
        ("w:300,h:300,fit:contain", (300, 300)),
        ("crop:box~0.5~0~0.25~1", (640, 1920)),
        ("w:320,crop:box~0.5~0~0.25~1", (320, 960)),
        ("w:1000,crop:box~0.5~0~0.25~1", (640, 1920)),
        ("w:100,h:100,fit:cover,crop:box~0.5~0~0.25~1", (100, 100)),
        ("crop:box~0~0~0.0001~0.0001", (1, 1)),
    ],
)
def test_sizes(text: str, size: Size) -> None:
    """Each transform of an image of 2560 × 1920 has this size."""
    assert plan(text).size == size


def test_the_picture_on_a_larger_canvas_is_not_enlarged() -> None:
    """A small picture lies in its own size in the middle of a large box."""
    recipe = plan("w:3000,h:3000,fit:contain")
    assert (recipe.scaled, recipe.canvas) == (STORED, (3000, 3000))


def test_no_side_is_longer_than_urls_can_ask_for() -> None:
    """A very long original that is only coded anew fits within 8192 pixels."""
    assert plan("f:webp", stored=(20_000, 100)).size == (8192, 41)


sides = st.integers(1, 4000)


@given(transforms(), st.tuples(sides, sides), st.integers(1, 4000))
def test_any_transform_of_any_image(transform: Transform, stored: Size, side: int) -> None:
    """The result fits what was asked, nothing is enlarged, and what is decoded is enough and no more than there is."""
    needed = needed_size(transform, preset=None, stored=stored)
    assert covers(stored, needed)
    smaller = fit_within(*stored, side)
    decoded = smaller if covers(smaller, needed) else stored
    recipe = plan(transform, stored=stored, decoded=decoded)
    assert max(recipe.size) <= 8192
    assert covers((transform.width or 8192, transform.height or 8192), recipe.size)
    if recipe.canvas or (recipe.cut is None and transform.fit == "contain"):
        assert recipe.size == (transform.width, transform.height)
    source = (recipe.region.width, recipe.region.height) if recipe.region else stored
    turned = source[::-1] if transform.rotate in {90, 270} else source
    if recipe.region is None or decoded == stored:
        assert covers(turned, recipe.scaled)
    if recipe.region:
        assert recipe.region.left + recipe.region.width <= decoded[0]
        assert recipe.region.top + recipe.region.height <= decoded[1]
    assert recipe.cut is None or covers(recipe.scaled, recipe.cut)


@given(st.tuples(sides, sides), st.tuples(sides, sides), st.sampled_from(Crop))
def test_presets_give_what_variants_give(stored: Size, box: Size, crop: Crop) -> None:
    """A preset by URL has exactly the size that it has among the variants of the upload."""
    preset = Preset("card", *box, crop)
    spec = VariantSpec("card", ImageFormat.WEBP, *box, crop)
    assert plan("p:card", preset=preset, stored=stored).size == variant_size(spec, *stored)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("w:640", (640, 480)),
        ("w:640,rotate:90", (853, 640)),
        ("w:300,h:300,fit:cover", (400, 300)),
        ("w:300,h:300,fit:contain", (300, 225)),
        ("w:320,crop:box~0~0~0.25~1", (1280, 960)),
        ("w:5000", STORED),
        ("blur:1", STORED),
    ],
)
def test_needed_size(text: str, size: Size) -> None:
    """Of an image of 2560 × 1920 a rendition of this size is enough."""
    assert needed_size(parse_transform(text), preset=None, stored=STORED) == size


def test_a_box_of_a_smaller_rendition() -> None:
    """The box is cut out of the pixels that are decoded, and the result is as large as from the original."""
    recipe = plan("w:320,crop:box~0.5~0.5~0.25~0.25", decoded=(1280, 960))
    assert (recipe.source, recipe.region) == ((1280, 960), Region(640, 480, 320, 240))
    assert recipe.size == (320, 240)


def test_a_box_at_the_very_edge() -> None:
    """A box smaller than a pixel is the pixel that it lies in, also the last one."""
    recipe = plan("crop:box~0.9999~0.9999~0.0001~0.0001", stored=(10, 20))
    assert recipe.region == Region(9, 19, 1, 1)


@pytest.mark.parametrize(
    ("degrees", "focus"),
    [(0, (0.25, 0.125)), (90, (0.875, 0.25)), (180, (0.75, 0.875)), (270, (0.125, 0.75))],
)
def test_the_focal_point_is_turned(degrees: int, focus: tuple[float, float]) -> None:
    """The point to keep in view turns with the picture."""
    recipe = plan(make_transform(width=9, height=90, fit="cover", rotate=degrees), focal_point=FOCUS)
    assert recipe.focus == FocalPoint(*focus)


CUT = "w:90,h:9,fit:cover"


@pytest.mark.parametrize(
    ("text", "preset_crop", "focal_point", "kept"),
    [
        (CUT, None, FOCUS, (FOCUS, False)),
        (CUT, None, None, (None, True)),
        (f"{CUT},crop:attention", None, FOCUS, (None, True)),
        (f"{CUT},crop:centre", None, FOCUS, (None, False)),
        ("w:90,h:9,fit:cover,crop:box~0~0~1~0.5", None, FOCUS, (None, False)),
        ("w:90,h:9,fit:contain", None, FOCUS, (None, False)),
        ("p:strip", Crop.CENTRE, FOCUS, (FOCUS, False)),
        ("p:strip", Crop.ATTENTION, FOCUS, (FOCUS, False)),
        ("p:strip", Crop.ATTENTION, None, (None, True)),
        ("p:strip", Crop.CENTRE, None, (None, False)),
        ("p:strip", Crop.NONE, FOCUS, (None, False)),
    ],
)
def test_what_a_cut_keeps(text: str, preset_crop: Crop, focal_point: FocalPoint, kept: tuple[object, bool]) -> None:
    """The focal point, what draws the eye, or the middle, as asked and as presets do."""
    preset = Preset("strip", 90, 9, preset_crop) if preset_crop else None
    recipe = plan(text, preset=preset, focal_point=focal_point)
    assert (recipe.focus, recipe.attention) == kept


@pytest.mark.parametrize(
    ("text", "has_alpha", "image_format", "background"),
    [
        ("w:9", True, ImageFormat.WEBP, None),
        ("w:9", True, ImageFormat.JPEG, "ffffff"),
        ("w:9,bg:112233", True, ImageFormat.JPEG, "112233"),
        ("w:9,bg:112233", True, ImageFormat.PNG, "112233"),
        ("w:9,h:90,fit:contain", True, ImageFormat.AVIF, None),
        ("w:9,h:90,fit:contain", False, ImageFormat.AVIF, "ffffff"),
        ("w:9,h:90,fit:contain", True, ImageFormat.JPEG, "ffffff"),
        ("w:9,h:90,fit:contain,bg:112233", False, ImageFormat.WEBP, "112233"),
    ],
)
def test_backgrounds(text: str, has_alpha: bool, image_format: ImageFormat, background: str | None) -> None:
    """What shines through stays so where the format can hold it, unless a colour is named."""
    assert plan(text, has_alpha=has_alpha, image_format=image_format).background == background


@pytest.mark.parametrize(
    ("position", "place"),
    [
        *(("nw", (0, 0)), ("n", (240, 0)), ("ne", (480, 0))),
        *(("w", (0, 220)), ("c", (240, 220)), ("e", (480, 220))),
        *(("sw", (0, 440)), ("s", (240, 440)), ("se", (480, 440))),
    ],
)
def test_where_a_watermark_lies(position: str, place: tuple[int, int]) -> None:
    """A quarter of the width by default, against the edges that the position names."""
    transform = Transform(width=640, watermark=Watermark(LOGO, Position(position), opacity=50))
    assert plan(transform).overlay == Overlay(*place, 160, 40, 50)


def test_a_high_watermark_stays_in_the_picture() -> None:
    """One that would be higher than the picture is made smaller."""
    transform = Transform(width=640, watermark=Watermark(LOGO, scale=100))
    assert plan(transform, overlay_size=(100, 400)).overlay == Overlay(520, 0, 120, 480, 100)


@given(transforms(), st.tuples(sides, sides), st.tuples(sides, sides), st.sampled_from(Position), st.integers(1, 100))
def test_a_watermark_is_never_outside(
    transform: Transform, stored: Size, mark: Size, position: Position, scale: int
) -> None:
    """Whatever its shape, the whole of it lies on the picture."""
    marked = replace(transform, watermark=Watermark(LOGO, position, scale))
    recipe = plan(marked, stored=stored, overlay_size=mark)
    overlay = recipe.overlay
    assert overlay
    assert min(overlay.left, overlay.top) >= 0
    assert min(overlay.width, overlay.height) >= 1
    assert overlay.left + overlay.width <= recipe.size[0]
    assert overlay.top + overlay.height <= recipe.size[1]


@pytest.mark.parametrize(
    ("text", "image_format", "moves"),
    [
        ("w:9", ImageFormat.WEBP, True),
        ("w:9,h:9,fit:cover,crop:attention", ImageFormat.WEBP, True),
        ("crop:box~0~0~0.5~1", ImageFormat.WEBP, True),
        ("w:9", ImageFormat.AVIF, False),
        ("w:9,f:jpeg", ImageFormat.WEBP, False),
        ("blur:1", ImageFormat.WEBP, False),
        ("sharpen:1", ImageFormat.WEBP, False),
        ("rotate:90", ImageFormat.WEBP, False),
        ("bg:112233", ImageFormat.WEBP, False),
        ("w:9,h:90,fit:contain", ImageFormat.WEBP, False),
        ("watermark:YQ", ImageFormat.WEBP, False),
    ],
)
def test_what_may_move(text: str, image_format: ImageFormat, moves: bool) -> None:
    """An animation stays one where it is only resized and cut, as a WebP."""
    assert plan(text, image_format=image_format).keeps_animation == moves


def test_format_and_quality() -> None:
    """What the transform names holds before what was negotiated; PNG has no quality."""
    assert plan("q:7,f:jpeg", image_format=ImageFormat.AVIF, quality=50).format is ImageFormat.JPEG
    assert plan("q:7", quality=50).quality == 7
    assert plan("w:9", quality=50).quality == 50
    assert plan("w:9").quality is None
    assert plan("q:7", image_format=ImageFormat.PNG).quality is None


@pytest.mark.parametrize(("text", "missing"), [("p:card", "preset"), ("watermark:YQ", "overlay_size")])
def test_what_must_be_given(text: str, missing: str) -> None:
    """A preset or a watermark that nobody looked up is a fault of the caller, never left out."""
    with pytest.raises(ValueError, match="not given"):
        plan(text, **{missing: None})
