"""Decoders of ThumbHash and BlurHash, written from their specifications, to check what the service writes."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float64]

_BASE83 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~"


class ThumbHash:
    """What https://evanw.github.io/thumbhash/ says that a hash holds."""

    def __init__(self, text: str) -> None:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        first, second = int.from_bytes(raw[:3], "little"), int.from_bytes(raw[3:5], "little")
        self.lightness = (first & 63) / 63
        self.yellow_blue = (first >> 6 & 63) / 31.5 - 1
        self.red_green = (first >> 12 & 63) / 31.5 - 1
        self.has_alpha = bool(first >> 23)
        self._scales = [(first >> 18 & 31) / 31, (second >> 3 & 63) / 63, (second >> 9 & 63) / 63]
        is_landscape, short, long = bool(second >> 15), second & 7, 5 if self.has_alpha else 7
        self.across, self.down = (long, short) if is_landscape else (short, long)
        self.alpha = (raw[5] & 15) / 15 if self.has_alpha else 1.0
        if self.has_alpha:
            self._scales.append((raw[5] >> 4) / 15)
        body = raw[6 if self.has_alpha else 5 :]
        self._digits = [digit for byte in body for digit in (byte & 15, byte >> 4)]

    @property
    def aspect(self) -> float:
        """Width over height, roughly."""
        return self.across / self.down

    @property
    def mean_colour(self) -> Picture:
        """Red, green and blue from 0 to 1."""
        blue = self.lightness - 2 / 3 * self.yellow_blue
        red = (3 * self.lightness - blue + self.red_green) / 2
        return np.array([red, red - self.red_green, blue])

    def picture(self, width: int, height: int, *, boost: float = 1.0) -> Picture:
        """Red, green, blue and alpha from 0 to 1, shaped (height, width, 4).

        The reference decoder makes up for coarse digits by a `boost` of 1.25 for both colour channels.
        """
        digits = iter(self._digits)
        boosts = [1.0, boost, boost, 1.0]
        sides = [(max(3, self.across), max(3, self.down)), (3, 3), (3, 3), (5, 5)]
        constants = [self.lightness, self.yellow_blue, self.red_green, self.alpha]
        planes = []
        scales = [scale * boost for scale, boost in zip(self._scales, boosts, strict=False)]
        for (across, down), constant, scale in zip(sides, constants, scales, strict=False):
            plane = np.full((height, width), constant)
            for y in range(down):
                for x in range(across):
                    if (x or y) and x * down < across * (down - y):
                        plane += (next(digits) / 7.5 - 1) * scale * 2 * _wave(x, y, width, height, 0.5)
            planes.append(plane)
        lightness, yellow_blue, red_green = planes[:3]
        blue = lightness - 2 / 3 * yellow_blue
        red = (3 * lightness - blue + red_green) / 2
        alpha = planes[3] if self.has_alpha else np.ones_like(red)
        return np.asarray(np.clip(np.stack([red, red - red_green, blue, alpha], axis=-1), 0, 1))


def decode_blurhash(text: str, width: int, height: int) -> tuple[tuple[int, int], Picture]:
    """Components across and down, and the picture in sRGB from 0 to 1.

    As https://github.com/woltapp/blurhash/blob/master/Algorithm.md has it.
    """
    size = _base83(text[0])
    across, down = size % 9 + 1, size // 9 + 1
    assert len(text) == 4 + 2 * across * down
    largest = (_base83(text[1]) + 1) / 166
    average = _base83(text[2:6])
    terms: list[Any] = [_linear(np.array([average >> 16, average >> 8 & 255, average & 255]) / 255)]
    for at in range(6, len(text), 2):
        value = _base83(text[at : at + 2])
        levels = (np.array([value // 361, value // 19 % 19, value % 19]) - 9) / 9
        terms.append(np.sign(levels) * levels**2 * largest)
    light = sum(term * _wave(at % across, at // across, width, height, 0)[..., None] for at, term in enumerate(terms))
    light = np.clip(light, 0, 1)
    return (across, down), np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def _wave(x: int, y: int, width: int, height: int, shift: float) -> Picture:
    across = np.cos(np.pi * x * (np.arange(width) + shift) / width)
    down = np.cos(np.pi * y * (np.arange(height) + shift) / height)
    return np.asarray(np.outer(down, across))


def _linear(value: Picture) -> Picture:
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def _base83(text: str) -> int:
    value = 0
    for character in text:
        value = value * 83 + _BASE83.index(character)
    return value
