"""One stored picture made into another by a recipe: decoded to no more pixels than it needs, changed, encoded once."""

from __future__ import annotations

from typing import Any

from app.core.exceptions import ImageCorrupt
from app.images.formats import ImageFormat
from app.images.geometry import CENTRE, Size, crop_region, upright_size
from app.images.recipes import Overlay, Recipe, TransformedImage, check_overlay
from app.images.records import FocalPoint, Structure
from app.services.decoder.cascade import decode_upright
from app.services.decoder.codecs import encode
from app.services.decoder.cropping import attention_point_of_large
from app.services.decoder.decoder_errors import error_of
from app.services.decoder.decoding import open_image, shrink_on_load
from app.services.decoder.opened_images import OpenedImage
from app.services.decoder.quality import QualityChooser
from app.services.decoder.retouching import blurred, laid_on_canvas, opaque_on, sharpened, with_overlay
from app.services.decoder.transformed_animation import is_moving, transform_animation
from app.services.decoder.vips_library import load_vips

_WHITE = "ffffff"
_TURNS = {90: "d90", 180: "d180", 270: "d270"}


def transform_picture(structure: Structure, recipe: Recipe, *, overlay: Structure | None) -> TransformedImage:
    """See `ImageProcessor.transform`; blocks until done. Runs in a confined worker: it opens no file and no socket.

    Raises:
        MemoryError: there is none left; the process should end.
    """
    check_overlay(recipe, overlay)
    vips = load_vips()
    try:
        if is_moving(structure, recipe):
            return transform_animation(structure, recipe)
        return _transform_still(structure, recipe, overlay)
    except vips.Error as error:
        raise error_of(f"{error.message} {error.detail}") from error


def _transform_still(structure: Structure, recipe: Recipe, overlay: Structure | None) -> TransformedImage:
    picture = _cut(_turned(_scaled(structure, recipe), recipe.rotate), recipe)
    if recipe.blur:
        picture = blurred(picture, recipe.blur)
    if recipe.sharpen:
        picture = sharpened(picture, recipe.sharpen)
    if recipe.canvas:
        picture = laid_on_canvas(picture, recipe.canvas, recipe.background)
    # A rendition may shine through where its image was not known to.
    if background := recipe.background or (_WHITE if recipe.format is ImageFormat.JPEG else None):
        picture = opaque_on(picture, background)
    if recipe.overlay and overlay:
        picture = with_overlay(picture, _mark(overlay, recipe.overlay), recipe.overlay)
    picture = picture.copy_memory()
    body = encode(picture, recipe.format, quality=_quality(picture, recipe), effort=recipe.effort)
    return TransformedImage(body, recipe.format, picture.width, picture.height)


def _mark(structure: Structure, overlay: Overlay) -> Any:
    size = overlay.width, overlay.height
    opened = open_image(structure)
    return decode_upright(shrink_on_load(opened, structure, needed=upright_size(*size, opened.orientation)), size)


def _scaled(structure: Structure, recipe: Recipe) -> Any:
    """The region in its size and in memory, upright, not yet turned."""
    opened = open_image(structure)
    if upright_size(opened.image.width, opened.image.height, opened.orientation) != recipe.source:
        raise ImageCorrupt
    size = _before_turning(recipe)
    if recipe.region is None:
        opened = shrink_on_load(opened, structure, needed=upright_size(*size, opened.orientation))
        return decode_upright(opened, size)
    if opened.orientation != 1:
        opened = OpenedImage(decode_upright(opened, recipe.source), 1)
    region = recipe.region
    part = opened.image.crop(region.left, region.top, region.width, region.height)
    return decode_upright(OpenedImage(part, 1, opened.memory), size)


def _before_turning(recipe: Recipe) -> Size:
    width, height = recipe.scaled
    return (height, width) if recipe.rotate in {90, 270} else (width, height)


def _turned(picture: Any, degrees: int) -> Any:
    return picture.rot(_TURNS[degrees]).copy_memory() if degrees else picture


def _cut(picture: Any, recipe: Recipe) -> Any:
    if recipe.cut is None:
        return picture
    region = crop_region(*recipe.scaled, recipe.cut, _focus(picture, recipe))
    return picture.crop(region.left, region.top, region.width, region.height)


def _focus(picture: Any, recipe: Recipe) -> FocalPoint:
    if recipe.attention:
        return attention_point_of_large(picture)
    return recipe.focus or CENTRE


def _quality(picture: Any, recipe: Recipe) -> int | None:
    if recipe.format is ImageFormat.PNG:
        return None
    if recipe.quality is not None:
        return recipe.quality
    return QualityChooser(picture, target=recipe.target, effort=recipe.effort).quality_for(recipe.format)
