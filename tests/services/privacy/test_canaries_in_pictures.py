"""No canary that was planted beside the pixels is in any picture that comes out of the engine."""

from __future__ import annotations

from dataclasses import astuple
from functools import cache

import pytest

from app.core.exceptions import ImageError
from app.images.cleanup import clean_copy, has_clean_copy
from app.images.formats import ImageFormat
from app.images.inspection import inspect_image
from app.images.limits import PixelLimits
from app.images.records import Qualities, RenderedImage, RenderPlan, Rendition, Structure
from app.images.variants import VariantTable
from app.services.decoder.engine import render_picture
from tests.metadata_pictures import PLANTED
from tests.planted.canaries import MARK, canaries_in

# The default variants, and one in the format that is no default.
SPECS = VariantTable().specs() + VariantTable((64,), (ImageFormat.WEBP,), presets=()).specs()
PLANS = {
    "default": RenderPlan(variants=SPECS),
    # So high that the sender's own coded pixels are the shortest, and are kept.
    "highest quality": RenderPlan(qualities=Qualities(jpeg=100, webp=100, avif=100)),
}
OTHER_PLANS = {
    "smaller": RenderPlan(max_side_pixels=50, qualities=Qualities(80, 80, 60)),
    "still": RenderPlan(keeps_animation=False, qualities=Qualities(80, 80, 60)),
}
LOADED = ("jpeg exif", "png exif", "webp animation", "gif animation", "png animation", "avif exif", "tiff tags")


@cache
def inspected(name: str) -> Structure:
    return inspect_image(PLANTED[name].make(), PixelLimits())


def render(name: str, plan: RenderPlan) -> tuple[RenderedImage, list[Rendition]]:
    emitted: list[Rendition] = []
    rendered = render_picture(inspected(name), file_size=len(PLANTED[name].make()), plan=plan, emit=emitted.append)
    return rendered, emitted


def canaries_of(rendered: RenderedImage, emitted: list[Rendition]) -> set[str]:
    """Those in all bodies and in everything else that is told of the picture."""
    found = canaries_in(rendered.body) | canaries_in(repr(astuple(rendered.facts)).encode())
    found |= canaries_in(repr((rendered.format, rendered.source)).encode())
    for variant in (*rendered.variants, *emitted):
        found |= canaries_in(variant.body)
    return found


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("name", PLANTED)
def test_nothing_planted_comes_out(name: str, plan: str) -> None:
    """Where a photo was taken, by whom and with what never leaves the sender, in no picture made of it."""
    assert canaries_in(PLANTED[name].make()), "nothing was planted"
    rendered, emitted = render(name, PLANS[plan])
    assert rendered.body
    assert bool(emitted) == bool(PLANS[plan].variants)
    assert canaries_of(rendered, emitted) == set()


@pytest.mark.parametrize("plan", OTHER_PLANS)
@pytest.mark.parametrize("name", LOADED)
def test_no_setting_lets_anything_through(name: str, plan: str) -> None:
    """Made smaller, or animations made stills, pictures tell no more."""
    assert canaries_of(*render(name, OTHER_PLANS[plan])) == set()


def test_the_ways_that_keep_the_coded_pixels_are_among_those_tried() -> None:
    """Of JPEG, PNG, WebP and AVIF some come out as they were coded, which is where something could slip through."""
    kept = set()
    for name in PLANTED:
        structure = inspected(name)
        if has_clean_copy(structure):
            rendered, _ = render(name, PLANS["highest quality"])
            if rendered.body == clean_copy(structure.format, structure.decodable):
                kept.add(structure.format)
    assert kept == {ImageFormat.JPEG, ImageFormat.PNG, ImageFormat.WEBP, ImageFormat.AVIF}


def test_a_refusal_says_nothing_of_what_was_planted() -> None:
    """The error of a broken file does not quote the file."""
    refused = 0
    for name in PLANTED:
        error = refusal_of(PLANTED[name].make())
        refused += error is not None
        assert error is None or MARK.lower() not in f"{error!r} {error} {error.__cause__!r} {vars(error)}".lower()
    assert refused > len(PLANTED) // 2


def refusal_of(content: bytes) -> ImageError | None:
    """How its first half is refused."""
    try:
        structure = inspect_image(content[: len(content) // 2], PixelLimits())
        render_picture(structure, file_size=len(content), plan=OTHER_PLANS["smaller"], emit=lambda _: None)
    except ImageError as error:
        return error
    return None
