"""Whatever the samples mean, what is rendered is 8-bit sRGB or grey, with alpha only where something shines through."""

from __future__ import annotations

from typing import Any

import numpy as np

from app.services.decoder.vips_library import load_vips

PROFILE = "icc-profile-data"
_ALPHA_MAX = {"uchar": 255, "ushort": 65_535}
_SAMPLED_LEVELS = 9
_BANDS_OF_SPACE = {b"GRAY": 1, b"RGB ": 3, b"CMYK": 4}


def is_plain(image: Any) -> bool:
    """Whether the samples are what is stored: 8-bit sRGB or grey, without a profile."""
    return image.format == "uchar" and image.interpretation in {"srgb", "b-w"} and not has_profile(image)


def has_profile(image: Any) -> bool:
    """Whether a colour profile is attached."""
    return bool(image.get_typeof(PROFILE))


def without_profile(image: Any) -> Any:
    """The same picture, its profile dropped."""
    image = image.copy()
    image.remove(PROFILE)
    return image


def without_idle_profile(image: Any) -> Any:
    """The same picture, its profile dropped where it changes nothing: it is sRGB, broken, or of other channels."""
    if not has_profile(image):
        return image
    colours = _colour_bands(image)
    fits = _BANDS_OF_SPACE.get(image.get(PROFILE)[16:20]) == colours
    if not fits or (colours == 3 and _is_srgb(image)):
        return without_profile(image)
    return image


def to_srgb(image: Any) -> Any:
    """A picture in memory as 8-bit sRGB or b-w; 16 bits are scaled, a profile is converted, then dropped."""
    if has_profile(image):
        image = _converted(image)
    if image.interpretation not in {"srgb", "b-w"}:
        image = image.colourspace("b-w" if image.interpretation == "grey16" else "srgb")
    return image if image.format == "uchar" else image.cast("uchar")


def without_opaque_alpha(image: Any) -> Any:
    """The picture in memory, its alpha dropped where every pixel is opaque."""
    if image.hasalpha() and image[image.bands - 1].min() == _ALPHA_MAX[image.format]:
        return image[: image.bands - 1]
    return image


def _colour_bands(image: Any) -> int:
    return int(image.bands) - (1 if image.hasalpha() else 0)


def _converted(image: Any) -> Any:
    """The picture in sRGB by its own profile; as it is where nobody can read that profile."""
    try:
        converted = _transformed(image).copy_memory()
    except load_vips().Error:
        return without_profile(image)
    # The three channels of a grey picture are alike.
    return converted if _colour_bands(image) > 1 else _first_and_alpha(converted)


def _transformed(image: Any) -> Any:
    return image.icc_transform("srgb", embedded=True, intent="relative", depth=8)


def _is_srgb(image: Any) -> bool:
    """Whether no sample colour changes: libvips takes a broken profile for sRGB, too. Much cheaper than converting."""
    vips = load_vips()
    levels = np.linspace(0, 255, _SAMPLED_LEVELS).round().astype(np.uint8)
    samples = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(_SAMPLED_LEVELS**2, _SAMPLED_LEVELS, 3)
    colours = vips.Image.new_from_array(samples).copy(interpretation="srgb")
    colours.set_type(vips.GValue.blob_type, PROFILE, image.get(PROFILE))
    try:
        moved = np.abs(_transformed(colours).numpy().astype(int) - samples)
    except vips.Error:
        return True
    return bool(moved.max() <= 1)


def _first_and_alpha(image: Any) -> Any:
    grey = image[0].bandjoin(image[3]) if image.hasalpha() else image[0]
    return grey.copy(interpretation="b-w")
