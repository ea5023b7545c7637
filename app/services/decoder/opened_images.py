"""A picture that a decoder has opened, in the one shape that rendering knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from PIL import Image

from app.services.decoder.colours import PROFILE
from app.services.decoder.vips_library import load_vips

_ORIENTATION = "orientation"
_EXIF_ORIENTATION = 0x0112
_ORIENTATIONS = range(1, 9)


@dataclass(frozen=True, slots=True)
class OpenedImage:
    """A pyvips image whose pixels are decoded from top to bottom as they are read, and how to turn it upright.

    `orientation` is EXIF's, 1 to 8; it is 1 where the decoder has turned the picture already. `memory` is what the
    pixels lie in where libvips does not own them: it must outlive every use of the image.
    """

    image: Any
    orientation: int
    memory: object = None


def opened_by_vips(image: Any) -> OpenedImage:
    """What a loader of libvips has opened, with the orientation that it read."""
    orientation = image.get(_ORIENTATION) if image.get_typeof(_ORIENTATION) else 1
    return OpenedImage(image, orientation if orientation in _ORIENTATIONS else 1)


def orientation_of(picture: Image.Image) -> int:
    """EXIF's orientation of a picture that Pillow has opened, 1 to 8."""
    orientation = picture.getexif().get(_EXIF_ORIENTATION, 1)
    return orientation if orientation in _ORIENTATIONS else 1


def in_memory(pixels: Any, width: int, height: int, bands: int, profile: bytes | None) -> Any:
    """A pyvips image around 8-bit samples, which must outlive it."""
    image = load_vips().Image.new_from_memory(pixels, width, height, bands, "uchar")
    image = image.copy(interpretation="srgb" if bands >= 3 else "b-w")
    if profile:
        image.set_type(load_vips().GValue.blob_type, PROFILE, profile)
    return image
