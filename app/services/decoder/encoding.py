"""Encoding the stored picture: the sender's format where browsers show it, never more bytes than were sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from app.images.cleanup import clean_copy
from app.images.formats import ImageFormat
from app.images.records import RenderOptions, Structure

_QUALITY_STEPS = (70, 55, 40, 25, 10)


@dataclass(frozen=True, slots=True)
class Encoded:
    """A picture as a file; width and height in pixels."""

    format: ImageFormat
    body: bytes
    width: int
    height: int


def encode_within(
    image: Any, structure: Structure, *, is_unchanged: bool, file_size: int, options: RenderOptions
) -> Encoded:
    """The picture in its right encoding, or the plain clean-up of what was sent where that is right and as good.

    `is_unchanged` says that the decoded pixels are the picture to store: same size, upright, sRGB, 8 bit, no animation.
    """
    best = _right_encoding(image, structure, file_size=file_size, options=options)
    if is_unchanged:
        body = clean_copy(structure.format, structure.decodable)
        cleaned = Encoded(structure.format, body, image.width, image.height)
        if _length(cleaned) * _worthwhile_saving(structure) <= _length(best):
            best = cleaned
    for encode in _smaller_encodings(image, structure, options):
        if _length(best) <= file_size:
            break
        best = min(best, encode(), key=_length)
    # What no quality brings down, noise in one bit per pixel for instance, only fewer pixels do.
    while _length(best) > file_size and max(image.width, image.height) > 1:
        image = image.thumbnail_image(max(1, image.width // 2), height=max(1, image.height // 2), size="force")
        best = min(best, _webp(image, Q=options.webp_quality, effort=4), key=_length)
    return best


def _length(encoded: Encoded) -> int:
    return len(encoded.body)


def _worthwhile_saving(structure: Structure) -> float:
    """Coding lossy pictures again costs quality, so it must save a fifth; else each upload of a download would lose."""
    return 1.0 if _is_lossless(structure) else 0.8


def _is_lossless(structure: Structure) -> bool:
    return structure.format is ImageFormat.PNG or (structure.format is ImageFormat.WEBP and structure.is_costly)


def _right_encoding(image: Any, structure: Structure, *, file_size: int, options: RenderOptions) -> Encoded:
    """The sender's format at full quality; JPEG for HEIC, which browsers do not show, and WebP for what has alpha."""
    if structure.format is ImageFormat.PNG:
        quick = _png(image, compression=6)
        return quick if _length(quick) < file_size else min(quick, _png(image, compression=9), key=_length)
    if _is_lossless(structure):
        return _webp(image, lossless=True, effort=4)
    if structure.format is ImageFormat.WEBP or image.hasalpha():
        return _webp(image, Q=options.webp_quality, effort=4)
    return _jpeg(image, options.jpeg_quality)


def _smaller_encodings(image: Any, structure: Structure, options: RenderOptions) -> Iterator[Callable[[], Encoded]]:
    """Ever smaller ones, for files that were squeezed so hard before that the right encoding enlarges them."""
    if _is_lossless(structure):
        yield lambda: _webp(image, lossless=True, effort=6)
    if not image.hasalpha():
        for quality in _QUALITY_STEPS:
            yield partial(_jpeg, image, quality)
    for quality in (options.webp_quality, *_QUALITY_STEPS):
        yield partial(_webp, image, Q=quality, effort=4)


def _jpeg(image: Any, quality: int) -> Encoded:
    return _encoded(image, ImageFormat.JPEG, image.jpegsave_buffer(Q=quality, optimize_coding=True, keep="none"))


def _png(image: Any, *, compression: int) -> Encoded:
    return _encoded(image, ImageFormat.PNG, image.pngsave_buffer(compression=compression, filter="all", keep="none"))


def _webp(image: Any, **how: Any) -> Encoded:
    return _encoded(image, ImageFormat.WEBP, image.webpsave_buffer(keep="none", **how))


def _encoded(image: Any, image_format: ImageFormat, body: bytes) -> Encoded:
    """What encoders add of themselves, such as a resolution, goes too."""
    return Encoded(image_format, clean_copy(image_format, body), image.width, image.height)
