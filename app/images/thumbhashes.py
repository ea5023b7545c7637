"""ThumbHashes back to pictures small enough to stand in a page: as PNG data URIs, in plain Python.

The hash is read as https://evanw.github.io/thumbhash/ describes it; the PNG written as https://www.w3.org/TR/png-3/ has
it.
"""

from __future__ import annotations

import base64
import binascii
import math
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

MAX_URI_CHARACTERS = 1024
# Seven waves need fourteen samples; a browser smooths what is between. The last side fits whatever the hash is.
_SIDES_PIXELS = (16, 12)
_URI_START = "data:image/png;base64,"
_COLOUR_BOOST = 1.25
_UP = 2
_CACHED_URIS = 4096


@dataclass(frozen=True, slots=True)
class DecodedHash:
    """A placeholder's pixels: RGB, or RGBA with `has_alpha`, a byte per channel, row by row from the top."""

    width: int
    height: int
    has_alpha: bool
    pixels: bytes


@dataclass(frozen=True, slots=True)
class _Wave:
    """One channel: its mean, and the cosines (y, x, amplitude) that vary it."""

    mean: float
    terms: tuple[tuple[int, int, float], ...]


@lru_cache(maxsize=_CACHED_URIS)
def find_data_uri(thumbhash: str) -> str | None:
    """A PNG of at most `MAX_URI_CHARACTERS` in all that shows the hash, or None for a text that is no hash.

    `thumbhash` is base64 with or without padding.
    """
    for side in _SIDES_PIXELS:
        decoded = decode_thumbhash(thumbhash, longest_side=side)
        if decoded is None:
            return None
        uri = _URI_START + base64.b64encode(_write_png(decoded)).decode()
        if len(uri) <= MAX_URI_CHARACTERS:
            return uri
    return None


def decode_thumbhash(thumbhash: str, *, longest_side: int) -> DecodedHash | None:
    """The picture in a hash, `longest_side` pixels wide or high; None for a text that is no hash."""
    try:
        content = base64.b64decode(thumbhash + "=" * (-len(thumbhash) % 4), validate=True)
    except binascii.Error:
        return None
    try:
        return _decode(content, longest_side)
    # It ends before the waves that its head announces.
    except (IndexError, StopIteration):
        return None


def _decode(content: bytes, longest_side: int) -> DecodedHash:
    first, second = int.from_bytes(content[:3], "little"), content[3] | content[4] << 8
    has_alpha, is_landscape = bool(first >> 23), bool(second >> 15)
    most, least = (5 if has_alpha else 7), second & 7
    across, down = (most, max(3, least)) if is_landscape else (max(3, least), most)
    digits = _read_digits(content[6 if has_alpha else 5 :])
    lightness = _read_wave(digits, (first & 63) / 63, (first >> 18 & 31) / 31, (across, down))
    yellow_blue = _read_wave(digits, (first >> 6 & 63) / 31.5 - 1, (second >> 3 & 63) / 63 * _COLOUR_BOOST, (3, 3))
    red_green = _read_wave(digits, (first >> 12 & 63) / 31.5 - 1, (second >> 9 & 63) / 63 * _COLOUR_BOOST, (3, 3))
    waves = [lightness, yellow_blue, red_green]
    if has_alpha:
        waves.append(_read_wave(digits, (content[5] & 15) / 15, (content[5] >> 4) / 15, (5, 5)))
    width, height = _size_of(most, least, is_landscape=is_landscape, longest_side=longest_side)
    planes = [_draw(wave, width, height) for wave in waves]
    return DecodedHash(width, height, has_alpha, bytes(_to_bytes(planes)))


def _size_of(most: int, least: int, *, is_landscape: bool, longest_side: int) -> tuple[int, int]:
    other = max(1, round(longest_side * min(1, least / most)))
    return (longest_side, other) if is_landscape else (other, longest_side)


def _read_digits(content: bytes) -> Iterator[int]:
    for byte in content:
        yield from (byte & 15, byte >> 4)


def _read_wave(digits: Iterator[int], mean: float, scale: float, counts: tuple[int, int]) -> _Wave:
    across, down = counts
    places = [(y, x) for y in range(down) for x in range(across) if x * down < across * (down - y) and (x or y)]
    # A list: out of a generator StopIteration would come as another error.
    terms = [(y, x, (next(digits) / 7.5 - 1) * scale * 2) for y, x in places]
    return _Wave(mean, tuple(terms))


def _draw(wave: _Wave, width: int, height: int) -> list[float]:
    """The channel's values, row by row: first the sums of each row of pixels over y, then over x."""
    columns = _cosines(width)
    rows = _cosines(height)
    plane: list[float] = []
    for at in range(height):
        amplitudes = [0.0] * len(columns)
        amplitudes[0] = wave.mean
        for y, x, amplitude in wave.terms:
            amplitudes[x] += amplitude * rows[y][at]
        waves = [wave for wave in zip(amplitudes, columns, strict=True) if wave[0]]
        plane += [sum(amplitude * column[across] for amplitude, column in waves) for across in range(width)]
    return plane


@lru_cache(maxsize=64)
def _cosines(length: int) -> tuple[tuple[float, ...], ...]:
    """Of the seven frequencies that a hash can hold, at the middle of each pixel."""
    return tuple(tuple(math.cos(math.pi / length * (at + 0.5) * wave) for at in range(length)) for wave in range(7))


def _to_bytes(planes: Sequence[Sequence[float]]) -> Iterator[int]:
    for lightness, yellow_blue, red_green, *alpha in zip(*planes, strict=True):
        blue = lightness - 2 / 3 * yellow_blue
        red = (3 * lightness - blue + red_green) / 2
        for value in (red, red - red_green, blue, *alpha):
            yield round(255 * min(1.0, max(0.0, value)))


def _write_png(picture: DecodedHash) -> bytes:
    channels = 4 if picture.has_alpha else 3
    head = struct.pack(">2I5B", picture.width, picture.height, 8, 6 if picture.has_alpha else 2, 0, 0, 0)
    content = zlib.compress(_filter(picture.pixels, picture.width * channels), 9)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", content) + _chunk(b"IEND", b"")


def _filter(pixels: bytes, row_bytes: int) -> bytes:
    """Each row as its difference from the one above: small numbers, which pack well."""
    above = bytes(row_bytes)
    filtered = bytearray()
    for start in range(0, len(pixels), row_bytes):
        row = pixels[start : start + row_bytes]
        filtered.append(_UP)
        filtered += bytes((here - up) & 255 for here, up in zip(row, above, strict=True))
        above = row
    return bytes(filtered)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
