"""An animation as an animated WebP in every size that its pixels allow, and as stills of its first frame.

Each frame is decoded once, scaled like a still, and given to every animation that is being written.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from app.images.cleanup import clean_copy
from app.images.formats import ImageFormat
from app.images.geometry import Region, Size, affordable_animations, fit_frames, fit_within, original_size
from app.images.records import RenderedImage, RenderPlan, Rendition, SourceFacts, Structure
from app.images.structure import read_structure
from app.images.variants import VariantSpec
from app.services.decoder.animated_webp import AnimatedWebpWriter, AnimationCoding
from app.services.decoder.cascade import build_steps
from app.services.decoder.encoding import Encoded, encode_within
from app.services.decoder.flatness import is_flat
from app.services.decoder.frames import open_frames
from app.services.decoder.quality_table import QualityTable
from app.services.decoder.still import Emit, Still, decode_still, render_variants
from app.services.decoder.variant_rendering import PlannedVariant, VariantRenderer, cut, plan_variants

_MOVING = frozenset({ImageFormat.GIF, ImageFormat.WEBP})
# Frames that are coded again, all together: about 35 ms of CPU each million.
_MAX_ORIGINAL_PIXELS = 40_000_000
# Up to so many, each frame is tried with and without loss, which dithered ones make ten times as costly. Of drawn
# ones libwebp knows at once which is right.
_MAX_MIXED_PIXELS = 8_000_000
_METHOD = 2
# As for stills: coding lossy pictures again must save a fifth.
_WORTHWHILE_SAVING = 0.8
# (quality, divisor of the sides) of further attempts where the file sent was shorter. Each decodes everything again.
_SMALLER = ((40, 1), (25, 2), (10, 4))
_SMALLER_OF_MANY = ((25, 2),)
_MANY_PIXELS = 30_000_000


@dataclass(frozen=True, slots=True)
class Output:
    """An animation to be written: its canvas, and the region of which step it shows (None: the step as it is)."""

    canvas: Size
    step: Size
    region: Region | None
    coding: AnimationCoding


def is_kept_moving(structure: Structure, plan: RenderPlan) -> bool:
    """Whether the animation survives; of APNG and AVIF sequences only the first picture is read."""
    return plan.keeps_animation and structure.frames > 1 and structure.format in _MOVING


def render_animation(structure: Structure, *, file_size: int, plan: RenderPlan, emit: Emit) -> RenderedImage:
    """The animation and its variants; JPEGs, which cannot move, are stills of the first frame."""
    still = decode_still(structure, plan, original_of=lambda upright: original_size(plan, *upright))
    qualities = QualityTable(still.probe, plan.qualities)
    renderer = VariantRenderer(
        still.small, focal_point=plan.focal_point, alpha_format=ImageFormat.PNG, qualities=qualities
    )
    original = AnimatedOriginal(structure, still, qualities)
    stills = render_variants(still, [spec for spec in plan.variants if not _moves(spec)], renderer, emit=emit)
    moving = _affordable(plan, still, frames=structure.frames)
    is_mixed = original.is_drawn or _pixels(moving, structure) <= _MAX_MIXED_PIXELS
    outputs = {}
    for each in moving:
        # AVIF's numbers mean something else than WebP's.
        is_asked = each.spec in plan.variants
        quality = qualities.of_variant(each.spec) if is_asked else qualities.of_original(ImageFormat.WEBP)
        coding = AnimationCoding(quality, _METHOD, is_mixed)
        outputs[each.spec] = Output(each.canvas, each.step, renderer.region_of(each), coding)
    first = original.first_attempt()
    bodies = write_animations(structure, {*outputs.values(), *first})
    animations = [_finished(each, bodies[outputs[each.spec]]) for each in moving]
    for animation in animations:
        emit(animation)
    stored = original.within(file_size, [bodies[output] for output in first])
    stored_frames = read_structure(stored.format, stored.body).frames
    return RenderedImage(
        body=stored.body,
        format=stored.format,
        width=stored.width,
        height=stored.height,
        facts=replace(still.facts, is_animated=stored_frames > 1),
        source=SourceFacts(structure.format, *still.upright, file_size, structure.frames),
        variants=_in_order(plan, [*stills, *animations]),
        frames=stored_frames,
    )


def write_animations(structure: Structure, outputs: Collection[Output]) -> dict[Output, bytes]:
    """The files of these animations. Every frame of the source is decoded once, also where none is to be written."""
    source = open_frames(structure)
    writers = {output: AnimatedWebpWriter(output.canvas, output.coding, plays=source.plays) for output in outputs}
    sizes = sorted({output.step for output in outputs}, reverse=True)
    for frame in source.frames:
        steps = dict(zip(sizes, build_steps(frame.opened, sizes), strict=True)) if sizes else {}
        for output, writer in writers.items():
            step = steps[output.step]
            canvas = step if output.region is None else cut(step, output.region, output.canvas)
            writer.add(canvas, duration_ms=frame.duration_ms)
        # Not held while the next one is decoded.
        del frame
    return {output: writer.finish() for output, writer in writers.items()}


def _moves(spec: VariantSpec) -> bool:
    return spec.format in {ImageFormat.AVIF, ImageFormat.WEBP}


def _affordable(plan: RenderPlan, still: Still, *, frames: int) -> list[PlannedVariant]:
    """The variants that move, each in WebP, as many as their pixels allow."""
    named = {spec.name for spec in plan.variants if spec.format is ImageFormat.WEBP}
    specs = dict.fromkeys(
        replace(spec, format=ImageFormat.WEBP)
        for spec in plan.variants
        if spec.format is ImageFormat.WEBP or (spec.format is ImageFormat.AVIF and spec.name not in named)
    )
    planned = plan_variants(specs, still.sizes, original=still.original)
    chosen = affordable_animations([each.canvas for each in planned], frames=frames)
    return [each for at, each in enumerate(planned) if at in chosen]


def _pixels(moving: Sequence[PlannedVariant], structure: Structure) -> int:
    return structure.frames * sum(each.canvas[0] * each.canvas[1] for each in moving)


def _finished(variant: PlannedVariant, body: bytes) -> Rendition:
    frames = read_structure(ImageFormat.WEBP, body).frames
    return Rendition(variant.spec, body, *variant.canvas, frames=frames)


def _encoded(body: bytes) -> Encoded:
    structure = read_structure(ImageFormat.WEBP, body)
    return Encoded(ImageFormat.WEBP, body, structure.width, structure.height)


def _in_order(plan: RenderPlan, made: Sequence[Rendition]) -> tuple[Rendition, ...]:
    """The renditions in the order of the plan's specs, each once."""
    by_spec = {rendition.spec: rendition for rendition in made}
    ordered = dict.fromkeys(stand_in for spec in plan.variants for stand_in in spec.stand_ins if stand_in in by_spec)
    return tuple(by_spec[spec] for spec in ordered)


