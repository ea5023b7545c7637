"""ThumbHash and BlurHash back to pictures, as a browser does it: the contact sheet shows what a page shows first."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator

import numpy
from numpy.typing import NDArray
from PIL import Image

Plane = NDArray[numpy.float64]
_BASE_83 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~"
_LONGEST_SIDE = 32


def decode_thumbhash(text: str) -> Image.Image:
    """RGBA, longest side 32 pixels; after the reference code of https://evanw.github.io/thumbhash/."""
    content = base64.b64decode(text + "=" * (-len(text) % 4))
    first, second = int.from_bytes(content[:3], "little"), int.from_bytes(content[3:5], "little")
    has_alpha, is_landscape = bool(first >> 23), bool(second >> 15)
    most, other = (5 if has_alpha else 7), max(3, second & 7)
    across, down = (most, other) if is_landscape else (other, most)
    ratio = most / (second & 7) if is_landscape else (second & 7) / most
    width, height = (_LONGEST_SIDE, round(_LONGEST_SIDE / ratio)) if ratio > 1 else (round(_LONGEST_SIDE * ratio), 32)
    factors = _nibbles(content[6 if has_alpha else 5 :])
    size = (width, height)
    lightness = _wave((first & 63) / 63, (first >> 18 & 31) / 31, (across, down), factors, size)
    yellow_blue = _wave((first >> 6 & 63) / 31.5 - 1, (second >> 3 & 63) / 63 * 1.25, (3, 3), factors, size)
    red_green = _wave((first >> 12 & 63) / 31.5 - 1, (second >> 9 & 63) / 63 * 1.25, (3, 3), factors, size)
    alpha = numpy.ones((height, width))
    if has_alpha:
        alpha = _wave((content[5] & 15) / 15, (content[5] >> 4) / 15, (5, 5), factors, size)
    blue = lightness - 2 / 3 * yellow_blue
    red = (3 * lightness - blue + red_green) / 2
    return _to_picture(numpy.stack([red, red - red_green, blue, alpha], axis=-1))


def decode_blurhash(text: str, *, width: int, height: int) -> Image.Image:
    """RGB; after https://github.com/woltapp/blurhash/blob/master/Algorithm.md."""
    counts = _from_base_83(text[0])
    across = counts % 9 + 1
    strongest = (_from_base_83(text[1]) + 1) / 166
    average = _from_base_83(text[2:6])
    colours = [numpy.array([_to_linear(average >> shift & 255) for shift in (16, 8, 0)])]
    for at in range(6, len(text), 2):
        value = _from_base_83(text[at : at + 2])
        steps = numpy.array([value // 361, value // 19 % 19, value % 19]) - 9
        colours.append(numpy.sign(steps) * (steps / 9) ** 2 * strongest)
    picture = numpy.zeros((height, width, 3))
    for at, colour in enumerate(colours):
        wave = numpy.outer(_cosines(at // across, height, centre=0.0), _cosines(at % across, width, centre=0.0))
        picture += wave[..., None] * colour
    return _to_picture(_to_srgb(picture))


def _wave(base: float, scale: float, counts: tuple[int, int], factors: Iterator[int], size: tuple[int, int]) -> Plane:
    """One channel: its mean and the cosines of a triangle of frequencies."""
    across, down = counts
    plane = numpy.full(size[::-1], base)
    for y in range(down):
        x = 0 if y else 1
        while x * down < across * (down - y):
            factor = (next(factors) / 7.5 - 1) * scale
            plane += factor * 2 * numpy.outer(_cosines(y, size[1], centre=0.5), _cosines(x, size[0], centre=0.5))
            x += 1
    return plane


def _cosines(frequency: int, length: int, *, centre: float) -> Plane:
    places: Plane = numpy.cos(math.pi / length * (numpy.arange(length) + centre) * frequency)
    return places


def _nibbles(content: bytes) -> Iterator[int]:
    for byte in content:
        yield from (byte & 15, byte >> 4)


def _from_base_83(text: str) -> int:
    value = 0
    for character in text:
        value = value * 83 + _BASE_83.index(character)
    return value


def _to_linear(value: int) -> float:
    share = value / 255
    return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4


def _to_srgb(linear: Plane) -> Plane:
    clipped = linear.clip(0, 1)
    curved: Plane = numpy.where(clipped <= 0.0031308, clipped * 12.92, 1.055 * clipped ** (1 / 2.4) - 0.055)
    return curved


def _to_picture(shares: Plane) -> Image.Image:
    return Image.fromarray((shares.clip(0, 1) * 255).round().astype(numpy.uint8))
