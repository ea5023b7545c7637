"""A still picture: decoded once into the steps of its cascade, from which its original and its variants are made."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from app.images.formats import ImageFormat
from app.images.geometry import Size, cascade_sizes, fit_within, original_size, upright_size
from app.images.records import PictureFacts, RenderedImage, RenderPlan, Rendition, SourceFacts, Structure
from app.images.variants import VariantSpec
from app.services.decoder.cascade import build_smaller, decode_upright, resize
from app.services.decoder.colours import is_plain
from app.services.decoder.decoding import open_image, shrink_on_load
from app.services.decoder.encoding import encode_within
from app.services.decoder.flatness import is_flat
from app.services.decoder.placeholders import describe_picture
from app.services.decoder.quality_table import QualityTable
from app.services.decoder.variant_rendering import VariantRenderer, plan_variants

Emit = Callable[[Rendition], None]

# Enough to judge a picture by, and 30 times fewer pixels than a photo has.
_PROBE_SIDE = 640
_SMALL_SIDE = 320


@dataclass(frozen=True, slots=True)
class Still:
    """One upright picture in memory, in every size that is needed, and what is known of it.

    `steps` are pyvips images of the `sizes`, largest first. `is_unchanged` says that the pixels decoded are those of
    the original to be stored: same size, upright, sRGB, 8 bit. `probe` and `small` are further, smaller sizes.
    """

    upright: Size
    original: Size
    sizes: tuple[Size, ...]
    steps: list[Any]
    is_unchanged: bool
    probe: Any
    small: Any
    facts: PictureFacts


def render_still(structure: Structure, *, file_size: int, plan: RenderPlan, emit: Emit) -> RenderedImage:
    """The first picture of the file and its variants."""
    still = decode_still(structure, plan, original_of=lambda upright: original_size(plan, *upright))
    qualities = QualityTable(still.probe, plan.qualities)
    stored = encode_within(
        still.steps[still.sizes.index(still.original)],
        structure,
        is_unchanged=still.is_unchanged,
        file_size=file_size,
        quality_of=qualities.of_original,
    )
    alpha_format = ImageFormat.PNG if is_flat(still.probe) else ImageFormat.WEBP
    renderer = VariantRenderer(
        still.small, focal_point=plan.focal_point, alpha_format=alpha_format, qualities=qualities
    )
    variants = render_variants(still, plan.variants, renderer, emit=emit)
    return RenderedImage(
        body=stored.body,
        format=stored.format,
        width=stored.width,
        height=stored.height,
        facts=still.facts,
        source=SourceFacts(structure.format, *still.upright, file_size, structure.frames),
        variants=variants,
    )


def decode_still(structure: Structure, plan: RenderPlan, *, original_of: Callable[[Size], Size]) -> Still:
    """The first picture of the file, decoded once; `original_of` gives the size to store from the upright size."""
    opened = open_image(structure)
    upright = upright_size(opened.image.width, opened.image.height, opened.orientation)
    original = original_of(upright)
    sizes = cascade_sizes(original, plan.variants)
    is_unchanged = opened.orientation == 1 and is_plain(opened.image) and original == upright
    opened = shrink_on_load(opened, structure, needed=upright_size(*sizes[0], opened.orientation))
    largest = decode_upright(opened, sizes[0])
    # All pixels of the source may lie in memory.
    del opened
    steps = build_smaller(largest, sizes[1:])
    probe = _reduced(steps, _PROBE_SIDE)
    small = _reduced([*steps, probe], _SMALL_SIDE)
    return Still(
        upright=upright,
        original=original,
        sizes=sizes,
        steps=steps,
        is_unchanged=is_unchanged,
        probe=probe,
        small=small,
        facts=_facts_of(small),
    )


def render_variants(
    still: Still, specs: Iterable[VariantSpec], renderer: VariantRenderer, *, emit: Emit
) -> tuple[Rendition, ...]:
    """The variants in the order of their specs, each once; emitted from the largest step to the smallest.

    The still's steps are used up: each is let go as soon as no variant needs it any more.
    """
    planned = plan_variants(specs, still.sizes, original=still.original)
    finished: dict[VariantSpec, Rendition] = {}
    for size in still.sizes:
        step = still.steps.pop(0)
        for variant in planned:
            if variant.step != size:
                continue
            rendition = renderer.render(variant, step)
            if rendition.spec not in {made.spec for made in finished.values()}:
                finished[variant.spec] = rendition
                emit(rendition)
    return tuple(finished[variant.spec] for variant in planned if variant.spec in finished)


def _reduced(steps: list[Any], side: int) -> Any:
    """The picture with its longest side at most this long, from the smallest step that is not shorter."""
    large_enough = [step for step in steps if _longest(step) >= side]
    if not large_enough:
        return steps[0]
    step = min(large_enough, key=_longest)
    return resize(step, fit_within(step.width, step.height, side)).copy_memory()


def _longest(image: Any) -> int:
    return max(int(image.width), int(image.height))


def _facts_of(image: Any) -> PictureFacts:
    found = describe_picture(image)
    return PictureFacts(
        has_alpha=bool(image.hasalpha()),
        is_animated=False,
        thumbhash=found.thumbhash,
        blurhash=found.blurhash,
        dominant_color=found.dominant_color,
        dhash=found.dhash,
    )
