"""Renders as an upload does: inspected first, with the default limits and a plan of fixed qualities."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from app.images.inspection import inspect_image
from app.images.limits import PixelLimits
from app.images.records import Qualities, RenderedImage, RenderPlan, Rendition
from app.services.decoder.engine import render_picture
from app.services.protocols import ignore_variant

LIMITS = PixelLimits(max_pixels=100_000_000, max_side_pixels=30_000)
# Fixed qualities keep these tests quick, and apart from those of the choosers.
PLAN = RenderPlan(max_side_pixels=2560, qualities=Qualities(jpeg=82, webp=80, avif=60))


def render(content: bytes, *, emit: Callable[[Rendition], None] = ignore_variant, **plan: Any) -> RenderedImage:
    """The stored picture of an upload, or the error that the upload ends with; `plan` replaces fields of `PLAN`."""
    structure = inspect_image(content, LIMITS)
    return render_picture(structure, file_size=len(content), plan=replace(PLAN, **plan), emit=emit)
