"""Transformed pictures look as asked: the right colours in the right places, in every format."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter

from app.core.exceptions import ImageCorrupt
from app.images.formats import ImageFormat
from app.images.geometry import Region
from app.images.inspection import inspect_image
from app.images.recipes import Overlay, Recipe
from app.images.records import FocalPoint
from app.images.transforms import Fit, Transform
from app.services.decoder.transforming import transform_picture
from tests.pictures import CORNERS, make_jpeg, make_png, photo, quadrants
from tests.services.decoder.sources import make_avif
from tests.services.decoder.transforming import FORMATS, LIMITS, colour_at, is_near, opened, transform

RED, GREEN, BLUE, YELLOW = (CORNERS[name] for name in ("top left", "top right", "bottom left", "bottom right"))
WHITE, NOTHING, MAGENTA = (255, 255, 255), (0, 0, 0, 0), (255, 0, 255)
QUARTERS = make_png(0, 0, picture=quadrants(400, 300))
PHOTO = photo(400, 300)
MARK = base64.urlsafe_b64encode(b"logos/a.png").rstrip(b"=").decode()
PLACES = ((0.04, 0.04), (0.96, 0.04), (0.04, 0.96), (0.96, 0.96))


def square(colour: tuple[int, ...], mode: str = "RGB") -> bytes:
    return make_png(0, 0, picture=Image.new(mode, (50, 50), colour))


@pytest.mark.parametrize("image_format", FORMATS)
@pytest.mark.parametrize(
    ("text", "colours"),
    [
        ("w:200", (RED, GREEN, BLUE, YELLOW)),
        ("rotate:90", (BLUE, RED, YELLOW, GREEN)),
        ("rotate:180", (YELLOW, BLUE, GREEN, RED)),
        ("w:100,rotate:270", (GREEN, YELLOW, RED, BLUE)),
        ("w:100,h:100,fit:cover,crop:centre", (RED, GREEN, BLUE, YELLOW)),
        ("crop:box~0.5~0~0.5~0.5", (GREEN, GREEN, GREEN, GREEN)),
        ("crop:box~0.5~0~0.5~1,w:50", (GREEN, GREEN, YELLOW, YELLOW)),
        ("crop:box~0.5~0~0.5~1,rotate:90", (YELLOW, GREEN, YELLOW, GREEN)),
        ("w:100,h:200,fit:contain", (WHITE, WHITE, WHITE, WHITE)),
        ("w:100,h:200,fit:contain,bg:ff00ff", (MAGENTA, MAGENTA, MAGENTA, MAGENTA)),
        ("w:200,blur:2", (RED, GREEN, BLUE, YELLOW)),
        ("w:200,sharpen:1", (RED, GREEN, BLUE, YELLOW)),
        (f"w:200,watermark:{MARK}~nw", (MAGENTA, GREEN, BLUE, YELLOW)),
        (f"w:200,watermark:{MARK}", (RED, GREEN, BLUE, MAGENTA)),
        (f"rotate:180,w:200,watermark:{MARK}~sw", (YELLOW, BLUE, MAGENTA, RED)),
    ],
)
def test_corners(text: str, colours: tuple[tuple[int, ...], ...], image_format: ImageFormat) -> None:
    """Four coloured quarters, cut, turned, padded or marked: each corner of the result has its colour."""
    picture = opened(
        transform(QUARTERS, text, image_format=image_format, mark=square(MAGENTA) if "watermark" in text else None)
    )
    found = [colour_at(picture, *place) for place in PLACES]
    assert all(map(is_near, found, colours)), found


def test_a_contained_picture_lies_in_the_middle() -> None:
    """Below and above a wide picture in a high box there is as much background."""
    picture = opened(transform(QUARTERS, "w:100,h:200,fit:contain,bg:ff00ff"))
    column = np.asarray(picture)[:, 10, :3]
    (inside,) = np.nonzero((column != MAGENTA).any(axis=1))
    assert (inside[0], inside[-1]) == (62, 136)


@pytest.mark.parametrize("image_format", FORMATS)
def test_a_resized_photo_is_the_photo(image_format: ImageFormat) -> None:
    """It looks as Pillow's own reduction does, pixel by pixel."""
    picture = opened(transform(make_png(0, 0, picture=PHOTO), "w:200,q:90", image_format=image_format))
    expected = np.asarray(PHOTO.resize((200, 150), Image.Resampling.LANCZOS), float)
    assert np.abs(np.asarray(picture)[..., :3] - expected).mean() < 2.5


def test_a_smaller_rendition_gives_the_same_picture() -> None:
    """A box cut from a stored rendition shows what it shows of the original."""
    small = make_png(0, 0, picture=PHOTO.resize((200, 150), Image.Resampling.LANCZOS))
    text = "w:50,crop:box~0.3~0.2~0.5~0.5"
    of_original = np.asarray(opened(transform(make_png(0, 0, picture=PHOTO), text)), float)
    of_rendition = np.asarray(opened(transform(small, text, stored=(400, 300))), float)
    assert np.abs(of_original - of_rendition).mean() < 2


