"""AVIF by libavif and dav1d through Pillow, HEIC by libheif and libde265 through pi-heif: whole pictures in memory.

libvips reads AVIF too, by libaom: it takes 2.5 times as long and twice the memory.
"""

from __future__ import annotations

import io

import numpy as np
import pi_heif
from PIL import AvifImagePlugin, Image

from app.images.containers.heif_items import read_heif_items
from app.services.decoder.decoder_errors import PYTHON_DECODER_ERRORS, error_of
from app.services.decoder.opened_images import OpenedImage, in_memory, orientation_of
from app.services.decoder.vips_library import load_vips

# A picture has one thread; Pillow would give it one per core.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1
# ITU-T H.273, tables 2 and 3: primaries of Display P3; curves of sRGB, or as good as that, or not said.
_P3_PRIMARIES, _SDR_TRANSFERS = 12, frozenset({1, 2, 6, 13})


def open_avif(content: bytes) -> OpenedImage:
    """The primary picture; how the container turns and mirrors it comes as an orientation, in place of EXIF's."""
    try:
        with Image.open(io.BytesIO(content), formats=["AVIF"]) as picture:
            orientation = orientation_of(picture)
            profile = picture.info.get("icc_profile") or _profile_of_code_points(content)
            pixels = np.asarray(picture)
    except PYTHON_DECODER_ERRORS as error:
        raise error_of(str(error)) from error
    height, width = pixels.shape[:2]
    image = in_memory(pixels, width, height, pixels.size // (width * height), profile)
    return OpenedImage(image, orientation, pixels)


def open_heic(content: bytes) -> OpenedImage:
    """The primary picture; libheif has applied rotation and mirroring, so no orientation is left."""
    try:
        heif = pi_heif.open_heif(content, convert_hdr_to_8bit=True)
        picture = heif[heif.primary_index]
        pixels = picture.data
        bands = len(picture.mode)
        width, height = picture.size
    except PYTHON_DECODER_ERRORS as error:
        raise error_of(str(error)) from error
    profile = picture.info.get("icc_profile") or _profile_of_code_points(content)
    image = in_memory(pixels, picture.stride // bands, height, bands, profile)
    return OpenedImage(image.crop(0, 0, width, height), 1, picture)


def _profile_of_code_points(content: bytes) -> bytes | None:
    """A profile for pictures that name their colours by numbers, as Android's cameras do; None for sRGB."""
    items = read_heif_items(content)
    colours = items.find_property(items.primary, b"colr")
    if not colours or content[colours.start : colours.start + 4] != b"nclx":
        return None
    primaries, transfer = (int.from_bytes(content[colours.start + at : colours.start + at + 2], "big") for at in (4, 6))
    if primaries == _P3_PRIMARIES and transfer in _SDR_TRANSFERS:
        return bytes(load_vips().Image.profile_load("p3"))
    return None
