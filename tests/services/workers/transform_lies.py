"""What a worker that was taken over might answer to a recipe: each lie is the true answer with one thing wrong."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from PIL import Image

from app.images.cleanup import clean_copy
from app.images.formats import ImageFormat
from app.images.recipes import Recipe, TransformedImage
from tests.services.workers.jobs import picture

Lie = Callable[[Recipe], TransformedImage]


def honest(recipe: Recipe) -> TransformedImage:
    """A picture of one colour in the format and the size asked for."""
    return TransformedImage(picture(recipe.format, recipe.size), recipe.format, *recipe.size)


def answer(**changes: Any) -> Lie:
    """The true answer, but for these changes."""
    return lambda recipe: replace(honest(recipe), **changes)


def moving(count: int) -> bytes:
    """An animation of 40 by 30 pixels."""
    frames = [Image.new("RGB", (40, 30), (90 * number, 0, 0)) for number in range(count)]
    target = io.BytesIO()
    frames[0].save(target, "WEBP", save_all=True, append_images=frames[1:], duration=100)
    return clean_copy(ImageFormat.WEBP, target.getvalue())


def _resized(recipe: Recipe) -> TransformedImage:
    return honest(replace(recipe, scaled=(41, 30)))


def _recoded(recipe: Recipe) -> TransformedImage:
    return honest(replace(recipe, format=ImageFormat.PNG))


def _cut_short(recipe: Recipe) -> TransformedImage:
    return replace(honest(recipe), body=honest(recipe).body[:-8])


# Of a recipe for a WebP of 40 by 30.
TRANSFORM_LIES: dict[str, Lie] = {
    "another size": _resized,
    "another format": _recoded,
    "another size than claimed": answer(body=picture(ImageFormat.WEBP, (41, 30))),
    "another format than claimed": answer(body=picture(ImageFormat.PNG, (40, 30))),
    "claims another width": answer(width=41),
    "claims another height": answer(height=29),
    "claims another format": answer(format=ImageFormat.AVIF),
    "cut short": _cut_short,
    "empty": answer(body=b""),
    "a script": answer(body=b"<script>alert(1)</script>"),
    "with metadata": answer(body=picture(ImageFormat.WEBP, (40, 30), exif=b"Exif\0\0smuggled")),
    "with a trailer": answer(body=picture(ImageFormat.WEBP, (40, 30)) + b"smuggled"),
    "frames that are not there": answer(frames=2),
    "no frames": answer(frames=0),
    "frames that were not asked for": answer(body=moving(2), frames=2),
    "width is a text": answer(width="40"),
}
