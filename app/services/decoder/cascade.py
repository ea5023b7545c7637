"""One decode, then each smaller size from the next larger one: the whole picture in every size that a plan needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.images.geometry import Size, upright_size
from app.services.decoder.colours import to_srgb, without_opaque_alpha
from app.services.decoder.opened_images import OpenedImage
from app.services.decoder.vips_library import load_vips

_ALPHA_MAX = {"uchar": 255, "ushort": 65_535}


def build_steps(opened: OpenedImage, sizes: Sequence[Size]) -> list[Any]:
    """The upright picture in these sizes, largest first: pyvips images in memory, 8-bit sRGB or b-w.

    The source is read once, top to bottom. No size may be larger than the one before it.
    """
    return build_smaller(decode_upright(opened, sizes[0]), sizes[1:])


def decode_upright(opened: OpenedImage, size: Size) -> Any:
    """The upright picture in this size and in memory, 8-bit sRGB or b-w; afterwards the source may be let go."""
    # Each copy is let go as soon as the next one is made.
    image = resize(opened.image, upright_size(*size, opened.orientation)).copy_memory()
    image = without_opaque_alpha(to_srgb(image)).copy_memory()
    return _turned(image, opened.orientation)


def build_smaller(largest: Any, sizes: Sequence[Size]) -> list[Any]:
    """The picture in memory, and in each of these sizes, every one made from the one before it."""
    steps = [largest]
    for size in sizes:
        steps.append(resize(steps[-1], size).copy_memory())
    return steps


def resize(image: Any, size: Size) -> Any:
    """The picture in exactly this size, what is transparent weighing nothing."""
    if (image.width, image.height) == size:
        return image
    scales = size[0] / image.width, size[1] / image.height
    if not image.hasalpha():
        return image.resize(scales[0], vscale=scales[1])
    most = _ALPHA_MAX[image.format]
    # Weighed in whole numbers, as libvips' own thumbnails are: three times as fast as in fractions.
    weighed = image.premultiply(max_alpha=most).rint().cast(image.format).resize(scales[0], vscale=scales[1])
    return weighed.unpremultiply(max_alpha=most).rint().cast(image.format)


def _turned(image: Any, orientation: int) -> Any:
    if orientation == 1:
        return image
    upright = image.copy()
    upright.set_type(load_vips().GValue.gint_type, "orientation", orientation)
    return upright.autorot().copy_memory()
