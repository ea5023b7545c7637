"""What a front end shows before the picture has come, and what tells pictures apart, from a small picture."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Larger pictures are reduced first: it costs time and changes none of the results visibly.
_MAX_SIDE_PIXELS = 400
_REDUCED_SIDE_PIXELS = 256
_TRANSPARENT_BLACK = "#000000"

# ThumbHash: side of the triangle of coefficients of lightness, of colour, of alpha.
_LIGHTNESS_SIDE, _LIGHTNESS_SIDE_WITH_ALPHA, _COLOUR_SIDE, _ALPHA_SIDE = 7, 5, 3, 5

_BLURHASH_LONG, _BLURHASH_SHORT = 4, 3
_BASE83 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~"

# Bins of each colour channel, 32 values wide.
_COLOUR_BINS = 8
_BIN_BITS = 5
_DOMINANT_SAMPLES_PER_SIDE = 64

_DHASH_ROWS, _DHASH_COLUMNS = 8, 8
# Less than half a level of 255 is no difference: rounding must not decide on flat areas.
_DHASH_LIGHTER = 0.5 / 255
# Luma of ITU-R BT.601.
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)

Plane = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class PictureDescription:
    """ThumbHash (base64 without padding), BlurHash, `#rrggbb` of what is visible, and 16 hex digits of dHash."""

    thumbhash: str
    blurhash: str
    dominant_color: str
    dhash: str


def describe_picture(image: Any) -> PictureDescription:
    """Describes a picture (the 320 px step of a cascade, say): pyvips, 8 bit, sRGB or b-w, with or without alpha.

    Half a millisecond for 320 × 240. What is transparent takes the mean colour of what is visible, as ThumbHash has it.
    """
    pixels = _pixels_of(image)
    alpha = pixels[..., 3] if pixels.shape[2] == 4 and pixels[..., 3].min() < 255 else None
    colour = pixels[..., :3]
    dominant = _dominant_color(colour, alpha)
    if alpha is not None:
        colour = _on_mean_colour(colour, alpha)
    values: Plane = colour.astype(np.float32) / np.float32(255)
    return PictureDescription(
        base64.b64encode(_thumbhash(values, alpha)).decode().rstrip("="),
        _blurhash(colour),
        dominant,
        _dhash(values),
    )


def _pixels_of(image: Any) -> NDArray[np.uint8]:
    """Shaped (height, width, 3 or 4)."""
    if max(image.width, image.height) > _MAX_SIDE_PIXELS:
        image = image.thumbnail_image(_REDUCED_SIDE_PIXELS, height=_REDUCED_SIDE_PIXELS, no_rotate=True)
    pixels = np.frombuffer(image.write_to_memory(), np.uint8).reshape(image.height, image.width, image.bands)
    return pixels if image.bands >= 3 else np.concatenate([pixels[..., :1]] * 3 + [pixels[..., 1:]], axis=2)


def _on_mean_colour(colour: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    opacity = alpha[..., None].astype(np.float32) / np.float32(255)
    mean = (colour * opacity).sum((0, 1)) / max(float(opacity.sum()), 1e-6)
    return np.asarray(colour * opacity + mean * (1 - opacity) + 0.5, np.uint8)


def _project(planes: Plane, rows: Plane, columns: Plane) -> Plane:
    """Means of planes × basis functions, shaped (rows, columns, bands); each basis is shaped (functions, samples)."""
    height, width, bands = planes.shape
    by_row = (rows @ planes.reshape(height, width * bands)).reshape(len(rows), width, bands)
    return np.asarray(columns @ by_row / np.float32(width * height), np.float32)


def _cosines(functions: int, samples: int, *, shift: float) -> Plane:
    """cos(π · k · (n + shift) / samples) for each function k and sample n."""
    phases = np.outer(np.arange(functions), np.arange(samples) + shift) * (np.pi / samples)
    return np.cos(phases).astype(np.float32)


def _round(value: float) -> int:
    """Halves go up, as in JavaScript, the language of both reference implementations."""
    return int(np.floor(value + 0.5))


# --- ThumbHash: https://github.com/evanw/thumbhash/blob/main/js/thumbhash.js ---


def _thumbhash(values: Plane, alpha: NDArray[np.uint8] | None) -> bytes:
    height, width, _ = values.shape
    side = _LIGHTNESS_SIDE if alpha is None else _LIGHTNESS_SIDE_WITH_ALPHA
    across = max(1, _round(side * width / max(width, height)))
    down = max(1, _round(side * height / max(width, height)))
    rows, columns = _cosines(_LIGHTNESS_SIDE, height, shift=0.5), _cosines(_LIGHTNESS_SIDE, width, shift=0.5)
    red, green, blue = np.moveaxis(_project(values, rows, columns), 2, 0).astype(float)
    lightness = _thumbhash_channel((red + green + blue) / 3, max(3, across), max(3, down))
    yellow_blue = _thumbhash_channel((red + green) / 2 - blue, _COLOUR_SIDE, _COLOUR_SIDE)
    red_green = _thumbhash_channel(red - green, _COLOUR_SIDE, _COLOUR_SIDE)
    channels = [lightness, yellow_blue, red_green]
    is_landscape = width > height
    header = (
        _round(63 * lightness[0])
        | _round(31.5 + 31.5 * yellow_blue[0]) << 6
        | _round(31.5 + 31.5 * red_green[0]) << 12
        | _round(31 * lightness[1]) << 18
        | (alpha is not None) << 23
        | (down if is_landscape else across) << 24
        | _round(63 * yellow_blue[1]) << 27
        | _round(63 * red_green[1]) << 33
        | is_landscape << 39
    ).to_bytes(5, "little")
    if alpha is not None:
        opacity = alpha[..., None].astype(np.float32) / np.float32(255)
        coefficients = _project(opacity, rows[:_ALPHA_SIDE], columns[:_ALPHA_SIDE])[..., 0].astype(float)
        channels.append(_thumbhash_channel(coefficients, _ALPHA_SIDE, _ALPHA_SIDE))
        header += bytes([_round(15 * channels[3][0]) | _round(15 * channels[3][1]) << 4])
    digits = [_round(15 * factor) for _, _, factors in channels for factor in factors]
    digits += [0] * (len(digits) % 2)
    return bytes([*header, *(low | high << 4 for low, high in zip(digits[::2], digits[1::2], strict=True))])


def _thumbhash_channel(coefficients: NDArray[Any], across: int, down: int) -> tuple[float, float, list[float]]:
    """The constant term, the scale, and the varying terms of the triangle from 0 to 1."""
    varying = [
        float(coefficients[y, x])
        for y in range(down)
        for x in range(across)
        if x * down < across * (down - y) and (x or y)
    ]
    scale = max(map(abs, varying))
    factors = [0.5 + 0.5 / scale * term for term in varying] if scale else varying
    return float(coefficients[0, 0]), scale, factors


# --- BlurHash: https://github.com/woltapp/blurhash/blob/master/Algorithm.md ---


def _linear_light() -> Plane:
    """Light of each 8-bit sRGB value (IEC 61966-2-1)."""
    value = np.arange(256) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)


_LINEAR_LIGHT = _linear_light()


def _blurhash(colour: NDArray[np.uint8]) -> str:
    height, width, _ = colour.shape
    across, down = (_BLURHASH_LONG, _BLURHASH_SHORT) if width >= height else (_BLURHASH_SHORT, _BLURHASH_LONG)
    rows, columns = _cosines(down, height, shift=0), _cosines(across, width, shift=0)
    terms = _project(_LINEAR_LIGHT.take(colour), rows, columns).reshape(-1, 3).astype(float)
    mean, varying = terms[0], 2 * terms[1:]
    step = int(np.clip(np.floor(np.abs(varying).max() * 166 - 0.5), 0, 82))
    scaled = varying / ((step + 1) / 166)
    digits = np.clip(np.floor(np.sign(scaled) * np.sqrt(np.abs(scaled)) * 9 + 9.5), 0, 18).astype(int)
    red, green, blue = (_srgb(light) for light in mean)
    parts = [
        _base83(across - 1 + (down - 1) * 9, 1),
        _base83(step, 1),
        _base83(red << 16 | green << 8 | blue, 4),
        *(_base83(int(digit @ (361, 19, 1)), 2) for digit in digits),
    ]
    return "".join(parts)


def _srgb(light: float) -> int:
    light = min(1.0, max(0.0, light))
    value = light * 12.92 if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055
    return _round(value * 255)


def _base83(value: int, length: int) -> str:
    return "".join(_BASE83[value // 83**place % 83] for place in reversed(range(length)))


# --- Dominant colour ---


def _dominant_color(colour: NDArray[np.uint8], alpha: NDArray[np.uint8] | None) -> str:
    """The mean of the fullest 64 × 64 × 64 cube of colours; cubes overlap by half, so none is cut in two."""
    stride = max(1, min(colour.shape[:2]) // _DOMINANT_SAMPLES_PER_SIDE)
    samples = colour[::stride, ::stride].reshape(-1, 3)
    visible = None if alpha is None else alpha[::stride, ::stride].reshape(-1).astype(float)
    if visible is not None and not visible.any():
        return _TRANSPARENT_BLACK
    bins = (samples >> _BIN_BITS).astype(np.int64)
    flat = (bins[:, 0] * _COLOUR_BINS + bins[:, 1]) * _COLOUR_BINS + bins[:, 2]
    counts = np.bincount(flat, visible, minlength=_COLOUR_BINS**3).reshape((_COLOUR_BINS,) * 3)
    full = counts[:-1] + counts[1:]
    full = full[:, :-1] + full[:, 1:]
    full = full[..., :-1] + full[..., 1:]
    corner = np.array(np.unravel_index(int(full.argmax()), full.shape))
    inside = np.logical_and.reduce((bins - corner).T >> 1 == 0)
    red, green, blue = np.average(samples[inside], axis=0, weights=None if visible is None else visible[inside])
    return f"#{_round(red):02x}{_round(green):02x}{_round(blue):02x}"


# --- dHash: https://www.hackerfactor.com/blog/index.php?/archives/529-Kind-of-Like-That.html ---


def _dhash(values: Plane) -> str:
    """A bit per cell of 8 × 8, set where the next of 9 cells in its row is lighter; each cell is a mean of its area."""
    height, width, _ = values.shape
    shares = _project(values, _areas(_DHASH_ROWS, height), _areas(_DHASH_COLUMNS + 1, width))
    grey = shares @ _LUMA * (_DHASH_ROWS * (_DHASH_COLUMNS + 1))
    return np.packbits(grey[:, 1:] - grey[:, :-1] > _DHASH_LIGHTER).tobytes().hex()


def _areas(cells: int, samples: int) -> Plane:
    """How much of each sample each cell covers, shaped (cells, samples): resampling by area, whatever the size."""
    edges = np.arange(cells + 1) * (samples / cells)
    left, right = edges[:-1, None], edges[1:, None]
    sample = np.arange(samples)
    covered = np.minimum(right, sample + 1) - np.maximum(left, sample)
    return np.asarray(np.maximum(covered, 0), np.float32)
