"""Variants have exactly the sizes of their specs, the format that suits the picture, and the crop that was asked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from app.images.formats import ImageFormat
from app.images.records import FocalPoint, Rendition
from app.images.variants import Crop, Preset, VariantSpec, VariantTable
from tests.pictures import decode, make_jpeg, make_png, make_webp, photo, pixels_of, quadrants
from tests.services.decoder.rendering import render

QUALITIES = ((ImageFormat.JPEG, 80), (ImageFormat.WEBP, 80), (ImageFormat.AVIF, 60))
FORMATS = (ImageFormat.AVIF, ImageFormat.WEBP, ImageFormat.JPEG)
WIDE = quadrants(600, 200)


def table(**how: Any) -> VariantTable:
    return VariantTable(**({"widths": (), "presets": (), "formats": FORMATS, "qualities": QUALITIES} | how))


def preset(width: int, height: int, crop: Crop, image_format: ImageFormat = ImageFormat.JPEG) -> VariantSpec:
    return VariantSpec("box", image_format, width, height, crop, quality=90)


def test_every_width_comes_in_every_format_and_exact_size() -> None:
    """A front end finds each width that the photo has, in each format that was asked for."""
    specs = table(widths=(80, 160, 320)).specs()
    variants = render(make_jpeg(240, 180), variants=specs).variants
    assert [variant.spec for variant in variants] == [spec for spec in specs if spec.width <= 240]
    for variant in variants:
        picture = decode(variant.body)
        assert picture.format == variant.spec.format.name
        assert picture.size == (variant.width, variant.height) == (variant.spec.width, variant.spec.width * 3 // 4)
        assert variant.frames == 1


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (2, 3)])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA"])
def test_the_smallest_pictures_have_variants_in_every_format(size: tuple[int, int], mode: str) -> None:
    """A single pixel, or a line of them, is a picture too."""
    boxes = (Preset("fill", 320, 320, Crop.ATTENTION), Preset("fit", 100, 100, Crop.NONE))
    specs = table(widths=(1, 2), presets=boxes).specs()
    variants = render(make_png(*size, mode=mode), variants=specs).variants
    assert {variant.spec.name for variant in variants} >= {"fill", "fit", "1"}
    assert all(decode(variant.body).size == (variant.width, variant.height) for variant in variants)


@given(
    st.integers(1, 120),
    st.integers(1, 120),
    st.lists(st.integers(1, 140), min_size=1, max_size=3, unique=True),
    st.integers(1, 140),
    st.integers(1, 140),
    st.sampled_from(Crop),
    st.integers(16, 100),
)
@settings(max_examples=60, deadline=None, database=None)
def test_no_variant_is_enlarged_and_each_has_the_size_it_claims(
    width: int, height: int, widths: list[int], box_width: int, box_height: int, crop: Crop, max_side: int
) -> None:
    """Whatever the picture and the boxes: it opens in the size it is said to have, none wider than the original."""
    boxes = (Preset("box", box_width, box_height, crop),)
    specs = table(widths=tuple(widths), presets=boxes, formats=(ImageFormat.JPEG,)).specs()
    rendered = render(make_png(width, height), variants=specs, max_side_pixels=max_side)
    kept_width = max(1, round(width * min(1, max_side / max(width, height))))
    assert len(rendered.variants) == sum(asked <= kept_width for asked in widths) + 1
    for variant in rendered.variants:
        assert decode(variant.body).size == (variant.width, variant.height)
        assert variant.width <= width
        assert variant.height <= height


@pytest.mark.parametrize("focus", [(0.0, 0.5), (0.25, 0.5), (0.75, 0.5), (1.0, 0.0)])
@pytest.mark.parametrize("crop", [Crop.CENTRE, Crop.ATTENTION])
def test_a_focal_point_stays_in_view(focus: tuple[float, float], crop: Crop) -> None:
    """Who names the face in a photo finds it in every crop, whatever else draws the eye."""
    picture = photo(600, 200)
    x = round(focus[0] * 599)
    picture.paste("red", (max(0, x - 20), 0, x + 20, 200))
    (variant,) = render(
        make_jpeg(0, 0, picture=picture), variants=(preset(100, 100, crop),), focal_point=FocalPoint(*focus)
    ).variants
    pixels = pixels_of(variant.body)
    red = (pixels[..., 0] > 200) & (pixels[..., 1] < 80)
    assert red.any()
    if 0 < focus[0] < 1:
        assert abs(np.argwhere(red)[:, 1].mean() - 50) < 3


def test_a_crop_of_the_centre_shows_the_centre() -> None:
    """Half of the left colour, half of the right one."""
    (variant,) = render(make_png(0, 0, picture=WIDE), variants=(preset(200, 200, Crop.CENTRE),)).variants
    middle = WIDE.crop((200, 0, 400, 200))
    assert np.abs(pixels_of(variant.body) - np.asarray(middle)).mean() < 3


@pytest.mark.parametrize("place", ["left", "right"])
def test_attention_finds_what_stands_out(place: str) -> None:
    """Without a focal point the crop moves to the one thing in an empty photo, wherever it is, every time the same."""
    picture = Image.new("RGB", (600, 200), (120, 130, 140))
    x = 60 if place == "left" else 480
    picture.paste(photo(60, 60, seed=4).resize((60, 60)), (x, 70))
    picture.paste((250, 120, 60), (x + 15, 85, x + 45, 115))
    content = make_png(0, 0, picture=picture)
    bodies = {render(content, variants=(preset(150, 150, Crop.ATTENTION),)).variants[0].body for _ in range(2)}
    assert len(bodies) == 1
    pixels = pixels_of(bodies.pop())
    assert ((pixels[..., 0] > 220) & (pixels[..., 2] < 110)).sum() > 350


def test_a_box_that_is_fitted_shows_the_whole_picture() -> None:
    """Without a crop nothing is cut off."""
    (variant,) = render(make_png(0, 0, picture=WIDE), variants=(preset(150, 150, Crop.NONE),)).variants
    assert (variant.width, variant.height) == (150, 50)
    assert np.abs(pixels_of(variant.body) - np.asarray(WIDE.resize((150, 50)))).mean() < 3


def test_a_variant_looks_as_if_it_were_made_from_the_source_alone() -> None:
    """Coming down a cascade of sizes costs nothing that an eye could see."""
    picture = photo(1200, 900, seed=3)
    specs = table(widths=(60, 120, 333, 640, 900), formats=(ImageFormat.WEBP,), qualities=((ImageFormat.WEBP, 100),))
    for variant in render(make_png(0, 0, picture=picture), variants=specs.specs()).variants:
        alone = np.asarray(picture.resize((variant.width, variant.height), Image.Resampling.LANCZOS), dtype=float)
        assert np.abs(pixels_of(variant.body) - alone).mean() < 2


def test_each_variant_is_handed_over_as_soon_as_it_is_finished() -> None:
    """Storing begins while the rest is still being rendered; each is handed over once, and all are in the result."""
    emitted: list[Rendition] = []
    specs = table(widths=(40, 80)).specs()
    rendered = render(make_jpeg(160, 120), variants=specs, emit=emitted.append)
    assert len(emitted) == len(specs)
    assert sorted(emitted, key=lambda variant: specs.index(variant.spec)) == list(rendered.variants)
    assert emitted[0].width == 80


def test_a_translucent_photo_gets_webp_where_jpeg_was_asked_for() -> None:
    """JPEG has no transparency; WebP has, in a fraction of the bytes of a PNG."""
    (variant,) = render(
        make_webp(200, 150, mode="RGBA"), variants=(VariantSpec("100", ImageFormat.JPEG, 100),)
    ).variants
    assert variant.spec == VariantSpec("100", ImageFormat.WEBP, 100)
    alpha = pixels_of(variant.body, mode="RGBA")[..., 3]
    assert alpha.min() < 60
    assert alpha.max() > 240


def logo(*, mode: str) -> Image.Image:
    picture = Image.new("RGBA", (256, 256), (0, 0, 0, 0) if mode == "RGBA" else "white")
    picture.paste((200, 30, 40, 255), (0, 0, 128, 128))
    picture.paste((20, 60, 160, 255), (128, 128, 256, 256))
    return picture.convert(mode)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_logo_gets_png_where_jpeg_was_asked_for(mode: str) -> None:
    """Few colours and sharp edges stay sharp, in no more bytes."""
    (variant,) = render(
        make_png(0, 0, picture=logo(mode=mode)), variants=(VariantSpec("64", ImageFormat.JPEG, 64, quality=80),)
    ).variants
    assert variant.spec.format is ImageFormat.PNG
    expected = np.asarray(logo(mode=mode).resize((64, 64), Image.Resampling.NEAREST).convert("RGBA"))
    found = pixels_of(variant.body, mode="RGBA")
    inside = np.s_[4:28, 4:28]
    np.testing.assert_array_equal(found[inside], expected[inside])


def test_a_needless_alpha_channel_does_not_cost_the_jpeg() -> None:
    """A photo whose alpha hides nothing gets a JPEG like any other photo."""
    opaque = photo(120, 90).convert("RGBA")
    (variant,) = render(make_png(0, 0, picture=opaque), variants=(VariantSpec("60", ImageFormat.JPEG, 60),)).variants
    assert variant.spec.format is ImageFormat.JPEG


def test_one_file_that_serves_two_specs_is_rendered_once() -> None:
    """With alpha, the WebP that was asked for is the one that stands in for the JPEG too."""
    emitted: list[Rendition] = []
    jpeg = VariantSpec("60", ImageFormat.JPEG, 60, quality=80)
    webp = replace(jpeg, format=ImageFormat.WEBP)
    variants = render(make_webp(120, 90, mode="RGBA"), variants=(jpeg, webp), emit=emitted.append).variants
    assert [variant.spec for variant in variants] == [webp] == [variant.spec for variant in emitted]


def test_edges_of_a_cut_out_do_not_darken_on_the_way_down() -> None:
    """Scaled again and again, the rim of a cut-out keeps its colour: what is hidden does not bleed in."""
    pixels = np.zeros((400, 400, 4), np.uint8)
    pixels[:, 150:] = (250, 240, 30, 255)
    specs = table(widths=(25, 50, 101, 200), formats=(ImageFormat.WEBP,), qualities=((ImageFormat.WEBP, 100),)).specs()
    for variant in render(make_png(0, 0, picture=Image.fromarray(pixels)), variants=specs).variants:
        found = pixels_of(variant.body, mode="RGBA")
        rim = found[found[..., 3] > 24]
        assert rim[:, 0].min() > 215
        assert rim[:, 1].min() > 205
