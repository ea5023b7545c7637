"""An animation that is resized and cut: frame by frame into an animated WebP, each decoded once."""

from __future__ import annotations

from typing import Any

from app.core.exceptions import ImageCorrupt
from app.images.formats import ImageFormat
from app.images.geometry import CENTRE, affordable_animations, crop_region, upright_size
from app.images.recipes import Recipe, TransformedImage
from app.images.records import FocalPoint, Structure
from app.images.structure import read_structure
from app.services.decoder.animated_webp import AnimatedWebpWriter, AnimationCoding
from app.services.decoder.cascade import decode_upright
from app.services.decoder.cropping import attention_point_of_large
from app.services.decoder.frames import open_frames
from app.services.decoder.opened_images import OpenedImage
from app.services.decoder.quality import QualityChooser

_MOVING_SOURCES = frozenset({ImageFormat.GIF, ImageFormat.WEBP})
_METHOD = 2


def is_moving(structure: Structure, recipe: Recipe) -> bool:
    """Whether all frames are kept: the recipe lets them, and their pixels can be afforded."""
    is_asked = recipe.keeps_animation and recipe.format is ImageFormat.WEBP
    is_possible = structure.frames > 1 and structure.format in _MOVING_SOURCES
    return is_asked and is_possible and bool(affordable_animations([recipe.size], frames=structure.frames))


def transform_animation(structure: Structure, recipe: Recipe) -> TransformedImage:
    """The animation by a recipe without any other step than region, scale and cut."""
    source = open_frames(structure)
    shaper = _Shaper(recipe)
    writer: AnimatedWebpWriter | None = None
    for frame in source.frames:
        picture = shaper.shape(frame.opened)
        if writer is None:
            writer = AnimatedWebpWriter(recipe.size, _coding(picture, recipe), plays=source.plays)
        writer.add(picture, duration_ms=frame.duration_ms)
        # Not held while the next one is decoded.
        del frame
    if writer is None:
        raise ImageCorrupt
    body = writer.finish()
    return TransformedImage(body, ImageFormat.WEBP, *recipe.size, read_structure(ImageFormat.WEBP, body).frames)


class _Shaper:
    """Cuts every frame where the first one is cut."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self._focus: FocalPoint | None = recipe.focus

    def shape(self, opened: OpenedImage) -> Any:
        recipe = self._recipe
        if upright_size(opened.image.width, opened.image.height, opened.orientation) != recipe.source:
            raise ImageCorrupt
        if region := recipe.region:
            whole = decode_upright(opened, recipe.source)
            opened = OpenedImage(whole.crop(region.left, region.top, region.width, region.height), 1, whole)
        scaled = decode_upright(opened, recipe.scaled)
        if recipe.cut is None:
            return scaled
        if self._focus is None:
            self._focus = attention_point_of_large(scaled) if recipe.attention else CENTRE
        part = crop_region(*recipe.scaled, recipe.cut, self._focus)
        return scaled.crop(part.left, part.top, part.width, part.height).copy_memory()


def _coding(first: Any, recipe: Recipe) -> AnimationCoding:
    quality = recipe.quality
    if quality is None:
        quality = QualityChooser(first, target=recipe.target, effort=recipe.effort).quality_for(ImageFormat.WEBP)
    return AnimationCoding(quality, _METHOD)
