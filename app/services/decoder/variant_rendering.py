"""The variants of one still picture: each from the nearest larger step of the cascade, in the format that is right."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from app.images.formats import ImageFormat
from app.images.geometry import CENTRE, Region, Size, crop_region, is_cropped, nearest_covering, variant_size
from app.images.records import FocalPoint, Rendition
from app.images.variants import Crop, VariantSpec
from app.services.decoder.cascade import resize
from app.services.decoder.codecs import encode
from app.services.decoder.cropping import attention_point
from app.services.decoder.flatness import is_flat
from app.services.decoder.quality_table import QualityTable


@dataclass(frozen=True, slots=True)
class PlannedVariant:
    """A spec that is rendered, the size of its canvas, and the step of the cascade that it is made from."""

    spec: VariantSpec
    canvas: Size
    step: Size


def plan_variants(specs: Iterable[VariantSpec], steps: tuple[Size, ...], *, original: Size) -> list[PlannedVariant]:
    """The variants of an optimised original of this size, in the order of their specs."""
    sizes = ((spec, variant_size(spec, *original)) for spec in specs)
    return [PlannedVariant(spec, size, nearest_covering(steps, size)) for spec, size in sizes if size is not None]


class VariantRenderer:
    """Renders variants of one picture.

    `small` is the whole of it in few pixels, to see what draws the eye; `alpha_format` is what stands in for a JPEG
    where something shines through.
    """

    def __init__(
        self, small: Any, *, focal_point: FocalPoint | None, alpha_format: ImageFormat, qualities: QualityTable
    ) -> None:
        self._small = small
        self._focal_point = focal_point
        self._alpha_format = alpha_format
        self._qualities = qualities
        self._attention: FocalPoint | None = None
        self._last_cut: tuple[Region, Size, Any] | None = None
        self._bodies: dict[tuple[object, ...], bytes] = {}

    def render(self, variant: PlannedVariant, step: Any) -> Rendition:
        """The variant from its step; its spec says in which format it came out."""
        region = self.region_of(variant)
        canvas = self._canvas(step, region, variant.canvas)
        spec = self._spec_for(variant.spec, canvas)
        body = self._encoded(spec, canvas, region)
        if spec.format is ImageFormat.JPEG and is_flat(canvas):
            drawn = replace(spec, format=ImageFormat.PNG)
            lossless = self._encoded(drawn, canvas, region)
            if len(lossless) <= len(body):
                spec, body = drawn, lossless
        return Rendition(spec, body, canvas.width, canvas.height)

    def region_of(self, variant: PlannedVariant) -> Region | None:
        """The part of its step that a variant shows; None for the step as it is."""
        if not is_cropped(variant.spec):
            return None
        region = crop_region(*variant.step, variant.canvas, self._focus_of(variant))
        is_whole = variant.canvas == variant.step == (region.width, region.height)
        return None if is_whole else region

    def _canvas(self, step: Any, region: Region | None, size: Size) -> Any:
        """Every format of a preset is made from the same pixels, so the last ones are kept."""
        if region is None:
            return step
        if self._last_cut is None or self._last_cut[:2] != (region, size):
            self._last_cut = None
            self._last_cut = region, size, cut(step, region, size)
        return self._last_cut[2]

    def _focus_of(self, variant: PlannedVariant) -> FocalPoint:
        if self._focal_point is not None:
            return self._focal_point
        if variant.spec.crop is Crop.ATTENTION:
            if self._attention is None:
                self._attention = attention_point(self._small)
            return self._attention
        return CENTRE

    def _spec_for(self, spec: VariantSpec, canvas: Any) -> VariantSpec:
        return replace(spec, format=self._alpha_format) if _lacks_alpha(spec.format) and canvas.hasalpha() else spec

    def _encoded(self, spec: VariantSpec, canvas: Any, region: Region | None) -> bytes:
        """Presets of the shape of the picture give the same file as a width does: it is made once."""
        quality = self._qualities.of_variant(spec)
        key = (spec.format, quality, spec.effort, region, canvas.width, canvas.height)
        if key not in self._bodies:
            self._bodies[key] = encode(canvas, spec.format, quality=quality, effort=spec.effort)
        return self._bodies[key]


def cut(step: Any, region: Region, canvas: Size) -> Any:
    """The region of a step in the size of the canvas, in memory."""
    return resize(step.crop(region.left, region.top, region.width, region.height), canvas).copy_memory()


def _lacks_alpha(image_format: ImageFormat) -> bool:
    return image_format is ImageFormat.JPEG
