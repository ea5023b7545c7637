"""Frozen results handed around between the layers."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.images.formats import ImageFormat
from app.images.variants import DEFAULT_TARGET, VariantSpec


@dataclass(frozen=True, slots=True)
class Structure:
    """What the container says before anything is decoded.

    `width` and `height` are the canvas as coded, before any orientation. `decodable` is the part that a decoder may
    see: no text, nothing behind the end of the picture. `is_costly` marks codings that need several times the memory
    per pixel (progressive, interlaced, lossless WebP, GIF, HEIC).
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
class FocalPoint:
    """The point that crops keep in view: fractions of the upright width and height, 0 to 1 from the top left."""

    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Qualities:
    """Quality of each stored format, 1 to 100; None means auto: the lowest that reaches `target`.

    `target` is a SSIMULACRA2 score (https://github.com/cloudinary/ssimulacra2): 70 is high, 80 very high, 90 no visible
    loss.
    """

    jpeg: int | None = None
    webp: int | None = None
    avif: int | None = None
    target: float = DEFAULT_TARGET

    def of(self, image_format: ImageFormat) -> int | None:
        """The fixed quality of a format, or None for auto (and for formats without loss)."""
        return {ImageFormat.JPEG: self.jpeg, ImageFormat.WEBP: self.webp, ImageFormat.AVIF: self.avif}.get(image_format)


@dataclass(frozen=True, slots=True)
class RenderPlan:
    """What to make of one picture: its optimised original and the variants.

    Variants wider than the optimised original are left out by the processor, never enlarged. `keeps_animation` False
    makes a still of the first frame.
    """

    max_side_pixels: int = 2560
    qualities: Qualities = field(default_factory=Qualities)
    variants: tuple[VariantSpec, ...] = ()
    focal_point: FocalPoint | None = None
    keeps_animation: bool = True


@dataclass(frozen=True, slots=True)
class Rendition:
    """One finished variant; width and height of its canvas in pixels, frames (1 unless animated)."""

    spec: VariantSpec
    body: bytes
    width: int
    height: int
    frames: int = 1


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """What a front end shows before the picture has come, and what tells pictures apart.

    `thumbhash` is base64 without padding (https://evanw.github.io/thumbhash/), `blurhash` its own base 83
    (https://blurha.sh), `dominant_color` `#rrggbb`, `dhash` 16 hex digits: 64 bits, near pictures differ in few.
    """

    has_alpha: bool
    is_animated: bool
    thumbhash: str
    blurhash: str
    dominant_color: str
    dhash: str


@dataclass(frozen=True, slots=True)
class RenderedImage:
    """The stored picture: upright, sRGB, free of metadata, not longer in bytes than `source`; and its variants."""

    body: bytes
    format: ImageFormat
    width: int
    height: int
    facts: PictureFacts
    source: SourceFacts
    variants: tuple[Rendition, ...] = ()
    frames: int = 1

    @property
    def has_alpha(self) -> bool:
        return self.facts.has_alpha
