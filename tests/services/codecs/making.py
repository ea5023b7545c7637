"""Pictures as the encoders get them: pyvips images in memory, from arrays and from Pillow."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pyvips
from numpy.typing import NDArray
from PIL import Image


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
