"""Stored pictures stand upright, fit the limit exactly and are never enlarged."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.images.formats import ImageFormat
from app.images.metadata.heif_writing import add_exif_item
from app.images.variants import VariantSpec
from tests.pictures import CORNERS, decode, exif, make_jpeg, make_png, make_webp, quadrants
from tests.services.decoder.rendering import render
from tests.services.decoder.sources import make_animated_webp, make_avif, make_tiff

MAKERS: dict[str, Callable[..., bytes]] = {
    "jpeg": make_jpeg,
    "progressive": lambda *size, **how: make_jpeg(*size, progressive=True, **how),
    "png": make_png,
    "interlaced": lambda *size, **how: make_png(*size, interlaced=True, **how),
    "webp": make_webp,
    "lossless webp": lambda *size, **how: make_webp(*size, lossless=True, **how),
    "tiff": lambda *_, picture, orientation: make_tiff(picture, orientation=orientation),
    "tiled tiff": lambda *_, picture, orientation: make_tiff(picture, orientation=orientation, tile=True),
    "avif": lambda *_, picture, orientation: make_avif(picture, orientation=orientation),
    "animated webp": lambda *_, picture, orientation: make_animated_webp(
        [picture, picture.convert("L").convert("RGB")], durations=[100, 100], exif=exif(orientation=orientation)
    ),
}


def assert_corners(body: bytes) -> None:
    image = decode(body).convert("RGB")
    width, height = image.size
    places = {"top left": (5, 5), "top right": (width - 6, 5)}
    places |= {"bottom left": (5, height - 6), "bottom right": (width - 6, height - 6)}
    for corner, place in places.items():
        found = image.getpixel(place)
        assert isinstance(found, tuple)
        assert all(abs(a - b) <= 12 for a, b in zip(found, CORNERS[corner], strict=True)), (corner, found)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("maker", MAKERS)
def test_a_picture_is_stored_upright(maker: str, orientation: int) -> None:
    """However the camera was held, the stored picture stands upright and says so of the one that was sent."""
    stored = quadrants(120, 80, orientation=orientation)
    rendered = render(MAKERS[maker](0, 0, picture=stored, orientation=orientation))
    assert (rendered.width, rendered.height) == (120, 80)
    assert (rendered.source.width, rendered.source.height) == (120, 80)
    assert_corners(rendered.body)
    assert decode(rendered.body).getexif() == {}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("maker", MAKERS)
def test_variants_stand_upright_too(maker: str, orientation: int) -> None:
    """Every variant is turned once, and its width is that of the picture as it is looked at."""
    content = MAKERS[maker](0, 0, picture=quadrants(120, 80, orientation=orientation), orientation=orientation)
    (variant,) = render(content, variants=(VariantSpec("60", ImageFormat.WEBP, 60, quality=90),)).variants
    assert decode(variant.body).size == (variant.width, variant.height) == (60, 40)
    assert_corners(variant.body)


@pytest.mark.parametrize("orientation", [3, 6])
def test_exif_does_not_turn_what_the_container_has_not(orientation: int) -> None:
    """AVIF and HEIC are turned by their container alone: EXIF in them only says how the camera was held."""
    turned = make_avif(quadrants(120, 80, orientation=orientation), orientation=orientation)
    lying = add_exif_item(turned, exif(orientation=8))
    assert lying is not None
    rendered = render(lying)
    assert (rendered.width, rendered.height) == (120, 80)
    assert_corners(rendered.body)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_large_picture_is_scaled_and_stored_upright(orientation: int) -> None:
    """Scaling while decoding and turning go together."""
    stored = quadrants(900, 600, orientation=orientation)
    rendered = render(make_jpeg(0, 0, picture=stored, orientation=orientation), max_side_pixels=100)
    assert decode(rendered.body).size == (rendered.width, rendered.height) == (100, 67)
    assert_corners(rendered.body)


@pytest.mark.parametrize("orientation", [0, 9, 255])
def test_an_orientation_that_does_not_exist_turns_nothing(orientation: int) -> None:
    """Nonsense in EXIF leaves the picture as it is."""
    rendered = render(make_jpeg(0, 0, picture=quadrants(120, 80), orientation=orientation))
    assert (rendered.width, rendered.height) == (120, 80)
    assert_corners(rendered.body)


@given(st.integers(1, 90), st.integers(1, 90), st.integers(16, 64), st.sampled_from(["jpeg", "png", "webp"]))
@settings(max_examples=60, deadline=None, database=None)
def test_a_stored_picture_fits_exactly_and_is_never_enlarged(width: int, height: int, limit: int, maker: str) -> None:
    """The longest side ends at the limit to the pixel; what is smaller keeps its size."""
    rendered = render(MAKERS[maker](width, height), max_side_pixels=limit)
    assert decode(rendered.body).size == (rendered.width, rendered.height)
    if max(width, height) <= limit:
        assert (rendered.width, rendered.height) == (width, height)
    else:
        assert max(rendered.width, rendered.height) == limit


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1), (2561, 3), (2561, 1300), (5119, 2560), (5121, 2560)])
@pytest.mark.parametrize("maker", ["jpeg", "png"])
def test_extreme_shapes_are_stored(size: tuple[int, int], maker: str) -> None:
    """A line of pixels stays a line, and sizes around the steps of the JPEG decoder come out exact."""
    rendered = render(MAKERS[maker](0, 0, picture=quadrants(*size)))
    assert decode(rendered.body).size == (rendered.width, rendered.height)
    assert max(rendered.width, rendered.height) == min(max(size), 2560)
    assert min(rendered.width, rendered.height) >= 1


def test_of_an_apng_the_first_picture_is_stored() -> None:
    """An animated PNG becomes a still picture, and what was sent is remembered as an animation."""
    rendered = render(make_png(40, 30, frames=3))
    assert (rendered.format, rendered.source.frames, rendered.frames) == (ImageFormat.PNG, 3, 1)
    assert not rendered.facts.is_animated
    assert getattr(decode(rendered.body), "n_frames", 1) == 1
