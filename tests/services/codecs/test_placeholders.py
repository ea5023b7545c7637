"""ThumbHash, BlurHash and the dominant colour show the picture that they were made from."""

from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image, ImageDraw

from app.services.decoder.placeholders import describe_picture
from tests.pictures import CORNERS, photo, quadrants
from tests.services.codecs.hash_decoders import ThumbHash, decode_blurhash
from tests.services.codecs.making import vips_image

SIZES = [(320, 240), (240, 320), (320, 320), (320, 80), (60, 320), (17, 5), (1, 1), (2, 300), (900, 600)]

# The middle of each quarter of a picture of 30 by 20 pixels.
PLACES = {"top left": (5, 7), "top right": (5, 22), "bottom left": (15, 7), "bottom right": (15, 22)}


def nearest_corner(shown: np.ndarray) -> str:
    return min(CORNERS, key=lambda corner: float(np.abs(shown * 255 - CORNERS[corner]).sum()))


def linear(values: np.ndarray) -> np.ndarray:
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def colour_of(text: str) -> np.ndarray:
    assert re.fullmatch("#[0-9a-f]{6}", text)
    return np.array([int(text[at : at + 2], 16) for at in (1, 3, 5)])


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_thumbhash_has_colour_and_shape_of_the_picture(width: int, height: int) -> None:
    """What a front end paints first has the picture's mean colour and its aspect ratio."""
    picture = photo(width, height)
    found = ThumbHash(describe_picture(vips_image(picture)).thumbhash)
    expected = np.asarray(picture, float).mean((0, 1)) / 255
    assert np.abs(found.mean_colour - expected).max() < 0.04
    assert not found.has_alpha
    assert abs(found.across - 7 * width / max(width, height)) <= 0.5 + (width < height)
    assert abs(found.down - 7 * height / max(width, height)) <= 0.5 + (height < width)


def test_thumbhash_decodes_to_a_blurred_picture() -> None:
    """Four coloured quarters are four coloured quarters in the placeholder."""
    text = describe_picture(vips_image(quadrants(300, 200))).thumbhash
    shown = ThumbHash(text).picture(30, 20)
    assert {corner: nearest_corner(shown[place][:3]) for corner, place in PLACES.items()} == {x: x for x in PLACES}
    assert "=" not in text


def test_thumbhash_keeps_transparency() -> None:
    """A logo on nothing is shown on nothing, and what is transparent lends it no colour."""
    picture = Image.new("RGBA", (200, 200), (0, 255, 0, 0))
    ImageDraw.Draw(picture).rectangle((50, 50, 149, 149), fill=(200, 40, 60, 255))
    found = ThumbHash(describe_picture(vips_image(picture)).thumbhash)
    assert found.has_alpha
    assert abs(found.alpha - 0.25) < 0.04
    assert np.abs(found.mean_colour * 255 - (200, 40, 60)).max() < 8
    shown = found.picture(20, 20)[..., 3]
    assert shown[10, 10] > 0.7
    assert shown[0, 0] < 0.2


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_blurhash_has_the_colour_of_the_picture(width: int, height: int) -> None:
    """BlurHash's mean is taken in linear light; more components lie along the longer side."""
    picture = photo(width, height)
    text = describe_picture(vips_image(picture)).blurhash
    components, _ = decode_blurhash(text, 1, 1)
    # Without its varying terms, a hash shows its mean.
    _, shown = decode_blurhash(text[:1] + "0" + text[2:6] + "fQ" * 11, 1, 1)
    mean = linear(np.asarray(picture, float) / 255).mean((0, 1))
    assert components == ((4, 3) if width >= height else (3, 4))
    assert np.abs(linear(shown[0, 0]) - mean).max() < 0.01


def test_blurhash_decodes_to_a_blurred_picture() -> None:
    """Four coloured quarters are four coloured quarters in the placeholder."""
    _, shown = decode_blurhash(describe_picture(vips_image(quadrants(300, 200))).blurhash, 30, 20)
    assert {corner: nearest_corner(shown[place]) for corner, place in PLACES.items()} == {x: x for x in PLACES}


def test_blurhash_of_black_is_the_one_everyone_writes() -> None:
    """The reference implementation's hash of a black picture, character by character."""
    black = Image.new("RGB", (64, 48))
    assert describe_picture(vips_image(black)).blurhash == "L00000" + "fQ" * 11


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_every_kind_of_pixels_is_described(mode: str) -> None:
    """Grey pictures and pictures with alpha have placeholders as well, and those of grey ones are grey."""
    found = describe_picture(vips_image(photo(90, 60, mode=mode)))
    thumbhash = ThumbHash(found.thumbhash)
    assert thumbhash.has_alpha == mode.endswith("A")
    assert re.fullmatch("[0-9a-f]{16}", found.dhash)
    if mode.startswith("L"):
        red, green, blue = colour_of(found.dominant_color)
        assert red == green == blue
        assert np.ptp(thumbhash.mean_colour) < 0.03


def test_dominant_colour_is_the_one_that_covers_most() -> None:
    """A wall of one paint gives its colour, not the mean of wall and window."""
    picture = Image.new("RGB", (300, 200), (206, 60, 63))
    ImageDraw.Draw(picture).rectangle((0, 0, 119, 199), fill=(20, 200, 250))
    noisy = np.asarray(picture, float) + np.random.default_rng(0).normal(0, 6, (200, 300, 3))
    found = describe_picture(vips_image(np.clip(noisy, 0, 255).astype(np.uint8))).dominant_color
    assert np.abs(colour_of(found) - (206, 60, 63)).max() <= 4


def test_dominant_colour_is_of_what_is_visible() -> None:
    """The colour under transparency is seen by nobody; where all is transparent, it is black."""
    picture = Image.new("RGBA", (300, 200), (0, 255, 0, 0))
    everything = describe_picture(vips_image(picture))
    ImageDraw.Draw(picture).rectangle((0, 0, 60, 60), fill=(30, 60, 220, 255))
    found = describe_picture(vips_image(picture))
    assert np.abs(colour_of(found.dominant_color) - (30, 60, 220)).max() <= 1
    assert everything.dominant_color == "#000000"
