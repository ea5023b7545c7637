"""Whatever bytes a decoder process hands back, they are a clean picture as planned, or they are refused."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.images.formats import ImageFormat
from app.images.records import PictureFacts, RenderedImage, RenderPlan, Rendition, SourceFacts, Structure
from app.images.variants import Crop, VariantSpec
from app.images.verification import MAX_VARIANT_BYTES, NotAsPlanned, Verifier, check_facts
from tests.pictures import make_jpeg, make_png, make_webp

FACTS = PictureFacts(False, False, "1QcSHQRnh493V4dIh4eXh1h4kJUI", "LEHV6nWB2yk8pyo0adR*.7kCMdnj", "#7a8c99", "0" * 16)
JPEG, WEBP, PNG = ImageFormat.JPEG, ImageFormat.WEBP, ImageFormat.PNG
PLAN = RenderPlan(
    max_side_pixels=200,
    variants=(
        VariantSpec("100", JPEG, 100),
        VariantSpec("thumb", WEBP, 60, 60, Crop.CENTRE),
        VariantSpec("500", JPEG, 500),
    ),
)
SENT = Structure(JPEG, 300, 400, 1, False, b"")


def verifier(**changes: Any) -> Verifier:
    """For a photo that lies on its side: 300 × 400 as it is coded, 400 × 300 upright."""
    return Verifier(replace(SENT, **changes), file_size=50_000, plan=PLAN)


def variants() -> list[Rendition]:
    """What such a photo gives by the plan: 100 × 75, a square; nothing is wider than the source."""
    wide, square = PLAN.variants[:2]
    return [
        Rendition(wide, make_jpeg(100, 75), 100, 75),
        Rendition(square, make_webp(60, 60), 60, 60),
    ]


def original() -> RenderedImage:
    source = SourceFacts(JPEG, 400, 300, 50_000, 1)
    return RenderedImage(make_jpeg(200, 150), JPEG, 200, 150, FACTS, source)


def forged_fact(name: str, text: Any) -> PictureFacts:
    return replace(FACTS, **{name: text})


def test_what_is_as_planned() -> None:
    """The true answer passes, its variants in the plan's order however they came, with the plan's own specs."""
    checks = verifier()
    accepted = [checks.accept_variant(replace(each, spec=replace(each.spec))) for each in reversed(variants())]
    result = checks.accept_result(original())
    assert result.variants == tuple(reversed(accepted))
    assert [made.spec for made in result.variants] == list(PLAN.variants[:2])
    assert result.body == original().body


def test_a_format_that_stands_in() -> None:
    """A PNG in the place of a JPEG is as planned where the picture is better as one."""
    checks, (wide, square) = verifier(), variants()
    checks.accept_variant(replace(wide, spec=replace(wide.spec, format=PNG), body=make_png(100, 75)))
    checks.accept_variant(square)
    assert [made.spec.format for made in checks.accept_result(original()).variants] == [PNG, WEBP]


def test_an_original_longer_than_the_file() -> None:
    """The stored picture is never longer than what was sent."""
    checks = verifier()
    for each in variants():
        checks.accept_variant(each)
    long = make_png(200, 150)
    assert len(long) > 50_000
    with pytest.raises(NotAsPlanned, match="longer"):
        checks.accept_result(replace(original(), body=long, format=PNG))


def test_a_variant_larger_than_its_spec() -> None:
    """It is refused before it is handed on: variants are stored while the rest is still being rendered."""
    wide, square = variants()
    for forged in (
        replace(wide, body=make_jpeg(101, 76), width=101, height=76),
        replace(square, body=make_webp(60, 61), height=61),
    ):
        with pytest.raises(NotAsPlanned, match="larger than its spec"):
            verifier().accept_variant(forged)


def test_formats() -> None:
    """A body is what its spec says, and an original is in a format that browsers show."""
    with pytest.raises(NotAsPlanned, match="another format"):
        verifier().accept_variant(replace(variants()[0], body=make_png(100, 75)))
    with pytest.raises(NotAsPlanned, match="not stored"):
        verifier().accept_result(replace(original(), format=ImageFormat.GIF))


def test_room_for_variants() -> None:
    """All variants together have a bound."""
    checks, (wide, _) = verifier(), variants()
    checks.accept_variant(wide)
    assert checks.allowed_variant_bytes == MAX_VARIANT_BYTES - len(wide.body)


def test_an_animation_may_lose_frames_and_variants() -> None:
    """Of an animation large variants may be left out and frames dropped, not invented."""
    moving = make_webp(60, 60, frames=3)
    square = variants()[1]
    checks = verifier(frames=3)
    checks.accept_variant(replace(square, body=moving, frames=3))
    with pytest.raises(NotAsPlanned, match="frames"):
        verifier(frames=2).accept_variant(replace(square, body=moving, frames=3))
    source = replace(original().source, frames=3)
    assert len(checks.accept_result(replace(original(), source=source)).variants) == 1


@pytest.mark.parametrize("size", [(0, 0), (-400, -300), (401, 300), (400, 400)])
def test_a_source_that_was_not_sent(size: tuple[int, int]) -> None:
    """The upright size is that of the file, on its side or not."""
    checks = verifier()
    for each in variants():
        checks.accept_variant(each)
    with pytest.raises(NotAsPlanned, match="source"):
        checks.accept_result(replace(original(), source=replace(original().source, width=size[0], height=size[1])))


def test_a_picture_of_several_sizes() -> None:
    """A HEIC's container may announce a larger picture than the one that is shown, never a smaller one."""
    for coded, is_possible in (((4000, 3000), True), ((300, 400), True), ((100, 100), False)):
        checks = verifier(format=ImageFormat.HEIC, width=coded[0], height=coded[1])
        for each in variants():
            checks.accept_variant(each)
        answer = replace(original(), source=replace(original().source, format=ImageFormat.HEIC))
        if is_possible:
            checks.accept_result(answer)
        else:
            with pytest.raises(NotAsPlanned):
                checks.accept_result(answer)