@pytest.mark.parametrize(
    ("focus", "degrees", "colour"),
    [((0, 0), 0, RED), ((1, 0), 0, GREEN), ((0, 1), 90, BLUE), ((1, 1), 180, YELLOW), ((1, 0), 270, GREEN)],
)
def test_the_focal_point_stays_in_view(focus: tuple[float, float], degrees: int, colour: tuple[int, ...]) -> None:
    """However the picture is turned and cut, what somebody pointed at is in it."""
    for width, height in ((40, 4), (4, 40)):
        strip = Transform(width=width, height=height, fit=Fit.COVER, rotate=degrees)
        picture = opened(transform(QUARTERS, strip, focal_point=FocalPoint(*focus)))
        found = {colour_at(picture, *place) for place in PLACES}
        assert any(is_near(each, colour) for each in found), found


def test_attention_finds_what_stands_out() -> None:
    """A cut without a focal point shows the bright spot at the edge, the middle does not."""
    plain = Image.new("RGB", (600, 200), (120, 120, 120))
    plain.paste((250, 30, 30), (520, 60, 590, 140))
    content = make_png(0, 0, picture=plain)
    for text, has_spot in (("w:100,h:100,fit:cover", True), ("w:100,h:100,fit:cover,crop:centre", False)):
        pixels = np.asarray(opened(transform(content, text)))
        assert bool((pixels[..., 0] > 200).any()) == has_spot


@pytest.mark.parametrize("sigma", [0.5, 1, 2, 7.9, 15.5, 50])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_blur_is_gaussian(sigma: float, mode: str) -> None:
    """It is what the formula gives, though a wide one is made in fewer pixels, and changes no brightness."""
    source = quadrants(400, 300).convert(mode)
    found = np.asarray(opened(transform(make_png(0, 0, picture=source), f"blur:{sigma:g}")).convert(mode), float)
    differences = np.abs(found - gaussian(np.asarray(source, float), sigma))
    assert differences.mean() < 1
    assert differences.max() < 10


