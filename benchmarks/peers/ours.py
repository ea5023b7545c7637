"""The engine in this process: `render_picture` as a confined worker calls it."""

from __future__ import annotations

from collections.abc import Callable

from app.images.formats import SNIFF_BYTES, ImageFormat, sniff_format
from app.images.inspection import inspect_image
from app.images.limits import PixelLimits
from app.images.records import Qualities, RenderedImage, RenderPlan, Structure
from app.images.variants import Crop, VariantSpec, VariantTable
from app.services.decoder.engine import render_picture
from app.services.protocols import ignore_variant
from benchmarks.peers.work import Renditions, Work

LIMITS = PixelLimits()
# Method 4, libwebp's own default and that of the peers; the other formats at the effort of the default settings.
_EFFORTS = {"webp": 3}


def ours(work: Work) -> Callable[[], Renditions]:
    """Inspection, decode and every rendition."""
    plan = plan_of(work)

    def run() -> Renditions:
        structure: Structure = inspect_image(work.content, LIMITS)
        rendered = render_picture(structure, file_size=len(work.content), plan=plan, emit=ignore_variant)
        return renditions_of(rendered, work)

    return run


def plan_of(work: Work) -> RenderPlan:
    """What the work asks for.

    With the option `default` it is what one upload makes: the optimised original, every width and preset, quality auto.
    Otherwise the optimised original is the widest of the set in its format: nothing is made that peers do not make.
    """
    if "default" in work.options:
        return RenderPlan(variants=VariantTable().specs())
    qualities = Qualities(**work.formats)
    specs = tuple(
        VariantSpec(str(width), ImageFormat(name), width, quality=quality, effort=_EFFORTS.get(name, 0))
        for width, _ in work.sizes
        for name, quality in work.formats.items()
        if (width, name) != (work.sizes[0][0], _format_of_original(work))
    )
    return RenderPlan(max_side_pixels=max(work.sizes[0]), qualities=qualities, variants=specs)


def _format_of_original(work: Work) -> str:
    return "webp" if sniff_format(work.content[:SNIFF_BYTES]) is ImageFormat.WEBP else "jpeg"


def renditions_of(rendered: RenderedImage, work: Work) -> Renditions:
    """Files by name; that of the original is the widest width, or `original`."""
    name = "original" if "default" in work.options else str(work.sizes[0][0])
    made = {f"{name}.{rendered.format.value}": rendered.body}
    for each in rendered.variants:
        label = each.spec.name if each.spec.crop is not Crop.NONE else str(each.width)
        made[f"{label}.{each.spec.format.value}"] = each.body
    return made
