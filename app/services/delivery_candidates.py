"""What can answer a delivery request: stored pictures that are what was asked for, and results yet to be made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from app.core.delivery_settings import AvifChoice
from app.core.exceptions import InvalidTransform
from app.core.image_types import Visibility
from app.images.facts import Facts
from app.images.formats import ImageFormat
from app.images.geometry import Size
from app.images.keys import ImageKey
from app.images.negotiation import Accepted, formats_for
from app.images.recipes import Recipe, plan_recipe
from app.images.records import RenderPlan
from app.images.result_keys import result_key
from app.images.transforms import Transform
from app.images.variants import Preset, VariantSpec
from app.services.delivery_policy import DeliveryPolicy

_LOSSLESS = frozenset({ImageFormat.PNG})
_WEBP_EFFORT = 3


@dataclass(frozen=True, slots=True)
class KnownImage:
    """An image that is there: its key, facts that tell its size, the plan of its type, and who may see it."""

    key: ImageKey
    facts: Facts
    plan: RenderPlan
    visibility: Visibility

    @property
    def size(self) -> Size:
        """Of the optimised original, upright."""
        assert self.facts.width is not None  # noqa: S101 - the service made sure
        assert self.facts.height is not None  # noqa: S101
        return self.facts.width, self.facts.height

    @property
    def format(self) -> ImageFormat:
        """Of the optimised original."""
        return next(each for each in ImageFormat if each.extension == self.key.extension)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to answer: the object's key and format, and whether it may be made where it is not there."""

    object_key: str
    format: ImageFormat
    may_be_made: bool


def find_preset(plan: RenderPlan, name: str) -> Preset:
    """The preset of this name.

    Raises:
        InvalidTransform: images of this type have none.
    """
    presets = _presets_of(plan.variants)
    if name not in presets:
        raise InvalidTransform(f"p:{name}: there is no such preset; known are: {', '.join(presets) or 'none'}.")
    return presets[name]


@lru_cache(maxsize=64)
def _presets_of(specs: tuple[VariantSpec, ...]) -> Mapping[str, Preset]:
    return {
        spec.name: Preset(spec.name, spec.width, spec.height, spec.crop) for spec in specs if spec.height is not None
    }


def allowed_widths(plan: RenderPlan) -> frozenset[int]:
    """The widths that are made of every image of this type."""
    return frozenset(spec.width for spec in plan.variants if spec.height is None)


def check_restricted(transform: Transform, plan: RenderPlan) -> None:
    """Returns when strangers may ask for this: a preset, or a width of the variants, in any format, and no more.

    Raises:
        InvalidTransform: they may not.
    """
    plain = Transform(preset=transform.preset, width=transform.width, format=transform.format)
    if transform != plain:
        raise InvalidTransform("Without a signature only presets (p), widths (w) and formats (f) are made.")
    # Lossless pictures of photos are large, and AVIF takes long: not for strangers, unless uploads make them anyway.
    allowed = {ImageFormat.JPEG, ImageFormat.WEBP, *(spec.format for spec in plan.variants)}
    if transform.format is not None and transform.format not in allowed:
        raise InvalidTransform(f"f:{transform.format} is not made without a signature.")
    if transform.preset is not None:
        find_preset(plan, transform.preset)
    elif transform.width not in allowed_widths(plan):
        widths = ", ".join(map(str, sorted(allowed_widths(plan)))) or "none"
        presets = ", ".join(_presets_of(plan.variants)) or "none"
        raise InvalidTransform(f"Without a signature these widths are made: {widths}; and these presets: {presets}.")


def find_candidates(
    image: KnownImage, transform: Transform, accepted: Accepted, policy: DeliveryPolicy
) -> Iterator[Candidate]:
    """What answers the request, best first; whoever asks takes the first that is stored or may be made."""
    if transform.format is not None:
        yield _candidate(image, transform, transform.format, may_be_made=True)
        return
    offered = formats_for(
        accepted,
        stored=image.format,
        has_alpha=_may_have_alpha(image),
        is_animated=bool(image.facts.is_animated),
    )
    for image_format in offered:
        if image_format is not ImageFormat.AVIF:
            yield _candidate(image, transform, image_format, may_be_made=True)
        elif policy.avif is not AvifChoice.NEVER:
            recipe = recipe_of(image, transform, image_format)
            yield _candidate(image, transform, image_format, may_be_made=_avif_pays(recipe, policy))


