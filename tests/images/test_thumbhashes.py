"""ThumbHashes as PNGs in a page, beside another decoder and the pictures they were made of."""

from __future__ import annotations

import base64
import io
import random
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from app.images.thumbhashes import MAX_URI_CHARACTERS, find_data_uri
from app.services.decoder.placeholders import describe_picture
from tests.pictures import photo, quadrants
from tests.services.codecs.hash_decoders import ThumbHash
from tests.services.codecs.making import vips_image

HASHES = [
    "1QcSHQRnh493V4dIh4eXh1h4kJUI",
    "YTkGJwaRhWUIt4lbgnhZl3ath2BUBGYA",
    "2fcZFIB3iId/h3iJh4aIYJ2V8g",
    "HBkSHYSIeHiPiHh8eJd4eTN0EEQG",
]


def picture_in(uri: str | None) -> Any:
    """The PNG, decoded and checked by Pillow."""
    assert uri is not None
    image = Image.open(io.BytesIO(base64.b64decode(uri.removeprefix("data:image/png;base64,"))))
    image.load()
    assert image.format == "PNG"
    return image


def hash_of(picture: Image.Image) -> str:
    return describe_picture(vips_image(picture)).thumbhash


@pytest.mark.parametrize("thumbhash", HASHES)
def test_every_pixel_is_as_another_decoder_has_it(thumbhash: str) -> None:
    """A front end that decodes the hash itself shows the same picture as the data URI."""
    shown = picture_in(find_data_uri(thumbhash))
    expected = ThumbHash(thumbhash).picture(shown.width, shown.height, boost=1.25)
    difference = np.abs(np.asarray(shown.convert("RGBA"), float) - expected * 255)
    assert difference.max() <= 1


def test_colour_transparency_and_length_for_any_hash() -> None:
    """Whatever a hash holds, its PNG can be read and is no longer than 1,024 characters."""
    draw = random.Random(3)
    lengths = set()
    for _ in range(300):
        head = bytearray(draw.randbytes(5))
        uri = find_data_uri(base64.b64encode(bytes(head) + draw.randbytes(30)).decode().rstrip("="))
        assert uri is not None
        assert len(uri) <= MAX_URI_CHARACTERS
        shown = picture_in(uri)
        assert shown.mode == ("RGBA" if head[2] & 128 else "RGB")
        lengths.add(max(shown.size))
    assert lengths == {16, 12}, "the smaller size was never needed"


@pytest.mark.parametrize(("width", "height"), [(320, 240), (240, 320), (300, 300), (420, 180)])
def test_placeholder_has_the_shape_and_colour_of_the_photo(width: int, height: int) -> None:
    """What stands in for a portrait is a portrait, in its mean colour."""
    picture = photo(width, height)
    shown = picture_in(find_data_uri(hash_of(picture)))
    assert max(shown.size) == 16
    assert abs(shown.width / shown.height / (width / height) - 1) < 0.25
    difference = np.asarray(shown, float).mean((0, 1)) - np.asarray(picture, float).mean((0, 1))
    assert np.abs(difference).max() < 12


def test_placeholder_is_the_right_way_up() -> None:
    """The corners of a picture are the corners of its placeholder."""
    picture = quadrants(300, 200)
    shown = picture_in(find_data_uri(hash_of(picture))).resize((30, 20))
    for place in [(7, 5), (22, 5), (7, 15), (22, 15)]:
        original = np.asarray(picture.convert("RGB").getpixel((place[0] * 10, place[1] * 10)), float)
        assert np.abs(np.asarray(shown.getpixel(place), float) - original).max() < 100, place


def test_transparency_stays() -> None:
    """A logo on nothing has a placeholder that lets the page through around it."""
    picture = Image.new("RGBA", (200, 200), (0, 0, 0, 0))
    ImageDraw.Draw(picture).ellipse((50, 50, 149, 149), fill=(200, 40, 60, 255))
    alpha = np.asarray(picture_in(find_data_uri(hash_of(picture))).getchannel("A"), int)
    assert alpha[8, 8] > 200
    assert alpha[0, 0] < 60


@pytest.mark.parametrize("text", ["", "AAAA", "AAAAA", "1QcSHQRnh4", "?!"])
def test_texts_that_are_no_hash(text: str) -> None:
    """What others wrote into an image's facts is passed over, never an error."""
    assert find_data_uri(text) is None