def gaussian(pixels: np.ndarray[Any, np.dtype[np.float64]], sigma: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    """By numpy; beyond the edges their colour goes on."""
    radius = int(4 * sigma) + 1
    bell = np.exp(-(np.arange(-radius, radius + 1) ** 2) / (2 * sigma**2))
    for axis in (0, 1):
        borders = [(radius, radius) if each == axis else (0, 0) for each in range(pixels.ndim)]
        wide = np.pad(pixels, borders, mode="edge")
        pixels = np.apply_along_axis(lambda line: np.convolve(line, bell / bell.sum(), "valid"), axis, wide)
    return pixels


@pytest.mark.parametrize("sigma", [0.3, 1, 10])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_sharpening_raises_contrast_at_edges(sigma: float, mode: str) -> None:
    """What a blur takes away is added: more contrast on both sides of an edge, none in even areas."""
    source = quadrants(400, 300).filter(ImageFilter.GaussianBlur(1)).convert(mode)
    pixels = np.asarray(source, float)
    made = transform(make_png(0, 0, picture=source), f"sharpen:{sigma:g}")
    expected = np.clip(2 * pixels - gaussian(pixels, sigma), 0, 255)
    differences = np.abs(np.asarray(opened(made).convert(mode), float) - expected)
    assert differences.mean() < 1
    assert differences.max() < 8


def test_sharpening_beside_nothing() -> None:
    """What is transparent stays so, and its hidden black makes no bright rim."""
    spot = Image.new("RGBA", (100, 100), NOTHING)
    spot.paste((120, 120, 120, 255), (31, 31, 69, 69))
    pixels = np.asarray(opened(transform(make_png(0, 0, picture=spot), "sharpen:3", has_alpha=True)))
    assert (pixels[..., 3] == np.asarray(spot)[..., 3]).all()
    assert np.abs(pixels[pixels[..., 3] > 0][:, :3].astype(int) - 120).max() <= 2


@pytest.mark.parametrize("image_format", FORMATS)
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_what_shines_through(mode: str, image_format: ImageFormat) -> None:
    """Transparency stays where the format can hold it, a JPEG shows white; a colour that is named fills it."""
    half = Image.new("RGBA", (200, 100), NOTHING)
    half.paste((90, 90, 90, 255), (0, 0, 100, 100))
    content = make_png(0, 0, picture=half.convert(mode))
    seen = opened(transform(content, "w:100", image_format=image_format, has_alpha=True))
    expected = WHITE if image_format is ImageFormat.JPEG else NOTHING
    assert is_near(colour_at(seen, 0.1, 0.5), (90, 90, 90))
    through = colour_at(seen, 0.9, 0.5)
    assert is_near(through, expected) if image_format is ImageFormat.JPEG else through[3] <= 2
    filled = opened(transform(content, "w:100,bg:ff00ff", image_format=image_format, has_alpha=True))
    assert is_near(colour_at(filled, 0.9, 0.5), MAGENTA)


def test_a_jpeg_of_what_was_taken_for_opaque() -> None:
    """A recipe without a background makes a JPEG on white of a picture that shines through all the same."""
    structure = inspect_image(make_png(0, 0, picture=Image.new("RGBA", (40, 30), NOTHING)), LIMITS)
    made = transform_picture(structure, Recipe((40, 30), (20, 15), ImageFormat.JPEG, quality=80), overlay=None)
    assert is_near(colour_at(opened(made), 0.5, 0.5), WHITE)


def test_padding_of_nothing() -> None:
    """A picture with transparency is padded with transparency."""
    content = make_png(40, 20, mode="RGBA")
    padded = opened(transform(content, "w:40,h:40,fit:contain", has_alpha=True, image_format=ImageFormat.WEBP))
    assert colour_at(padded, 0.1, 0.05)[3] == 0
    assert colour_at(padded, 0.1, 0.5)[3] > 200


def test_edges_keep_their_colour() -> None:
    """Black behind transparency does not darken the edge of what is resized or blurred."""
    spot = Image.new("RGBA", (100, 100), NOTHING)
    spot.paste((255, 255, 255, 255), (31, 31, 69, 69))
    for text in ("w:37", "blur:3", "blur:30"):
        pixels = np.asarray(opened(transform(make_png(0, 0, picture=spot), text, has_alpha=True)))
        assert pixels[pixels[..., 3] > 30][:, :3].min() > 240


@pytest.mark.parametrize(
    ("mark", "opacity", "expected"),
    [
        ((255, 0, 255, 255), 100, MAGENTA),
        ((255, 0, 255, 255), 50, (237, 15, 142)),
        ((255, 0, 255, 128), 100, (237, 15, 142)),
        ((255, 0, 255, 128), 50, (229, 22, 86)),
        ((255, 0, 255, 0), 100, RED),
    ],
)
def test_a_watermark_lets_the_picture_through(mark: tuple[int, ...], opacity: int, expected: tuple[int, ...]) -> None:
    """Its own transparency and the opacity asked for are both kept to."""
    picture = opened(transform(QUARTERS, f"watermark:{MARK}~nw~50~{opacity}", mark=square(mark, "RGBA")))
    assert is_near(colour_at(picture, 0.1, 0.1), expected, most=3)
    assert is_near(colour_at(picture, 0.9, 0.1), GREEN, most=3)


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA"])
def test_a_coloured_watermark_on_any_picture(mode: str) -> None:
    """A picture in grey takes a mark in colour; one that is transparent stays so around it."""
    content = make_png(200, 100, mode=mode)
    picture = opened(transform(content, f"watermark:{MARK}~ne~20", mark=square(MAGENTA), has_alpha=mode != "L"))
    assert is_near(colour_at(picture, 0.98, 0.05), MAGENTA)
    assert (colour_at(picture, 0.98, 0.95)[3] < 255) == (mode != "L")


@pytest.mark.parametrize(
    "content", [QUARTERS, make_avif(quadrants(400, 300)), make_jpeg(0, 0, picture=quadrants(400, 300))]
)
def test_quality_auto(content: bytes) -> None:
    """Without a quality one is chosen, and the picture is the same."""
    for image_format in FORMATS:
        picture = opened(transform(content, "w:300", image_format=image_format, quality=None))
        assert all(map(is_near, [colour_at(picture, *place) for place in PLACES], (RED, GREEN, BLUE, YELLOW)))


def test_a_higher_quality_takes_more_bytes() -> None:
    """A quality that is asked for is the one that is coded with."""
    content = make_png(0, 0, picture=PHOTO)
    for image_format in (ImageFormat.WEBP, ImageFormat.AVIF, ImageFormat.JPEG):
        low, high = (len(transform(content, f"q:{each}", image_format=image_format).body) for each in (20, 90))
        assert high > 2 * low


def test_a_picture_of_another_size_is_refused() -> None:
    """A recipe for other pixels than those that are stored is not carried out on them."""
    structure = inspect_image(QUARTERS, LIMITS)
    for region in (None, Region(0, 0, 10, 10)):
        with pytest.raises(ImageCorrupt):
            transform_picture(structure, Recipe((400, 299), (10, 10), ImageFormat.PNG, region), overlay=None)


def test_a_watermark_is_never_left_out() -> None:
    """A recipe with a watermark is not carried out without it, nor one without with it."""
    structure = inspect_image(QUARTERS, LIMITS)
    recipe = Recipe((400, 300), (40, 30), ImageFormat.PNG, overlay=Overlay(0, 0, 10, 10, 50))
    with pytest.raises(ValueError, match="watermark"):
        transform_picture(structure, recipe, overlay=None)
    with pytest.raises(ValueError, match="watermark"):
        transform_picture(structure, Recipe((400, 300), (40, 30), ImageFormat.PNG), overlay=structure)


def test_a_box_of_a_picture_that_is_stored_turned() -> None:
    """A box is measured on the upright picture, whatever its file says of turning."""
    content = make_jpeg(0, 0, picture=quadrants(400, 300, orientation=6), orientation=6)
    picture = opened(transform(content, "crop:box~0.5~0~0.5~0.5", stored=(400, 300), decoded=(400, 300)))
    assert all(is_near(colour_at(picture, *place), GREEN) for place in PLACES)