class AnimatedOriginal:
    """The animation to store: coded again, or as it was sent, or its first frame where nothing else is short enough."""

    def __init__(self, structure: Structure, still: Still, qualities: QualityTable) -> None:
        self._structure = structure
        self._first_frame = still.steps[still.sizes.index(still.original)]
        self._qualities = qualities
        self._is_cleanable = structure.format is ImageFormat.WEBP and still.is_unchanged
        self._size = still.original
        self._pixels = structure.frames * still.upright[0] * still.upright[1]
        self.is_drawn = is_flat(self._first_frame)

    def first_attempt(self) -> list[Output]:
        """What is to be written, if anything: nothing where too many pixels may stay as they were sent."""
        quality = self._qualities.of_original(ImageFormat.WEBP)
        if self.is_drawn or self._pixels <= _MAX_MIXED_PIXELS:
            return [self._output(self._size, AnimationCoding(quality, _METHOD, is_mixed=True))]
        if self._is_cleanable and self._pixels > _MAX_ORIGINAL_PIXELS:
            return []
        size = fit_frames(self._size, frames=self._structure.frames, max_pixels=_MAX_ORIGINAL_PIXELS)
        return [self._output(size, AnimationCoding(quality, _METHOD))]

    def within(self, file_size: int, attempts: Sequence[bytes]) -> Encoded:
        """The right one of what was written and what was sent, not longer than `file_size`."""
        candidates = [_encoded(body) for body in attempts]
        if self._is_cleanable:
            cleaned = _encoded(clean_copy(ImageFormat.WEBP, self._structure.decodable))
            candidates = [each for each in candidates if len(each.body) < len(cleaned.body) * _WORTHWHILE_SAVING]
            candidates.append(cleaned)
        if len(candidates[0].body) <= file_size:
            return candidates[0]
        for quality, divisor in _SMALLER if self._pixels <= _MANY_PIXELS else _SMALLER_OF_MANY:
            size = fit_within(*self._size, max(1, max(self._size) // divisor))
            output = self._output(size, AnimationCoding(quality, _METHOD))
            smaller = _encoded(write_animations(self._structure, [output])[output])
            if len(smaller.body) <= file_size:
                return smaller
        quality_of = self._qualities.of_original
        return encode_within(
            self._first_frame, self._structure, is_unchanged=False, file_size=file_size, quality_of=quality_of
        )

    @staticmethod
    def _output(size: Size, coding: AnimationCoding) -> Output:
        return Output(size, size, None, coding)
