"""Opening a picture of each format with the loader that belongs to it, never with one that the library guesses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from app.core.exceptions import ImageCorrupt, ImageFormatUnsupported
from app.images.formats import ImageFormat
from app.images.geometry import Size
from app.images.records import Structure
from app.services.decoder.colours import has_profile, without_idle_profile, without_profile
from app.services.decoder.gif_frames import check_gif_frames
from app.services.decoder.heif_decoding import open_avif, open_heic
from app.services.decoder.opened_images import OpenedImage, opened_by_vips
from app.services.decoder.vips_library import load_vips

_JPEG_SHRINKS = (8, 4, 2)
_WEBP_SPARE, _WEBP_LARGEST_SCALE = 2.0, 0.8
_LARGE_PIXELS = 30_000_000
_HEIF = frozenset({ImageFormat.AVIF, ImageFormat.HEIC})
_SAMPLES = frozenset({"uchar", "ushort"})


def open_image(structure: Structure) -> OpenedImage:
    """The first picture of the file, of the size that its container announced, without a profile that says nothing.

    Raises:
        ImageTruncated, ImageCorrupt: it cannot be decoded.
        ImageFormatUnsupported: its samples are of a kind that is not read.
        ImageTooComplex: it takes more memory than there is.
    """
    opened = _OPENERS[structure.format](structure.decodable)
    if opened.image.format not in _SAMPLES:
        raise ImageFormatUnsupported(f"Samples of type {opened.image.format} are not read.")
    _check_size(opened.image, structure)
    return replace(opened, image=without_idle_profile(opened.image))


def shrink_on_load(opened: OpenedImage, structure: Structure, *, needed: Size) -> OpenedImage:
    """The same picture, decoded to fewer pixels where the format can, still covering `needed` (before orientation).

    What was opened before should be let go: some decoders hold memory for all of its pixels.
    """
    shrunk = _SHRINKERS[structure.format](opened, structure, needed) if structure.format in _SHRINKERS else None
    if shrunk is None:
        return opened
    return replace(opened, image=shrunk if has_profile(opened.image) else without_profile(shrunk))


def _shrink_jpeg(_: OpenedImage, structure: Structure, needed: Size) -> Any | None:
    """By a whole divisor of both sides: libvips cuts off what does not fill the last column and row."""
    width, height = structure.width, structure.height
    for shrink in _JPEG_SHRINKS:
        is_whole = width % shrink == 0 and height % shrink == 0
        if is_whole and width // shrink >= needed[0] and height // shrink >= needed[1]:
            return _load_jpeg(structure.decodable, shrink=shrink)
    return None


def _shrink_webp(opened: OpenedImage, structure: Structure, needed: Size) -> Any | None:
    """To twice what is needed, by libwebp's averaging: it takes less time, and memory only for what is left.

    libwebp weighs the colours of lossy pictures without regard to alpha, so those are only shrunk where they must.
    """
    scale = max(_WEBP_SPARE * needed[0] / structure.width, _WEBP_SPARE * needed[1] / structure.height)
    is_weighed = structure.is_costly or not opened.image.hasalpha()
    if scale > _WEBP_LARGEST_SCALE or not (is_weighed or structure.width * structure.height > _LARGE_PIXELS):
        return None
    return load_vips().Image.webpload_buffer(structure.decodable, scale=scale, access="sequential", fail_on="error")


def _check_size(image: Any, structure: Structure) -> None:
    """What is decoded is what the limits were checked against; HEIF may cut an edge off and turn what is left."""
    decoded, announced = (image.width, image.height), (structure.width, structure.height)
    if structure.format in _HEIF:
        if max(decoded) > max(announced) or min(decoded) > min(announced):
            raise ImageCorrupt
    elif decoded != announced:
        raise ImageCorrupt


def _open_jpeg(content: bytes) -> OpenedImage:
    return opened_by_vips(_load_jpeg(content, shrink=1))


def _load_jpeg(content: bytes, *, shrink: int) -> Any:
    # libjpeg only warns of missing rows and goes on in grey.
    return load_vips().Image.jpegload_buffer(content, shrink=shrink, access="sequential", fail_on="warning")


def _open_gif(content: bytes) -> OpenedImage:
    check_gif_frames(content)
    return opened_by_vips(load_vips().Image.gifload_buffer(content, access="sequential", fail_on="error"))


def _by_vips(loader: str, *, fail_on: str = "error") -> Callable[[bytes], OpenedImage]:
    def open_by_vips(content: bytes) -> OpenedImage:
        return opened_by_vips(getattr(load_vips().Image, loader)(content, access="sequential", fail_on=fail_on))

    return open_by_vips


_OPENERS: dict[ImageFormat, Callable[[bytes], OpenedImage]] = {
    ImageFormat.JPEG: _open_jpeg,
    ImageFormat.PNG: _by_vips("pngload_buffer"),
    ImageFormat.WEBP: _by_vips("webpload_buffer"),
    ImageFormat.GIF: _open_gif,
    # libtiff fills tiles whose data ends early with zeros, and only warns.
    ImageFormat.TIFF: _by_vips("tiffload_buffer", fail_on="warning"),
    ImageFormat.AVIF: open_avif,
    ImageFormat.HEIC: open_heic,
}
_SHRINKERS: dict[ImageFormat, Callable[[OpenedImage, Structure, Size], Any | None]] = {
    ImageFormat.JPEG: _shrink_jpeg,
    ImageFormat.WEBP: _shrink_webp,
}
