"""EXIF: the one thing in it that changes how a picture looks, its orientation; all the rest stays out of decoders."""

from __future__ import annotations

import struct

from app.core.exceptions import ImageError
from app.images.containers.tiff import tiff_directories

_UPRIGHT = 1
_ORIENTATION, _SHORT = 0x0112, 3
_PREFIX = b"Exif\0\0"


def find_orientation(exif: bytes) -> int:
    """1 to 8, as EXIF numbers them; 1 where it says nothing, or nothing that can be understood.

    The bytes may begin with `Exif\\0\\0`, as in JPEG, or with the TIFF header behind it.
    """
    try:
        for directory in tiff_directories(exif.removeprefix(_PREFIX)):
            values = directory.numbers(exif.removeprefix(_PREFIX), _ORIENTATION)
            return values[0] if len(values) == 1 and 1 <= values[0] <= 8 else _UPRIGHT
    except ImageError:
        # Damaged EXIF is no damage to the picture.
        return _UPRIGHT
    return _UPRIGHT


def write_orientation(orientation: int) -> bytes:
    """An EXIF block of 26 bytes, TIFF header first, that holds an orientation and nothing else."""
    return b"MM\0*\0\0\0\x08" + struct.pack(">HHHIHHI", 1, _ORIENTATION, _SHORT, 1, orientation, 0, 0)
