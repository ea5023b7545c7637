"""Whether what a decoder process hands back is what was asked of it: one that was taken over hands back anything.

Checked are names, sizes, formats and containers; the pixels themselves are the sender's in any case.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache

from app.core.exceptions import ImageError
from app.images.cleanup import is_clean
from app.images.formats import SNIFF_BYTES, STORED_FORMATS, ImageFormat, sniff_format
from app.images.geometry import Size, original_size, variant_size
from app.images.recipes import Recipe, TransformedImage
from app.images.records import PictureFacts, RenderedImage, RenderPlan, Rendition, SourceFacts, Structure
from app.images.structure import read_structure
from app.images.variants import VariantSpec

# All variants of one upload together. A whole set of a 48 MP photo has about 3 MB.
MAX_VARIANT_BYTES = 128 * 1024 * 1024
# Noise with alpha as a PNG has a little over four bytes per pixel.
_MAX_PIXEL_BYTES = 5
_MAX_CONTAINER_BYTES = 64 * 1024

_FACT_PATTERNS = {
    "thumbhash": re.compile(r"[A-Za-z0-9+/]{0,48}"),
    "blurhash": re.compile(r"[0-9A-Za-z#$%*+,\-.:;=?@\[\]^_{|}~]{0,200}"),
    "dominant_color": re.compile(r"#[0-9a-f]{6}"),
    "dhash": re.compile(r"[0-9a-f]{16}"),
}
_HEIF = frozenset({ImageFormat.AVIF, ImageFormat.HEIC})


class NotAsPlanned(Exception):
    """What came back is not what was asked for. The text says what is wrong, in words of ours."""


class Verifier:
    """Checks what comes back for one picture: each variant as it comes, then the result with all of them."""

    def __init__(self, structure: Structure, *, file_size: int, plan: RenderPlan) -> None:
        self._structure = structure
        self._file_size = file_size
        self._plan = plan
        self._variants: dict[VariantSpec, Rendition] = {}
        self._variant_bytes = 0

    @property
    def allowed_variant_bytes(self) -> int:
        """The most bytes that the next variant may have."""
        return MAX_VARIANT_BYTES - self._variant_bytes

    def accept_variant(self, rendition: Rendition) -> Rendition:
        """The same variant, with the plan's own spec.

        Raises:
            NotAsPlanned: it was not asked for, came before, or is not a clean picture of the size it claims.
        """
        spec = _renderable(self._plan.variants).get(rendition.spec)
        if spec is None:
            raise NotAsPlanned("a variant that is not planned")
        if spec in self._variants:
            raise NotAsPlanned("a variant that came before")
        if rendition.width > spec.width or rendition.height > (spec.height or rendition.height):
            raise NotAsPlanned("a variant larger than its spec")
        size = rendition.width, rendition.height
        check_body(spec.format, rendition.body, size, frames=rendition.frames, most_frames=self._structure.frames)
        self._variant_bytes += len(rendition.body)
        accepted = replace(rendition, spec=spec)
        self._variants[spec] = accepted
        return accepted

    def accept_result(self, rendered: RenderedImage) -> RenderedImage:
        """The result, with the variants that were accepted, in the plan's order.

        Raises:
            NotAsPlanned: it contradicts the source, the plan or the variants.
        """
        self._check_source(rendered.source)
        upright = rendered.source.width, rendered.source.height
        widest, highest = original_size(self._plan, *upright)
        if rendered.width > widest or rendered.height > highest:
            raise NotAsPlanned("an original larger than planned")
        if rendered.format not in STORED_FORMATS:
            raise NotAsPlanned("an original in a format that is not stored")
        if len(rendered.body) > self._file_size:
            raise NotAsPlanned("an original longer than the file sent")
        size = rendered.width, rendered.height
        check_body(rendered.format, rendered.body, size, frames=rendered.frames, most_frames=self._structure.frames)
        check_facts(rendered.facts)
        return replace(rendered, variants=tuple(self._variants_of((widest, highest))))

    def _check_source(self, source: SourceFacts) -> None:
        sent = self._structure
        if (source.format, source.file_size, source.frames) != (sent.format, self._file_size, sent.frames):
            raise NotAsPlanned("facts of another source")
        if sent.format in _HEIF:
            # The container's size is that of the largest picture in it.
            is_possible = 0 < source.width * source.height <= sent.width * sent.height and source.width > 0
        else:
            is_possible = (source.width, source.height) in {(sent.width, sent.height), (sent.height, sent.width)}
        if not is_possible:
            raise NotAsPlanned("a source of another size")

    def _variants_of(self, original: Size) -> list[Rendition]:
        """Each in the size that its spec gives, one or more for every spec that gives any, none for the others."""
        accepted: dict[VariantSpec, Rendition] = {}
        for spec in self._plan.variants:
            size = variant_size(spec, *original)
            made = {each: self._variants[each] for each in spec.stand_ins if each in self._variants}
            if any((rendition.width, rendition.height) != size for rendition in made.values()):
                raise NotAsPlanned("a variant of another size")
            # Of an animation the largest variants are left out: see `affordable_animations`.
            if size and not made and self._structure.frames == 1:
                raise NotAsPlanned("a variant is missing")
            accepted |= made
        return list(accepted.values())


def allowed_transform_bytes(structure: Structure, recipe: Recipe) -> int:
    """The most bytes that the result of a recipe may have: more than its pixels take without any compression."""
    frames = structure.frames if recipe.keeps_animation else 1
    width, height = recipe.size
    return min(MAX_VARIANT_BYTES, _MAX_PIXEL_BYTES * width * height * frames + _MAX_CONTAINER_BYTES)


def accept_transformed(transformed: TransformedImage, structure: Structure, recipe: Recipe) -> TransformedImage:
    """The same result, which is what the recipe asks for.

    Raises:
        NotAsPlanned: it is of another format or size, has more frames than it may, or is not a clean whole picture.
    """
    if (transformed.format, (transformed.width, transformed.height)) != (recipe.format, recipe.size):
        raise NotAsPlanned("a result that was not asked for")
    most_frames = structure.frames if recipe.keeps_animation else 1
    check_body(recipe.format, transformed.body, recipe.size, frames=transformed.frames, most_frames=most_frames)
    return transformed


def check_body(image_format: ImageFormat, body: bytes, size: Size, *, frames: int, most_frames: int) -> None:
    """Returns for a whole file of this format, size and number of frames with nothing but a picture in it.

    Raises:
        NotAsPlanned: it is something else.
    """
    if not 1 <= frames <= most_frames:
        raise NotAsPlanned("more frames than were sent")
    if sniff_format(body[:SNIFF_BYTES]) is not image_format:
        raise NotAsPlanned("a body of another format")
    try:
        structure = read_structure(image_format, body)
    except (ImageError, IndexError, ValueError) as error:
        raise NotAsPlanned("a body that is damaged") from error
    if (structure.width, structure.height, structure.frames) != (*size, frames):
        raise NotAsPlanned("a body of another size")
    if not is_clean(image_format, body):
        raise NotAsPlanned("a body with more in it than a picture")


def check_facts(facts: PictureFacts) -> None:
    """Returns when every text among the facts has the alphabet and the length of its kind.

    Raises:
        NotAsPlanned: one has not.
    """
    for name, pattern in _FACT_PATTERNS.items():
        if not pattern.fullmatch(getattr(facts, name)):
            raise NotAsPlanned(f"a {name} that is none")


@lru_cache(maxsize=64)
def _renderable(planned: tuple[VariantSpec, ...]) -> dict[VariantSpec, VariantSpec]:
    return {stand_in: stand_in for spec in planned for stand_in in spec.stand_ins}