def _avif_pays(recipe: Recipe, policy: DeliveryPolicy) -> bool:
    if policy.avif is AvifChoice.ALWAYS:
        return True
    return policy.avif is AvifChoice.SMALL and recipe.size[0] * recipe.size[1] <= policy.avif_max_pixels


def recipe_of(
    image: KnownImage,
    transform: Transform,
    image_format: ImageFormat,
    *,
    decoded: Size | None = None,
    overlay_size: Size | None = None,
) -> Recipe:
    """The recipe from the optimised original, or from another stored size of the whole picture.

    Without `overlay_size` the watermark is left out.
    """
    if overlay_size is None and transform.watermark is not None:
        transform = replace(transform, watermark=None)
    quality = transform.quality or image.plan.qualities.of(image_format)
    effort = image.plan.variants[0].effort if image.plan.variants else 0
    if image_format is ImageFormat.WEBP and quality is None:
        # At its fastest WebP takes more bytes than our JPEGs do for the same score; a result is made only once.
        effort = max(effort, _WEBP_EFFORT)
    recipe = plan_recipe(
        transform,
        preset=find_preset(image.plan, transform.preset) if transform.preset else None,
        stored=image.size,
        decoded=decoded or image.size,
        focal_point=image.facts.focal_point,
        has_alpha=_may_have_alpha(image),
        image_format=image_format,
        quality=None if image_format in _LOSSLESS else quality,
        target=image.plan.qualities.target,
        effort=effort,
        overlay_size=overlay_size,
    )
    is_moving = recipe.keeps_animation and bool(image.facts.is_animated) and image.plan.keeps_animation
    # What is nowhere to be seen is left out, so that the same picture has the same recipe.
    is_seen = recipe.canvas is not None or _may_have_alpha(image)
    return replace(recipe, keeps_animation=is_moving, background=recipe.background if is_seen else None)


def _candidate(image: KnownImage, transform: Transform, image_format: ImageFormat, *, may_be_made: bool) -> Candidate:
    recipe = recipe_of(image, transform, image_format)
    if stored := _find_uploaded(image, transform, recipe):
        return stored
    return Candidate(result_key(image.key, recipe, transform.watermark), image_format, may_be_made)


def _find_uploaded(image: KnownImage, transform: Transform, recipe: Recipe) -> Candidate | None:
    """The original or a variant of the upload where it is exactly what the recipe gives."""
    if transform.quality is not None or transform.watermark is not None:
        return None
    if transform == Transform(preset=transform.preset, format=transform.format) and transform.preset is not None:
        return _find_variant(image, transform, recipe, name=transform.preset)
    if not _is_plain_resize(recipe) or transform.background is not None:
        return None
    if recipe.size == image.size and recipe.format is image.format:
        return Candidate(str(image.key), image.format, may_be_made=False)
    return _find_variant(image, transform, recipe, name=str(recipe.size[0]))


def _find_variant(image: KnownImage, transform: Transform, recipe: Recipe, *, name: str) -> Candidate | None:
    listed = {variant.file_name: (variant.width, variant.height) for variant in image.facts.variants or ()}
    for spec in image.plan.variants:
        if spec.name != name or recipe.format not in {stand_in.format for stand_in in spec.stand_ins}:
            continue
        for made in spec.stand_ins:
            # What stands in for a format answers where the format was left open.
            is_right = made.format is recipe.format or (transform.format is None and spec.format is recipe.format)
            if is_right and listed.get(made.file_name) == recipe.size:
                # One that is listed and was swept is made anew.
                return Candidate(f"{image.key.variants_prefix}{made.file_name}", made.format, may_be_made=True)
    return None


def _is_plain_resize(recipe: Recipe) -> bool:
    plain = Recipe(
        source=recipe.source,
        scaled=recipe.scaled,
        format=recipe.format,
        background=recipe.background,
        quality=recipe.quality,
        target=recipe.target,
        effort=recipe.effort,
        keeps_animation=recipe.keeps_animation,
    )
    return recipe == plain


def _may_have_alpha(image: KnownImage) -> bool:
    """As the facts say; where they do not, whether the format can."""
    known = image.facts.has_alpha
    return known if known is not None else image.format is not ImageFormat.JPEG
