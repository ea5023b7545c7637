"""Limits on what is sent: bytes, pixels per coding, longest side, frames and their area."""

from __future__ import annotations

from dataclasses import dataclass

from app.core.exceptions import ImageEmpty, ImageTooLarge, ImageTooManyFrames, ImageTooManyPixels
from app.images.formats import FORMATS, PixelClass
from app.images.records import Structure


@dataclass(frozen=True, slots=True)
class PixelLimits:
    """Most pixels of a picture, by how much memory its coding takes; its longest side; frames and their area in all.

    `max_costly_pixels` holds for progressive JPEG, interlaced PNG, lossless WebP, GIF and HEIC.
    """

    max_pixels: int = 100_000_000
    max_side_pixels: int = 30_000
    max_costly_pixels: int = 50_000_000
    max_avif_pixels: int = 40_000_000
    max_frames: int = 1_000
    max_animation_pixels: int = 100_000_000


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
    """Returns when the header's size is within the limits of its coding, and an animation's frames are too.

    Raises:
        ImageTooManyPixels: too many pixels, in one frame or in all, or too long a side.
        ImageTooManyFrames: too many frames. Repeating does not help.
    """
    if max(structure.width, structure.height) > limits.max_side_pixels:
        raise ImageTooManyPixels(
            f"The picture is {structure.width} × {structure.height} pixels; "
            f"no side may be longer than {limits.max_side_pixels}."
        )
    allowed = _allowed_pixels(structure, limits)
    if structure.width * structure.height > allowed:
        raise ImageTooManyPixels(
            f"The picture has {structure.width} × {structure.height} pixels; "
            f"{allowed} are the most for this coding of {structure.format.value}."
        )
    if structure.frames > limits.max_frames:
        raise ImageTooManyFrames(f"The animation has {structure.frames} frames; {limits.max_frames} are the most.")
    _check_animation(structure, limits)


def _allowed_pixels(structure: Structure, limits: PixelLimits) -> int:
    """One cap for all codings would be wrong: a pixel takes from 0.6 to 15 bytes of memory while it is decoded."""
    if FORMATS[structure.format].pixel_class is PixelClass.AVIF:
        return min(limits.max_pixels, limits.max_avif_pixels)
    return min(limits.max_pixels, limits.max_costly_pixels) if structure.is_costly else limits.max_pixels


def _check_animation(structure: Structure, limits: PixelLimits) -> None:
    """Every frame is painted on the whole canvas, however small it is. Of other formats one frame only is decoded."""
    pixels = structure.frames * structure.width * structure.height
    is_animation = structure.frames > 1 and FORMATS[structure.format].keeps_animation
    if is_animation and pixels > limits.max_animation_pixels:
        raise ImageTooManyPixels(
            f"The animation has {structure.frames} frames of {structure.width} × {structure.height} pixels; "
            f"{limits.max_animation_pixels} pixels are the most for all frames together."
        )
