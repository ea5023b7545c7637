"""Pictures as the encoders get them: pyvips images in memory, from arrays and from Pillow."""

from __future__ import annotations

import io
from functools import cache
from typing import Any

import numpy as np
import pyvips
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tests.services.codecs.ssimulacra2 import ssimulacra2


def vips_image(picture: Image.Image | NDArray[np.uint8]) -> Any:
    """The same pixels as a pyvips image in memory, 8 bit, sRGB or b-w."""
    pixels = np.asarray(picture)
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    height, width, bands = pixels.shape
    interpretation = "b-w" if bands < 3 else "srgb"
    image = pyvips.Image.new_from_memory(pixels.tobytes(), width, height, bands, "uchar")
    return image.copy(interpretation=interpretation).copy_memory()


def decoded(body: bytes) -> Image.Image:
    """The file as Pillow decodes it."""
    image = Image.open(io.BytesIO(body), formats=["JPEG", "PNG", "WEBP", "AVIF"])
    image.load()
    return image


def mean_error(body: bytes, picture: Image.Image) -> float:
    """Mean difference of decoded and original samples, from 0 to 255."""
    mode = "RGBA" if picture.mode in {"RGBA", "LA"} else "RGB"
    theirs = np.asarray(decoded(body).convert(mode), float)
    return float(np.abs(theirs - np.asarray(picture.convert(mode), float)).mean())


@cache
def landscape(width: int = 640, height: int = 480, *, seed: int = 0) -> Image.Image:
    """Sky, hills, leaves and a house: smooth, textured and sharp parts, as photos have."""
    random = np.random.default_rng(seed)
    texture = random.normal(0, 1, (2 * height, 2 * width, 3)).cumsum(0).cumsum(1)
    texture = (texture - texture.mean((0, 1))) / texture.std((0, 1)) * 60 + 120 + random.normal(0, 14, texture.shape)
    texture[: 2 * height // 3] = np.linspace((90, 140, 220), (220, 225, 235), 2 * height // 3)[:, None]
    image = Image.fromarray(np.clip(texture, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    draw.rectangle((width // 3, height // 2, width, height * 3 // 2), fill=(180, 90, 60))
    for at in range(6):
        draw.rectangle((width // 3 + 60 * at, height * 3 // 4, width // 3 + 60 * at + 30, height), fill=(40, 50, 70))
    return image.resize((width, height), Image.Resampling.LANCZOS)


def judged(picture: Image.Image, body: bytes) -> float:
    """The SSIMULACRA2 score of a file of the picture."""
    return ssimulacra2(np.asarray(picture.convert("RGB")), np.asarray(decoded(body).convert("RGB")))
