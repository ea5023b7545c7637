"""Encoding the stored picture: the sender's format where browsers show it, never more bytes than were sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from app.images.cleanup import clean_copy
from app.images.formats import ImageFormat
from app.images.records import RenderOptions, Structure

Encoded = tuple[ImageFormat, bytes]

_QUALITY_STEPS = (70, 55, 40, 25, 10)


def encode_within(
    image: Any, structure: Structure, *, is_unchanged: bool, file_size: int, options: RenderOptions
) -> Encoded:
    """The picture in its right encoding, or the plain clean-up of what was sent where that is right and shorter.

    `is_unchanged` says that the decoded pixels are the picture to store: same size, upright, sRGB, 8 bit, one frame.
    """
    best = _right_encoding(image, structure, file_size=file_size, options=options)
    if is_unchanged:
        cleaned = structure.format, clean_copy(structure.format, structure.decodable)
        best = min(best, cleaned, key=_length)
    for encode in _smaller_encodings(image, options):
        if _length(best) <= file_size:
            break
        best = min(best, encode(), key=_length)
    return best


def _length(encoded: Encoded) -> int:
    return len(encoded[1])


def _right_encoding(image: Any, structure: Structure, *, file_size: int, options: RenderOptions) -> Encoded:
    """The sender's format at full quality; JPEG for HEIC, which browsers do not show, and WebP for what has alpha."""
    if structure.format is ImageFormat.PNG:
        quick = _png(image, compression=6)
        return quick if _length(quick) < file_size else min(quick, _png(image, compression=9), key=_length)
    if structure.format is ImageFormat.WEBP and structure.is_costly:
        return _webp(image, lossless=True, effort=4)
    if structure.format is ImageFormat.WEBP or image.hasalpha():
        return _webp(image, Q=options.webp_quality, effort=4)
    return _jpeg(image, options.jpeg_quality)


def _smaller_encodings(image: Any, options: RenderOptions) -> Iterator[Callable[[], Encoded]]:
    """Ever smaller ones, for files that were squeezed so hard before that the right encoding enlarges them."""
    yield lambda: _webp(image, lossless=True, effort=6)
    if not image.hasalpha():
        for quality in _QUALITY_STEPS:
            yield partial(_jpeg, image, quality)
    for quality in (options.webp_quality, *_QUALITY_STEPS):
        yield partial(_webp, image, Q=quality, effort=4)


def _jpeg(image: Any, quality: int) -> Encoded:
    return ImageFormat.JPEG, image.jpegsave_buffer(Q=quality, optimize_coding=True, keep="none")


def _png(image: Any, *, compression: int) -> Encoded:
    return ImageFormat.PNG, image.pngsave_buffer(compression=compression, filter="all", keep="none")


def _webp(image: Any, **how: Any) -> Encoded:
    return ImageFormat.WEBP, image.webpsave_buffer(keep="none", **how)
