"""Transforms as a delivery does: inspected, planned, made; and looked at by Pillow."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image

from app.images.formats import ImageFormat
from app.images.inspection import inspect_image
from app.images.limits import PixelLimits
from app.images.recipes import Recipe, TransformedImage, plan_recipe
from app.images.records import Structure
from app.images.transform_text import parse_transform
from app.images.transforms import Transform
from app.services.decoder.transforming import transform_picture

FORMATS = (ImageFormat.WEBP, ImageFormat.AVIF, ImageFormat.JPEG, ImageFormat.PNG)
LIMITS = PixelLimits(max_pixels=100_000_000, max_side_pixels=30_000)


def recipe_for(transform: Transform | str, structure: Structure, **arguments: Any) -> Recipe:
    """The recipe of a transform of a stored upright picture, decoded itself."""
    size = (structure.width, structure.height)
    defaults: dict[str, Any] = {
        "preset": None,
        "stored": size,
        "decoded": size,
        "focal_point": None,
        "has_alpha": False,
        "image_format": ImageFormat.PNG,
        "quality": 80,
        "target": 75.0,
        "effort": 0,
    }
    parsed = parse_transform(transform) if isinstance(transform, str) else transform
    return plan_recipe(parsed, **(defaults | arguments))


def transform(
    content: bytes, text: Transform | str, *, mark: bytes | None = None, **arguments: Any
) -> TransformedImage:
    """A stored picture by the transform of this text; `mark` is its watermark."""
    structure = inspect_image(content, LIMITS)
    overlay = inspect_image(mark, LIMITS) if mark else None
    size = (overlay.width, overlay.height) if overlay else None
    recipe = recipe_for(text, structure, **({"overlay_size": size} | arguments))
    return transform_picture(structure, recipe, overlay=overlay)


def opened(transformed: TransformedImage) -> Image.Image:
    """What a browser sees, RGBA; it has the size that the result claims."""
    picture = Image.open(io.BytesIO(transformed.body), formats=[transformed.format.value])
    assert picture.size == (transformed.width, transformed.height)
    return picture.convert("RGBA")


def colour_at(picture: Image.Image, x: float, y: float) -> tuple[int, ...]:
    """The colour at these fractions of width and height."""
    found = picture.getpixel((int(x * (picture.width - 1)), int(y * (picture.height - 1))))
    assert isinstance(found, tuple)
    return found


def is_near(found: tuple[int, ...], expected: tuple[int, ...], *, most: int = 12) -> bool:
    """Whether no channel differs by more than that; a colour without alpha is opaque."""
    whole = (*expected, 255)[:4]
    return all(abs(a - b) <= most for a, b in zip(found, whole, strict=True))
