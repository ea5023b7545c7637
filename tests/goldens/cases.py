"""The pictures whose renditions are kept as goldens, and how they are rendered."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from app.images.formats import ImageFormat
from app.images.inspection import inspect_image
from app.images.limits import PixelLimits
from app.images.records import FocalPoint, Qualities, RenderPlan
from app.images.variants import Crop, VariantSpec
from app.services.decoder.engine import render_picture
from tests.icc_profiles import adobe_rgb, display_p3
from tests.pictures import make_jpeg, make_png, make_png16, photo

SIDE = 96


@dataclass(frozen=True, slots=True)
class Case:
    """A file that is sent and the one rendition of it that is looked at."""

    content: bytes
    spec: VariantSpec
    focal_point: FocalPoint | None = None


def cases() -> dict[str, Case]:
    """All of them by name; the same ones every time."""
    wide = photo(480, 240, seed=3)
    width = VariantSpec(str(SIDE), ImageFormat.JPEG, SIDE, quality=95)
    webp = VariantSpec(str(SIDE), ImageFormat.WEBP, SIDE, quality=95)
    centre = VariantSpec("square", ImageFormat.JPEG, SIDE, SIDE, Crop.CENTRE, quality=95)
    attention = VariantSpec("square", ImageFormat.JPEG, SIDE, SIDE, Crop.ATTENTION, quality=95)
    ramp = np.linspace(0, 65535, 200 * 120 * 3).reshape(120, 200, 3).astype(np.uint16)
    return {
        "turned": Case(make_jpeg(240, 160, orientation=6, seed=1), width),
        "display-p3": Case(make_jpeg(240, 160, icc=display_p3(), seed=1), width),
        "adobe-rgb": Case(make_jpeg(240, 160, icc=adobe_rgb(), seed=1), width),
        "cmyk": Case(make_jpeg(240, 160, mode="CMYK", seed=1), width),
        "grey": Case(make_jpeg(240, 160, mode="L", seed=1), width),
        "sixteen-bit": Case(make_png16(ramp), width),
        "see-through": Case(make_png(240, 160, mode="RGBA", seed=1), webp),
        "centre-crop": Case(make_jpeg(0, 0, picture=wide), centre),
        "focal-crop": Case(make_jpeg(0, 0, picture=wide), centre, FocalPoint(0.9, 0.5)),
        "attention-crop": Case(_with_a_bright_spot(), attention),
        "avif": Case(_saved(photo(240, 160, seed=2), "AVIF"), width),
        "gif": Case(_saved(photo(240, 160, seed=2).quantize(64), "GIF"), width),
        "tiff": Case(_saved(photo(240, 160, seed=2), "TIFF"), width),
    }


def rendition_of(case: Case) -> Image.Image:
    """The rendition, decoded by Pillow."""
    structure = inspect_image(case.content, PixelLimits())
    plan = RenderPlan(
        qualities=Qualities(jpeg=95, webp=95, avif=80), variants=(case.spec,), focal_point=case.focal_point
    )
    rendered = render_picture(structure, file_size=len(case.content), plan=plan, emit=lambda _: None)
    (variant,) = rendered.variants
    return Image.open(io.BytesIO(variant.body))


def _with_a_bright_spot() -> bytes:
    picture = Image.new("RGB", (480, 240), (90, 100, 110))
    picture.paste((250, 60, 30), (380, 90, 430, 150))
    return _saved(picture, "PNG")


def _saved(picture: Image.Image, image_format: str) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, image_format)
    return buffer.getvalue()
