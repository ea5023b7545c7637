"""From settings to what the engine works by: limits, and one render plan per image type."""

from __future__ import annotations

from collections.abc import Mapping

from app.core.config import Settings
from app.core.engine_settings import Animation, PresetSizes
from app.core.image_types import ImageType
from app.images.formats import ImageFormat
from app.images.limits import PixelLimits
from app.images.records import Qualities, RenderPlan
from app.images.variants import Crop, Preset, VariantTable


def pixel_limits_of(settings: Settings) -> PixelLimits:
    """The limits on what is sent."""
    return PixelLimits(
        max_pixels=settings.max_image_pixels,
        max_side_pixels=settings.max_image_side_pixels,
        max_costly_pixels=settings.max_costly_pixels,
        max_avif_pixels=settings.max_avif_pixels,
        max_frames=settings.max_frames,
        max_animation_pixels=settings.max_animation_pixels,
    )


def qualities_of(settings: Settings) -> Qualities:
    """The quality of each format; None where it is auto."""
    return Qualities(
        jpeg=_fixed(settings.jpeg_quality),
        webp=_fixed(settings.webp_quality),
        avif=_fixed(settings.avif_quality),
        target=settings.quality_target,
    )


def variant_table_of(settings: Settings, kind: ImageType) -> VariantTable:
    """The variants that images of this type get: the type's own where it names some, else those of the service."""
    widths = settings.variant_widths if kind.variant_widths is None else kind.variant_widths
    formats = settings.variant_formats if kind.variant_formats is None else kind.variant_formats
    presets = settings.variant_presets if kind.variant_presets is None else kind.variant_presets
    qualities = qualities_of(settings)
    chosen = tuple(ImageFormat(chosen.value) for chosen in formats)
    fixed = tuple((each, quality) for each in chosen if (quality := qualities.of(each)) is not None)
    return VariantTable(
        tuple(widths), chosen, _presets(presets), fixed, settings.quality_target, settings.variant_effort
    )


def plans_of(settings: Settings) -> Mapping[str, RenderPlan]:
    """The render plan of each image type, by its name."""
    return {
        name: RenderPlan(
            max_side_pixels=kind.max_stored_side_pixels or settings.max_stored_side_pixels,
            qualities=qualities_of(settings),
            variants=variant_table_of(settings, kind).specs(),
            keeps_animation=settings.animation is Animation.KEEP,
        )
        for name, kind in settings.image_types.items()
    }


def _fixed(quality: str | int) -> int | None:
    return quality if isinstance(quality, int) else None


def _presets(sizes: PresetSizes) -> tuple[Preset, ...]:
    return tuple(Preset(name, size.width, size.height, Crop(size.crop)) for name, size in sizes.items())
