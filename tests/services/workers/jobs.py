"""What a behaviour of a test's worker gets to work with, and what the true answer to it is."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from PIL import AvifImagePlugin, Image, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from app.images.cleanup import clean_copy
from app.images.formats import ImageFormat
from app.images.geometry import original_size, variant_size
from app.images.records import PictureFacts, RenderedImage, RenderPlan, Rendition, SourceFacts, Structure
from app.images.variants import VariantSpec

# Imported here, since a confined worker cannot load them any more.
PLUGINS = (AvifImagePlugin, JpegImagePlugin, PngImagePlugin, WebPImagePlugin)
FACTS = PictureFacts(
    has_alpha=False,
    is_animated=False,
    thumbhash="1QcSHQRnh493V4dIh4eXh1h4kJUI",
    blurhash="LEHV6nWB2yk8pyo0adR*.7kCMdnj",
    dominant_color="#7a8c99",
    dhash="3c3e0e1a3a1e1e1e",
)
WIDTH, HEIGHT = 400, 300
PLAN = RenderPlan(
    variants=(
        VariantSpec("320", ImageFormat.JPEG, 320),
        VariantSpec("320", ImageFormat.AVIF, 320),
        VariantSpec("1280", ImageFormat.JPEG, 1280),
    )
)


@dataclass(frozen=True, slots=True)
class Job:
    """One picture; `rest` is what follows the behaviour's name in it."""

    structure: Structure
    file_size: int
    plan: RenderPlan
    emit: Callable[[Rendition], None]
    rest: bytes

    def renditions(self) -> list[Rendition]:
        """Every variant of the plan, as it should be."""
        sized = (
            (spec, variant_size(spec, *original_size(self.plan, self.structure.width, self.structure.height)))
            for spec in self.plan.variants
        )
        return [Rendition(spec, picture(spec.format, size), *size) for spec, size in sized if size]

    def result(self, **changes: Any) -> RenderedImage:
        """The true answer, but for these changes."""
        size = (self.structure.width, self.structure.height)
        source = SourceFacts(self.structure.format, *size, self.file_size, self.structure.frames)
        honest = RenderedImage(picture(ImageFormat.PNG, size), ImageFormat.PNG, *size, facts=FACTS, source=source)
        return replace(honest, **changes)


def order_of(picture_bytes: bytes, *, frames: int = 1) -> Structure:
    """A picture of 400 × 300 whose bytes tell the worker what to do."""
    return Structure(ImageFormat.JPEG, WIDTH, HEIGHT, frames, False, picture_bytes)


def picture(image_format: ImageFormat, size: tuple[int, int], **options: Any) -> bytes:
    """A picture of one colour; without options, with nothing else in it."""
    target = io.BytesIO()
    Image.new("RGB", size, "teal").save(target, image_format.value, **options)
    return target.getvalue() if options else clean_copy(image_format, target.getvalue())


def framed(content: bytes, size: int = 0) -> bytes:
    """A message as it stands on the wire, announcing `size` bytes behind it."""
    return struct.pack(">II", len(content), size) + content
