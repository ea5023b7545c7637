"""Limits on what is sent: bytes, pixels per format, longest side."""

from __future__ import annotations

from dataclasses import dataclass

from app.core.exceptions import ImageEmpty, ImageTooLarge, ImageTooManyPixels
from app.images.records import Structure

# Costly codings take 2 to 8 times the memory per pixel while decoding.
_COSTLY_DIVISOR = 2


@dataclass(frozen=True, slots=True)
class PixelLimits:
    """Most pixels of a picture (half for costly codings) and its longest side, in pixels."""

    max_pixels: int
    max_side_pixels: int


def check_file_size(size: int, *, max_bytes: int) -> None:
    """Returns when the file is neither empty nor too large.

    Raises:
        ImageEmpty: zero bytes.
        ImageTooLarge: over `max_bytes`. Repeating does not help.
    """
    if size == 0:
        raise ImageEmpty
    if size > max_bytes:
        raise ImageTooLarge(f"The file is larger than {max_bytes} bytes.")


def check_pixels(structure: Structure, limits: PixelLimits) -> None:
    """Returns when the header's size is within the limits of its coding.

    Raises:
        ImageTooManyPixels: too many pixels or too long a side. Repeating does not help.
    """
    if max(structure.width, structure.height) > limits.max_side_pixels:
        raise ImageTooManyPixels(
            f"The picture is {structure.width} × {structure.height} pixels; "
            f"no side may be longer than {limits.max_side_pixels}."
        )
    allowed = limits.max_pixels // (_COSTLY_DIVISOR if structure.is_costly else 1)
    if structure.width * structure.height > allowed:
        raise ImageTooManyPixels(
            f"The picture has {structure.width} × {structure.height} pixels; "
            f"{allowed} are the most for this coding of {structure.format.value}."
        )
