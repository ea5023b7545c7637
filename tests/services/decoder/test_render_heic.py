"""Photos of phones that write HEIC come out as JPEGs: upright once, in the right colours, refused when damaged."""

from __future__ import annotations

import io
import random

import numpy as np
import pytest
from PIL import Image, ImageCms

from app.core.exceptions import ImageCorrupt, ImageError, ImageTooManyPixels, ImageTruncated
from app.images.formats import ImageFormat
from tests.heic_pictures import make_heic
from tests.icc_profiles import display_p3
from tests.pictures import CANARY, decode, pixels_of, quadrants
from tests.services.decoder.rendering import render

PICTURE = quadrants(96, 64)
CONTENT = make_heic(PICTURE)
# Counter-clockwise, as the container counts.
TURNS = {0: 0, 1: Image.Transpose.ROTATE_90, 2: Image.Transpose.ROTATE_180, 3: Image.Transpose.ROTATE_270}


def difference(body: bytes, expected: Image.Image) -> float:
    return float(np.abs(pixels_of(body) - np.asarray(expected, dtype=np.float64)).mean())


def test_a_heic_photo_is_stored_as_a_jpeg() -> None:
    """Browsers do not show HEIC, so it is stored as a JPEG that looks the same."""
    rendered = render(CONTENT)
    assert (rendered.format, rendered.width, rendered.height) == (ImageFormat.JPEG, 96, 64)
    assert (rendered.source.format, rendered.source.file_size) == (ImageFormat.HEIC, len(CONTENT))
    assert difference(rendered.body, PICTURE) < 4


@pytest.mark.parametrize("orientation", [None, 1, 3, 6, 8])
@pytest.mark.parametrize("turns", TURNS)
def test_a_heic_photo_is_turned_exactly_once(turns: int, orientation: int | None) -> None:
    """Phones write how they were held twice, in the container and in EXIF: only the container's word counts."""
    rendered = render(make_heic(PICTURE, quarter_turns=turns, orientation=orientation))
    expected = PICTURE.transpose(Image.Transpose(TURNS[turns])) if turns else PICTURE
    assert (rendered.width, rendered.height) == expected.size
    assert (rendered.source.width, rendered.source.height) == expected.size
    assert difference(rendered.body, expected) < 4
    assert decode(rendered.body).getexif() == {}


def test_a_heic_photo_is_scaled() -> None:
    """The limit of the stored size holds for every format."""
    rendered = render(CONTENT, max_side_pixels=48)
    assert decode(rendered.body).size == (48, 32)


def test_wide_colours_of_a_heic_photo_are_converted() -> None:
    """The wide colours of a phone look the same after upload, and its profile is not stored."""
    icc = display_p3(CANARY)
    source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    expected = ImageCms.profileToProfile(PICTURE, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    assert expected is not None
    rendered = render(make_heic(PICTURE, icc=icc))
    assert difference(rendered.body, expected) < 4
    assert difference(rendered.body, PICTURE) > 8
    assert CANARY.encode() not in rendered.body


@pytest.mark.parametrize("tenths", range(1, 10))
def test_a_cut_heic_photo_is_refused(tenths: int) -> None:
    """A photo of which only a part arrived is refused."""
    with pytest.raises((ImageTruncated, ImageCorrupt)):
        render(CONTENT[: len(CONTENT) * tenths // 10])


@pytest.mark.parametrize("size", [(32, 32), (96, 32), (95, 64), (2000, 2000)])
def test_a_heic_photo_that_lies_about_its_size_is_refused(size: tuple[int, int]) -> None:
    """The size that the limits were checked against is the size that is decoded."""
    with pytest.raises(ImageCorrupt):
        render(_announcing(size))


def test_a_heic_photo_that_announces_too_many_pixels_is_refused() -> None:
    """The limit for this costly coding holds before anything is decoded."""
    with pytest.raises(ImageTooManyPixels):
        render(_announcing((20_000, 4_000)))


def _announcing(size: tuple[int, int]) -> bytes:
    at = CONTENT.index(b"ispe") + 8
    return CONTENT[:at] + size[0].to_bytes(4, "big") + size[1].to_bytes(4, "big") + CONTENT[at + 8 :]


def test_damage_in_a_heic_photo_gives_a_whole_picture_or_an_error_of_ours() -> None:
    """Damage on the way is refused as such, or leaves a picture with all its rows; nothing else ever happens."""
    dice = random.Random("heic")
    for _ in range(150):
        content = bytearray(CONTENT)
        for _ in range(dice.choice([1, 1, 3, 10])):
            content[dice.randrange(24, dice.choice([700, len(content)]))] = dice.randrange(256)
        try:
            rendered = render(bytes(content))
        except ImageError:
            continue
        assert decode(rendered.body).size == (rendered.width, rendered.height)
