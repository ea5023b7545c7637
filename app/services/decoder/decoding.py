"""Opening a picture of each format with the loader that belongs to it, never with one that the library guesses."""

from __future__ import annotations

from typing import Any

from app.core.exceptions import ImageCorrupt, ImageTruncated
from app.images.formats import ImageFormat
from app.images.geometry import fit_within
from app.images.records import Structure
from app.services.decoder.vips_library import load_vips

_JPEG_SHRINKS = (8, 4, 2)
_TRUNCATION_WORDS = ("premature", "truncat", "unexpected end", "end of file", "not enough")


def open_image(structure: Structure, *, max_side_pixels: int) -> Any:
    """A pyvips image, decoded from top to bottom as its pixels are read; JPEGs already shrunk towards the target."""
    vips = load_vips()
    content = structure.decodable
    options = {"access": "sequential", "fail_on": "error"}
    match structure.format:
        case ImageFormat.JPEG:
            shrink = _jpeg_shrink(structure, max_side_pixels)
            # libjpeg only warns of missing rows and goes on in grey.
            return vips.Image.jpegload_buffer(content, shrink=shrink, access="sequential", fail_on="warning")
        case ImageFormat.PNG:
            return vips.Image.pngload_buffer(content, **options)
        case ImageFormat.WEBP:
            return vips.Image.webpload_buffer(content, **options)
        case ImageFormat.HEIC:
            return _open_heic(content)


def error_of(message: str) -> ImageTruncated | ImageCorrupt:
    """Our error for what a decoder said."""
    text = message.lower()
    return ImageTruncated() if any(word in text for word in _TRUNCATION_WORDS) else ImageCorrupt()


def _jpeg_shrink(structure: Structure, max_side_pixels: int) -> int:
    width, height = fit_within(structure.width, structure.height, max_side_pixels)
    for shrink in _JPEG_SHRINKS:
        if structure.width // shrink >= width and structure.height // shrink >= height:
            return shrink
    return 1


def _open_heic(content: bytes) -> Any:
    """The primary picture, whole in memory; libheif has applied rotation and mirroring, so no orientation is left."""
    import pi_heif

    try:
        heif = pi_heif.open_heif(content, convert_hdr_to_8bit=True)
        picture = heif[heif.primary_index]
        pixels = bytes(picture.data)
        bands = len(picture.mode)
        width, height = picture.size
    except (ValueError, RuntimeError, EOFError, SyntaxError, IndexError) as error:
        raise error_of(str(error)) from error
    image = (
        load_vips()
        .Image.new_from_memory(pixels, picture.stride // bands, height, bands, "uchar")
        .crop(0, 0, width, height)
        .copy(interpretation="srgb" if bands >= 3 else "b-w")
    )
    profile = picture.info.get("icc_profile")
    if profile:
        image = image.copy()
        image.set_type(load_vips().GValue.blob_type, "icc-profile-data", profile)
    return image
