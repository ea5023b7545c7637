"""Pixels to files: one table of encoders, each with its meaning of effort, none of them leaving metadata behind.

Importing this module loads the codecs, so that a worker can do it before it locks itself in.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import AvifImagePlugin, Image, WebPImagePlugin

from app.images.cleanup import clean_copy
from app.images.formats import ImageFormat
from app.services.decoder.drawings import is_drawn
from app.services.decoder.jpeg_tables import quantisation_tables

# Pillow imports its plugins at the first save, from files that a confined worker cannot read.
Image.preinit()
_PLUGINS = (AvifImagePlugin, WebPImagePlugin)
_PILLOW_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}

# How each effort from 0 to 9 is meant; why, with figures: docs/adr/0017-formats-and-efforts.md.
_PROGRESSIVE_EFFORT = 3
_WEBP_METHODS = (2, 2, 2, 4, 4, 4, 5, 5, 6, 6)
# Pillow's default of 80 takes five times as long on a photo (5.7 s at 5 MP) and saves less than a thousandth.
_WEBP_LOSSLESS_SEARCH = (50, 50, 50, 50, 50, 50, 80, 80, 80, 80)
_AVIF_SPEEDS = (9, 9, 8, 8, 7, 7, 6, 6, 5, 4)
# Letters and lines take half the bytes with whole colour, at the first speed that looks for palettes and repetitions.
_AVIF_DRAWING_SPEED = 8
_PNG_COMPRESSIONS = (6, 6, 6, 6, 6, 9, 9, 9, 9, 9)
# Searching for the best coefficients takes a fifth of the time at the highest speed and saves a fiftieth of the bytes.
_AVIF_QUICKEST = {"disable-trellis-quant": "1"}

_PNG_PALETTE_COLOURS = 256
_PALETTE_SAMPLE_STRIDE = 7


def encode(image: Any, image_format: ImageFormat, *, quality: int | None, effort: int) -> bytes:
    """A pyvips image in memory (8 bit; sRGB or b-w, with or without alpha) as a file free of any metadata.

    `quality` goes from 1 to 100; None means lossless for WebP, and PNG ignores it. `effort` goes from 0 (fast) to 9.
    The same number means about the same similarity to the source in JPEG and WebP, not in AVIF.

    Raises:
        ValueError: the format is not written, lacks the alpha that the picture has, or needs a quality.
    """
    if image_format not in _ENCODERS:
        raise ValueError(f"{image_format} is not written")
    return clean_copy(image_format, _ENCODERS[image_format](image, quality, effort))


def _jpeg(image: Any, quality: int | None, effort: int) -> bytes:
    if image.hasalpha() or quality is None:
        raise ValueError("JPEG has neither alpha nor lossless pictures")
    picture = _picture(image)
    options: dict[str, Any] = {"qtables": quantisation_tables(quality), "subsampling": "4:2:0", "optimize": True}
    # Most pictures are shorter as a progressive JPEG, small ones are not.
    codings = (False, True) if effort >= _PROGRESSIVE_EFFORT else (False,)
    return min((_saved(picture, "JPEG", progressive=each, **options) for each in codings), key=len)


def _webp(image: Any, quality: int | None, effort: int) -> bytes:
    method = _WEBP_METHODS[effort]
    if quality is None:
        return _saved(_picture(image), "WEBP", lossless=True, method=method, quality=_WEBP_LOSSLESS_SEARCH[effort])
    return _saved(_picture(image), "WEBP", quality=quality, method=method)


def _avif(image: Any, quality: int | None, effort: int) -> bytes:
    if quality is None:
        raise ValueError("AVIF is not written without loss")
    options: dict[str, Any] = {"advanced": _AVIF_QUICKEST} if effort == 0 else {}
    speed = _AVIF_SPEEDS[effort]
    if is_drawn(image):
        options["subsampling"] = "4:4:4"
        speed = min(speed, _AVIF_DRAWING_SPEED)
    # Pictures run in parallel instead of the tiles of one picture.
    return _saved(_picture(image), "AVIF", quality=quality, speed=speed, codec="aom", max_threads=1, **options)


def _picture(image: Any) -> Image.Image:
    """For Pillow: its libjpeg-turbo, libwebp and libaom are a tenth to a quarter faster than those that libvips has."""
    mode = _PILLOW_MODES[image.bands]
    return Image.frombuffer(mode, (image.width, image.height), image.write_to_memory(), "raw", mode, 0, 1)


def _saved(picture: Image.Image, name: str, **options: Any) -> bytes:
    target = io.BytesIO()
    picture.save(target, name, **options)
    return target.getvalue()


# --- PNG ---


def _png(image: Any, _: int | None, effort: int) -> bytes:
    """With a palette where there are few colours; else with the row filters that suit the picture: none or all."""
    compression = _PNG_COMPRESSIONS[effort]
    if paletted := _find_palette(image):
        return _saved(paletted.picture, "PNG", compress_level=compression, bits=paletted.bits, **paletted.transparency)
    candidates = [image.pngsave_buffer(compression=compression, filter=rows, keep="none") for rows in ("none", "all")]
    return bytes(min(candidates, key=len))


@dataclass(frozen=True, slots=True)
class _Paletted:
    picture: Image.Image
    bits: int
    transparency: dict[str, bytes]


def _find_palette(image: Any) -> _Paletted | None:
    """The same picture as indices if it has at most 256 colours, alpha included; None for grey, which gains nothing."""
    if image.bands < 3:
        return None
    pixels = np.frombuffer(image.write_to_memory(), np.uint8).reshape(-1, image.bands)
    if image.bands == 3:
        packed = np.concatenate([pixels, np.full((len(pixels), 1), 255, np.uint8)], axis=1).view(np.uint32)[:, 0]
    else:
        packed = pixels.view(np.uint32)[:, 0]
    if len(_distinct(packed[::_PALETTE_SAMPLE_STRIDE])) > _PNG_PALETTE_COLOURS:
        return None
    colours = _distinct(packed)
    if len(colours) > _PNG_PALETTE_COLOURS:
        return None
    indices = np.searchsorted(colours, packed)
    picture = Image.frombytes("P", (image.width, image.height), indices.astype(np.uint8).tobytes())
    entries = colours.view(np.uint8).reshape(-1, 4)
    picture.putpalette(entries[:, :3].tobytes())
    bits = next(bits for bits in (1, 2, 4, 8) if len(colours) <= 1 << bits)
    alphas = entries[:, 3]
    return _Paletted(picture, bits, {"transparency": alphas.tobytes()} if alphas.min() < 255 else {})


def _distinct(values: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """In ascending order; numpy's own `unique` imports modules at its first use, which a confined worker cannot."""
    ordered = np.sort(values)
    return np.asarray(ordered[np.concatenate([[True], ordered[1:] != ordered[:-1]])])


_ENCODERS: dict[ImageFormat, Callable[[Any, int | None, int], bytes]] = {
    ImageFormat.JPEG: _jpeg,
    ImageFormat.PNG: _png,
    ImageFormat.WEBP: _webp,
    ImageFormat.AVIF: _avif,
}
