"""Renders as an upload does: inspected first, with the default limits and options."""

from __future__ import annotations

from app.images.inspection import inspect_image
from app.images.limits import PixelLimits
from app.images.records import RenderedImage, RenderOptions
from app.services.decoder.vips_processor import render_image

LIMITS = PixelLimits(max_pixels=100_000_000, max_side_pixels=30_000)
OPTIONS = RenderOptions(max_side_pixels=2560, jpeg_quality=82, webp_quality=80)


def render(content: bytes, *, max_side_pixels: int = OPTIONS.max_side_pixels) -> RenderedImage:
    """The stored picture of an upload, or the error that the upload ends with."""
    options = RenderOptions(max_side_pixels, OPTIONS.jpeg_quality, OPTIONS.webp_quality)
    return render_image(inspect_image(content, LIMITS), file_size=len(content), options=options)
