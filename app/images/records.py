"""Frozen results handed around between the layers."""

from __future__ import annotations

from dataclasses import dataclass

from app.images.formats import ImageFormat


@dataclass(frozen=True, slots=True)
class Structure:
    """What the container says before anything is decoded.

    `decodable` is the part that a decoder may see: no text, nothing behind the end of the picture. `is_costly` marks
    codings that need several times the memory per pixel (progressive, interlaced, lossless WebP, HEIC).
    """

    format: ImageFormat
    width: int
    height: int
    frames: int
    is_costly: bool
    decodable: bytes


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """The file as it was sent: upright size in pixels, length in bytes, frames (1 unless animated)."""

    format: ImageFormat
    width: int
    height: int
    file_size: int
    frames: int


@dataclass(frozen=True, slots=True)
class RenderOptions:
    """How to render the stored picture: longest side in pixels, qualities from 1 to 100."""

    max_side_pixels: int
    jpeg_quality: int
    webp_quality: int


@dataclass(frozen=True, slots=True)
class RenderedImage:
    """The stored picture: upright, sRGB, free of metadata, not longer in bytes than `source`."""

    body: bytes
    format: ImageFormat
    width: int
    height: int
    has_alpha: bool
    source: SourceFacts
