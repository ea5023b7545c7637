"""The frames of an animation, one after the other, each whole: disposal and blending are done by the decoder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from PIL import _webp

from app.core.exceptions import ImageCorrupt
from app.images.containers.exif import find_orientation
from app.images.formats import ImageFormat
from app.images.records import Structure
from app.services.decoder.colours import has_profile, without_idle_profile
from app.services.decoder.decoder_errors import PYTHON_DECODER_ERRORS, error_of
from app.services.decoder.opened_images import OpenedImage, in_memory
from app.services.decoder.vips_library import load_vips


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame, as it is shown, and for how many milliseconds. Its pixels must be read before the next frame's."""

    opened: OpenedImage
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Frames:
    """An animation being read; `plays` is how often it runs through, 0 for ever."""

    plays: int
    frames: Iterator[Frame]


def open_frames(structure: Structure) -> Frames:
    """The animation of a file, of the size and length that its container announced. Frames are decoded one by one.

    Raises:
        ImageTruncated, ImageCorrupt: it cannot be decoded; also while the frames are read.
    """
    return _OPENERS[structure.format](structure)


def _open_gif(structure: Structure) -> Frames:
    """libvips tells the runs as browsers count them (one more than the repetitions written) and mends no durations."""
    vips = load_vips()
    roll = vips.Image.gifload_buffer(structure.decodable, n=-1, access="sequential", fail_on="error")
    count = roll.get("n-pages")
    height = roll.height // count
    if (roll.width, height) != (structure.width, structure.height) or count > structure.frames:
        raise ImageCorrupt
    return Frames(roll.get("loop"), _gif_frames(roll, height))


def _gif_frames(roll: Any, height: int) -> Iterator[Frame]:
    for at, duration in enumerate(roll.get("delay")):
        yield Frame(OpenedImage(roll.crop(0, at * height, roll.width, height), 1), duration)


def _open_webp(structure: Structure) -> Frames:
    """By libwebp's own animation decoder: half the time that libvips takes, and no canvas more than it needs."""
    try:
        decoder = _webp.WebPAnimDecoder(structure.decodable)
    except PYTHON_DECODER_ERRORS as error:
        raise error_of(str(error)) from error
    size, plays, _, count, mode = decoder.get_info()
    if size != (structure.width, structure.height) or count > structure.frames:
        raise ImageCorrupt
    return Frames(plays, _webp_frames(decoder, structure, count, mode))


def _webp_frames(decoder: Any, structure: Structure, count: int, mode: str) -> Iterator[Frame]:
    profile = _useful_profile(decoder.get_chunk("ICCP"))
    orientation = find_orientation(decoder.get_chunk("EXIF") or b"")
    shown_ms = 0
    for _ in range(count):
        pixels, end_ms = _next_of(decoder)
        image = in_memory(pixels, structure.width, structure.height, 4, profile)
        yield Frame(OpenedImage(image if mode == "RGBA" else image[:3], orientation, pixels), end_ms - shown_ms)
        shown_ms = end_ms
        # Not held while the next one is decoded.
        del pixels, image


def _next_of(decoder: Any) -> tuple[bytes, int]:
    """The next frame's samples, and when it ends in milliseconds from the start."""
    try:
        decoded: tuple[bytes, int] | None = decoder.get_next()
    except PYTHON_DECODER_ERRORS as error:
        raise error_of(str(error)) from error
    if decoded is None:
        raise ImageCorrupt
    return decoded


def _useful_profile(profile: bytes | None) -> bytes | None:
    """Looked at once, not with every frame."""
    pixel = in_memory(bytes(3), 1, 1, 3, profile)
    return profile if has_profile(without_idle_profile(pixel)) else None


_OPENERS: dict[ImageFormat, Callable[[Structure], Frames]] = {
    ImageFormat.GIF: _open_gif,
    ImageFormat.WEBP: _open_webp,
}
