"""Encoding the stored picture: the sender's format where browsers show it, never more bytes than were sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from app.images.cleanup import clean_copy, has_clean_copy
from app.images.formats import ImageFormat
from app.images.records import Structure
from app.services.decoder.cascade import resize
from app.services.decoder.codecs import encode
from app.services.decoder.palettes import without_unused_colours

_LOSSLESS_FORMATS = (ImageFormat.PNG, ImageFormat.WEBP)
_QUALITY_STEPS = (70, 55, 40, 25, 10)
_EFFORT = 0
# For small pictures: a photo of 5 megapixels takes 6 seconds.
_THOROUGH_EFFORT, _THOROUGH_PIXELS = 9, 1_000_000
QualityOf = Callable[[ImageFormat], int]


@dataclass(frozen=True, slots=True)
class Encoded:
    """A picture as a file; width and height in pixels."""

    format: ImageFormat
    body: bytes
    width: int
    height: int


def encode_within(
    image: Any, structure: Structure, *, is_unchanged: bool, file_size: int, quality_of: QualityOf
) -> Encoded:
    """The picture in its right encoding, or the plain clean-up of what was sent where that is right and as good.

    `is_unchanged` says that the decoded pixels are the picture to store: same size, upright, sRGB, 8 bit.
    """
    best = _right_encoding(image, structure, file_size=file_size, quality_of=quality_of)
    if is_unchanged and has_clean_copy(structure):
        body = clean_copy(structure.format, structure.decodable)
        if structure.format is ImageFormat.PNG:
            body = without_unused_colours(body, image)
        cleaned = Encoded(structure.format, body, image.width, image.height)
        if _length(cleaned) * _worthwhile_saving(structure) <= _length(best):
            best = cleaned
    for encode_smaller in _smaller_encodings(image, structure, quality_of):
        if _length(best) <= file_size:
            break
        best = min(best, encode_smaller(), key=_length)
    # What no quality brings down, noise in one bit per pixel for instance, only fewer pixels do.
    while _length(best) > file_size and max(image.width, image.height) > 1:
        image = resize(image, (max(1, image.width // 2), max(1, image.height // 2))).copy_memory()
        best = min(best, _encoded(image, ImageFormat.WEBP, quality_of(ImageFormat.WEBP)), key=_length)
    return best


def _length(encoded: Encoded) -> int:
    return len(encoded.body)


def _worthwhile_saving(structure: Structure) -> float:
    """Coding lossy pictures again costs quality, so it must save a fifth; else each upload of a download would lose."""
    return 1.0 if _is_lossless(structure) else 0.8


def _is_lossless(structure: Structure) -> bool:
    is_lossless_webp = structure.format is ImageFormat.WEBP and structure.is_costly
    return structure.format in {ImageFormat.PNG, ImageFormat.GIF} or is_lossless_webp


def _right_encoding(image: Any, structure: Structure, *, file_size: int, quality_of: QualityOf) -> Encoded:
    """The sender's format where browsers show it. Stills of GIF go without loss, HEIC and TIFF as what suits them."""
    match structure.format:
        case ImageFormat.GIF:
            return min((_encoded(image, each, None) for each in _LOSSLESS_FORMATS), key=_length)
        case ImageFormat.PNG:
            return _as_png(image, file_size)
        case ImageFormat.WEBP | ImageFormat.AVIF:
            is_lossless = _is_lossless(structure)
            return _encoded(image, structure.format, None if is_lossless else quality_of(structure.format))
        case ImageFormat.HEIC | ImageFormat.TIFF:
            return _suiting(image, quality_of)
        case ImageFormat.JPEG:
            return _encoded(image, ImageFormat.JPEG, quality_of(ImageFormat.JPEG))


def _as_png(image: Any, file_size: int) -> Encoded:
    quick = _encoded(image, ImageFormat.PNG, None)
    if _length(quick) < file_size:
        return quick
    return min(quick, _encoded(image, ImageFormat.PNG, None, effort=_thorough_effort(image)), key=_length)


def _suiting(image: Any, quality_of: QualityOf) -> Encoded:
    """JPEG, or WebP where something shines through; PNG for pages of nothing but black and white, unless longer."""
    lossy_format = ImageFormat.WEBP if image.hasalpha() else ImageFormat.JPEG
    lossy = _encoded(image, lossy_format, quality_of(lossy_format))
    if not _is_black_and_white(image):
        return lossy
    return min(_encoded(image, ImageFormat.PNG, None), lossy, key=_length)


def _is_black_and_white(image: Any) -> bool:
    # Of the 256 greys all but the first and the last.
    return bool(image.bands == 1 and image.hist_find().crop(1, 0, 254, 1).max() == 0)


def _smaller_encodings(image: Any, structure: Structure, quality_of: QualityOf) -> Iterator[Callable[[], Encoded]]:
    """Ever smaller ones, for files that were squeezed so hard before that the right encoding enlarges them."""
    if _is_lossless(structure) or structure.format is ImageFormat.TIFF:
        yield partial(_encoded, image, ImageFormat.WEBP, None, effort=_thorough_effort(image))
    if structure.format is ImageFormat.AVIF:
        yield from _falling(image, ImageFormat.AVIF, quality_of)
    elif not image.hasalpha():
        yield from _falling(image, ImageFormat.JPEG, quality_of)
    yield lambda: _encoded(image, ImageFormat.WEBP, quality_of(ImageFormat.WEBP))
    yield from _falling(image, ImageFormat.WEBP, quality_of)


def _falling(image: Any, image_format: ImageFormat, quality_of: QualityOf) -> Iterator[Callable[[], Encoded]]:
    right = quality_of(image_format)
    for quality in _QUALITY_STEPS:
        if quality < right:
            yield partial(_encoded, image, image_format, quality)


def _thorough_effort(image: Any) -> int:
    return _THOROUGH_EFFORT if image.width * image.height <= _THOROUGH_PIXELS else _EFFORT


def _encoded(image: Any, image_format: ImageFormat, quality: int | None, *, effort: int = _EFFORT) -> Encoded:
    body = encode(image, image_format, quality=quality, effort=effort)
    return Encoded(image_format, body, image.width, image.height)
