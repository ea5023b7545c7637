"""Pictures in the formats that Pillow cannot write in every way: TIFF, AVIF and GIF, by libvips and by Pillow.

content = make_tiff(photo(60, 40), compression="lzw", tile=True)
content = make_avif(quadrants(60, 40), orientation=6)
"""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyvips
from PIL import Image

from tests.pictures import exif

_ORIENTATION = 274
_INTERPRETATIONS = {"L": "b-w", "LA": "b-w", "RGB": "srgb", "RGBA": "srgb", "CMYK": "cmyk"}


def make_tiff(picture: Image.Image, *, orientation: int | None = None, **how: Any) -> bytes:
    """A TIFF by libvips; `how` are options of its tiffsave (compression, tile, predictor, bitdepth, premultiply…)."""
    image = as_vips(picture)
    if how.get("tile"):
        how = {"tile_width": 16, "tile_height": 16} | how
    if orientation is not None:
        image.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    return bytes(image.tiffsave_buffer(**how))


def make_tiff16(samples: np.ndarray[Any, np.dtype[np.uint16]], **how: Any) -> bytes:
    """A 16-bit TIFF of samples shaped (height, width, bands)."""
    image = pyvips.Image.new_from_array(samples)
    image = image.copy(interpretation="grey16" if samples.shape[2] <= 2 else "rgb16")
    return bytes(image.tiffsave_buffer(**how))


def make_pillow_tiff(picture: Image.Image, **how: Any) -> bytes:
    """A TIFF by Pillow: palettes, one bit, separate fields of any kind (`tiffinfo`)."""
    return _saved(picture, "TIFF", **how)


def make_planar_tiff(picture: Image.Image) -> bytes:
    """An uncompressed RGB TIFF that stores all reds, then all greens, then all blues (PlanarConfiguration 2)."""
    planes = [np.asarray(plane).tobytes() for plane in picture.split()]
    width, height = picture.size
    header_bytes, entries = 8, 10
    bits_at = header_bytes + sum(map(len, planes))
    lists = struct.pack("<3H3I3I", 8, 8, 8, *(8 + at * len(planes[0]) for at in range(3)), *map(len, planes))
    directory_at = bits_at + len(lists)
    fields = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 3, bits_at), (259, 3, 1, 1), (262, 3, 1, 2)]
    fields += [(273, 4, 3, bits_at + 6), (277, 3, 1, 3), (278, 4, 1, height), (279, 4, 3, bits_at + 18), (284, 3, 1, 2)]
    directory = struct.pack("<H", entries) + b"".join(struct.pack("<HHII", *field) for field in fields) + bytes(4)
    return b"II*\0" + struct.pack("<I", directory_at) + b"".join(planes) + lists + directory


def make_avif(picture: Image.Image, *, orientation: int | None = None, **how: Any) -> bytes:
    """An AVIF by Pillow, which writes an orientation into the container (irot, imir) and not into EXIF."""
    options = {"quality": 90, "speed": 10, "subsampling": "4:4:4"} | how
    if orientation is not None:
        options["exif"] = exif(orientation=orientation)
    return _saved(picture, "AVIF", **options)


def make_deep_avif(picture: Image.Image, *, bits: int) -> bytes:
    """An AVIF of 10 or 12 bits per sample."""
    deep = (as_vips(picture).cast("ushort") * 257).cast("ushort").copy(interpretation="rgb16")
    return bytes(deep.heifsave_buffer(Q=90, effort=0, bitdepth=bits, compression="av1", subsample_mode="off"))


def make_gif(
    frames: Sequence[Image.Image], *, durations: Sequence[int] | int = 100, loop: int | None = 0, **how: Any
) -> bytes:
    """A GIF of these frames; durations in milliseconds, `loop` is the number of repetitions, None is none."""
    options: dict[str, Any] = {"loop": loop} if loop is not None else {}
    if len(frames) > 1:
        options |= {"save_all": True, "append_images": list(frames[1:]), "duration": durations}
    return _saved(frames[0], "GIF", **(options | how))


def make_animated_webp(frames: Sequence[Image.Image], *, durations: Sequence[int], loop: int = 0, **how: Any) -> bytes:
    """An animated WebP of these frames; `loop` is how often it plays, 0 for ever."""
    options = {"save_all": True, "append_images": list(frames[1:]), "duration": list(durations), "loop": loop}
    return _saved(frames[0], "WEBP", **(options | how))


def as_vips(picture: Image.Image) -> Any:
    """The same pixels as a pyvips image."""
    pixels = np.asarray(picture)
    return pyvips.Image.new_from_array(pixels).copy(interpretation=_INTERPRETATIONS[picture.mode])


def _saved(picture: Image.Image, image_format: str, **options: Any) -> bytes:
    target = io.BytesIO()
    picture.save(target, image_format, **options)
    return target.getvalue()
