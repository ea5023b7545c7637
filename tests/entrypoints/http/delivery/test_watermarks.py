"""Watermarks: a public image of the bucket laid over another one."""

from __future__ import annotations

import io
import itertools

import pytest
from PIL import Image

from app.images.transforms import Position, Watermark
from tests.entrypoints.http.conftest import Api, assert_problem
from tests.entrypoints.http.delivery.delivering import picture_of, upload


def plain(colour: str, size: tuple[int, int] = (200, 200)) -> bytes:
    """A picture of one colour."""
    target = io.BytesIO()
    Image.new("RGB", size, colour).save(target, "PNG")
    return target.getvalue()


def colour_at(picture: Image.Image, x: int, y: int) -> str:
    pixel = picture.convert("RGB").getpixel((x, y))
    assert isinstance(pixel, tuple)
    return min({"red": (255, 0, 0), "blue": (0, 0, 255)}.items(), key=lambda named: distance(named[1], pixel))[0]


def distance(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    return sum(abs(a - b) for a, b in itertools.zip_longest(one, other))


@pytest.mark.parametrize(("position", "inside"), [(Position.SOUTH_EAST, (190, 190)), (Position.NORTH_WEST, (10, 10))])
def test_the_watermark_lies_where_it_should(api: Api, position: Position, inside: tuple[int, int]) -> None:
    """It covers its corner in its share of the width, and nothing else."""
    key, mark = upload(api, plain("blue")), upload(api, plain("red"), "property", None)
    url = api.service.image_url(key, format="png", watermark=Watermark(mark, position, scale=20))
    picture = picture_of(api.client.get(url))
    assert colour_at(picture, *inside) == "red"
    assert colour_at(picture, 200 - inside[0], 200 - inside[1]) == "blue"
    assert colour_at(picture, 100, 100) == "blue"


def test_other_watermarks_are_other_pictures(api: Api) -> None:
    """Results with different watermarks have different keys."""
    key = upload(api, plain("blue"))
    for colour in ("red", "white"):
        mark = upload(api, plain(colour), "property", None)
        picture_of(api.client.get(api.service.image_url(key, format="png", watermark=mark)))
    assert len([each for each in api.stored_keys() if "/t-" in each]) == 2


def test_a_private_image_is_no_watermark(api: Api) -> None:
    """No URL shows a private image by laying it over a public one, nor tells whether it is there."""
    key = upload(api, plain("blue"))
    private = [
        upload(api, plain("red"), "document"),
        "documents/123/20241201_143022_a1b2c3d4.jpg",
        "users/123/20241201_143022_a1b2c3d4.jpg",
    ]
    urls = [api.service.image_url(key, format="png", watermark=mark) for mark in private]
    answers = [assert_problem(api.client.get(url), 400, "TRANSFORM_INVALID") for url in urls]
    assert len({answer["detail"] for answer in answers}) == 1
    assert not [each for each in api.stored_keys() if "/t-" in each]
