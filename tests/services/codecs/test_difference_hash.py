"""The perceptual hash: near for the same picture in another file, far for other pictures."""

from __future__ import annotations

import io
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from app.services.decoder.placeholders import describe_picture
from tests.pictures import photo, quadrants
from tests.services.codecs.making import vips_image


def scene(seed: int, *, width: int = 640, height: int = 480) -> Image.Image:
    """A few lamps in the dark, elsewhere for each seed: large shapes, as photos have."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / (height, width)[0]
    pixels = np.zeros((height, width, 3)) + random.uniform(20, 60, 3)
    for _ in range(12):
        distance = (x - random.uniform(0, width / height)) ** 2 + (y - random.uniform(0, 1)) ** 2
        pixels += np.exp(-distance / random.uniform(0.004, 0.05))[..., None] * random.uniform(20, 160, 3)
    return Image.fromarray(np.clip(pixels + random.normal(0, 3, pixels.shape), 0, 255).astype(np.uint8))


def dhash(picture: Image.Image) -> int:
    return int(describe_picture(vips_image(picture)).dhash, 16)


def distance(one: Image.Image, other: Image.Image) -> int:
    return (dhash(one) ^ dhash(other)).bit_count()


def recoded(picture: Image.Image, name: str, **options: object) -> Image.Image:
    target = io.BytesIO()
    picture.save(target, name, **options)
    return Image.open(target).convert("RGB")


@pytest.mark.parametrize("seed", range(6))
def test_bits_say_where_it_gets_lighter(seed: int) -> None:
    """The published definition: 9 × 8 means of grey, a bit for each that is followed by a lighter one, row by row."""
    picture = scene(seed, width=360, height=320)
    grey = np.asarray(picture.convert("L").resize((9, 8), Image.Resampling.BOX), int)
    bits = "".join("1" if right > left else "0" for row in grey for left, right in pairwise(row))
    assert (dhash(picture) ^ int(bits, 2)).bit_count() <= 3


@pytest.mark.parametrize("seed", range(6))
def test_another_file_of_a_picture_is_near(seed: int) -> None:
    """Smaller, recompressed, a little brighter or grey: still the same picture, to within six bits of 64."""
    picture = scene(seed)
    others = {
        "jpeg": recoded(picture, "JPEG", quality=40),
        "webp": recoded(picture, "WEBP", quality=40),
        "smaller": picture.resize((213, 160)),
        "other shape of pixels": picture.resize((300, 300)),
        "brighter": ImageEnhance.Brightness(picture).enhance(1.1),
        "grey": picture.convert("L"),
    }
    assert {name: distance(picture, other) for name, other in others.items() if distance(picture, other) > 6} == {}


def test_other_pictures_are_far() -> None:
    """Different pictures differ in many bits, so a threshold of ten tells them apart."""
    pictures = [scene(seed) for seed in range(8)] + [photo(320, 240), quadrants(320, 240)]
    distances = [distance(one, other) for at, one in enumerate(pictures) for other in pictures[:at]]
    assert min(distances) > 10


def test_even_pictures_have_no_bits() -> None:
    """Rounding decides nothing: one colour all over is the hash of nothing, whatever its size."""
    hashes = {dhash(Image.new("RGB", size, (77, 130, 201))) for size in [(320, 240), (333, 217), (9, 8), (5, 3)]}
    assert hashes == {0}


def test_transparent_parts_do_not_count() -> None:
    """Colours under full transparency change nothing."""
    hidden, plain = scene(1).convert("RGBA"), scene(1).convert("RGBA")
    alpha = Image.new("L", hidden.size, 255)
    alpha.paste(0, (0, 0, 320, 240))
    plain.paste((0, 0, 0, 255), (0, 0, 320, 240))
    for picture in (hidden, plain):
        picture.putalpha(alpha)
    assert dhash(hidden) == dhash(plain)