@pytest.mark.parametrize("name", ["thumbhash", "blurhash", "dominant_color", "dhash"])
@pytest.mark.parametrize("text", ["\n", "é", '"', "<", " ", "x" * 1000, "\0"])
def test_facts_hold_no_text(name: str, text: str) -> None:
    """No fact can carry anything else than what its kind can say."""
    check_facts(FACTS)
    for forged in (text, getattr(FACTS, name) + text, text + getattr(FACTS, name)):
        with pytest.raises(NotAsPlanned):
            check_facts(forged_fact(name, forged))


def test_every_text_among_the_facts_is_checked() -> None:
    """A fact that is added later has its check too."""
    for name, value in ((each, getattr(FACTS, each)) for each in FACTS.__slots__):
        if isinstance(value, str):
            with pytest.raises(NotAsPlanned):
                check_facts(forged_fact(name, "\n"))


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes(body: bytes) -> None:
    """Bytes of any kind are refused in the same way."""
    with pytest.raises(NotAsPlanned):
        verifier().accept_variant(replace(variants()[0], body=body))


@pytest.mark.parametrize("made", variants(), ids=lambda made: made.spec.name)
def test_flipped_bits(made: Rendition) -> None:
    """A body that was changed is refused, or is still a clean picture of its size; nothing else ever happens."""
    dice = random.Random(made.spec.name)
    for _ in range(400):
        body = bytearray(made.body)
        for _ in range(dice.choice([1, 2, 8])):
            body[dice.randrange(min(len(body), 700))] ^= 1 << dice.randrange(8)
        try:
            accepted = verifier().accept_variant(replace(made, body=bytes(body)))
        except NotAsPlanned:
            continue
        assert (accepted.width, accepted.height) == (made.width, made.height)
