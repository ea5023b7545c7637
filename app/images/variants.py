"""Which renditions an image gets beside its optimised original: specs, their canonical text, and their keys."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from app.images.formats import ImageFormat
from app.images.keys import ImageKey

# Raised when the same spec begins to give other pictures: every key changes with it.
SPEC_VERSION = 1
DIGEST_CHARACTERS = 8
DEFAULT_TARGET = 75.0
PRESET_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)


class Crop(StrEnum):
    """How a picture fills a box: not at all (it fits inside), cut around its middle, or around what draws the eye.

    A focal point that came with the upload takes the place of the middle and of attention.
    """

    NONE = "none"
    CENTRE = "centre"
    ATTENTION = "attention"


@dataclass(frozen=True, slots=True)
class Preset:
    """A named size in pixels. With `Crop.NONE` the picture fits inside the box, else it fills the box."""

    name: str
    width: int
    height: int
    crop: Crop = Crop.ATTENTION


DEFAULT_WIDTHS = (320, 640, 1280, 1920)
DEFAULT_PRESETS = (Preset("thumb", 320, 320), Preset("card", 640, 480), Preset("cover", 1600, 900))


@dataclass(frozen=True, slots=True)
class VariantSpec:
    """One rendition, exactly. `height` is None where the width alone bounds it; `quality` None means auto, with
    `target` as the score to reach.

    `effort` goes from 0 (fast) to 9 (slow, fewer bytes); each codec maps it to its own scale.
    """

    name: str
    format: ImageFormat
    width: int
    height: int | None = None
    crop: Crop = Crop.NONE
    quality: int | None = None
    target: float = DEFAULT_TARGET
    effort: int = 0

    @property
    def canonical_text(self) -> str:
        """The one text of this spec; equal specs have equal texts."""
        height = "-" if self.height is None else self.height
        quality = f"auto{self.target:g}" if self.quality is None else self.quality
        return f"v{SPEC_VERSION},w={self.width},h={height},crop={self.crop},f={self.format},q={quality},e={self.effort}"

    @property
    def digest(self) -> str:
        """8 hex characters of the SHA-256 of the canonical text."""
        return hashlib.sha256(self.canonical_text.encode()).hexdigest()[:DIGEST_CHARACTERS]

    @property
    def file_name(self) -> str:
        """`<width or preset>-<hash of the spec>.<ext>`: its name under the image's variants."""
        return f"{self.name}-{self.digest}.{self.format.extension}"

    @property
    def stand_ins(self) -> tuple[VariantSpec, ...]:
        """The specs of which exactly one is rendered: this one, or another format where this one cannot do it right.

        PNG stands in for a JPEG where there is alpha or few colours, WebP for either where the picture is animated.
        """
        others = {ImageFormat.JPEG: (ImageFormat.PNG, ImageFormat.WEBP), ImageFormat.AVIF: (ImageFormat.WEBP,)}
        return (self, *(replace(self, format=other) for other in others.get(self.format, ())))


@dataclass(frozen=True, slots=True)
class VariantTable:
    """The variants that a type of images gets: every width and preset in every format.

    `qualities` maps formats to fixed qualities; a format that is not in it is encoded with quality auto.
    """

    widths: tuple[int, ...] = DEFAULT_WIDTHS
    formats: tuple[ImageFormat, ...] = (ImageFormat.AVIF, ImageFormat.JPEG)
    presets: tuple[Preset, ...] = DEFAULT_PRESETS
    qualities: tuple[tuple[ImageFormat, int], ...] = ()
    target: float = DEFAULT_TARGET
    effort: int = 0

    def specs(self) -> tuple[VariantSpec, ...]:
        """Every spec of the table, widest first, whatever the size of a source."""
        qualities = dict(self.qualities)
        sizes: list[tuple[str, int, int | None, Crop]] = [
            (str(width), width, None, Crop.NONE) for width in sorted(set(self.widths), reverse=True)
        ]
        sizes += [(preset.name, preset.width, preset.height, preset.crop) for preset in self.presets]
        return tuple(
            VariantSpec(name, image_format, width, height, crop, qualities.get(image_format), self.target, self.effort)
            for name, width, height, crop in sizes
            for image_format in self.formats
        )


def variant_key(key: ImageKey, spec: VariantSpec) -> str:
    """Where this rendition of this image lies in the bucket."""
    return f"{key.variants_prefix}{spec.file_name}"


def current_file_names(specs: Iterable[VariantSpec]) -> frozenset[str]:
    """The file names that these specs make, or their stand-ins; other ones belong to specs of the past."""
    return frozenset(made.file_name for spec in specs for made in spec.stand_ins)
