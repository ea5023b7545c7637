"""A worker that was taken over lies about a transform: nothing but the picture asked for gets through."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from app.core.exceptions import ImageCorrupt, ImageTooComplex, ImageTruncated, ProcessingOverloaded
from app.images.formats import ImageFormat
from app.images.recipes import Overlay, Recipe, TransformedImage
from app.images.records import Structure
from app.images.verification import NotAsPlanned, accept_transformed, allowed_transform_bytes
from app.services.decoder.confined_processor import ConfinedProcessor
from tests.services.workers.conftest import MakeProcessor
from tests.services.workers.jobs import HEIGHT, WIDTH, framed, order_of
from tests.services.workers.transform_lies import TRANSFORM_LIES, honest, moving

RECIPE = Recipe((WIDTH, HEIGHT), (40, 30), ImageFormat.WEBP)
MARK = Structure(ImageFormat.PNG, 7, 7, 1, False, b"mark")


async def ask(processor: ConfinedProcessor, order: bytes, recipe: Recipe = RECIPE, **how: Any) -> TransformedImage:
    """What the processor makes of a picture that tells its worker what to do."""
    return await processor.transform(order_of(order), recipe, **how)


@pytest.mark.parametrize("lie", TRANSFORM_LIES)
async def test_a_lie_is_a_damaged_picture(
    patient: ConfinedProcessor, caplog: pytest.LogCaptureFixture, lie: str
) -> None:
    """An answer that is not the picture asked for is refused, the log tells, and the next one is served."""
    with caplog.at_level(logging.WARNING), pytest.raises(ImageCorrupt):
        await ask(patient, b"lie " + lie.encode())
    assert [record.message for record in caplog.records] == ["worker_not_believed"]
    assert "smuggled" not in caplog.text


async def test_picture_and_watermark_arrive(patient: ConfinedProcessor) -> None:
    """Both travel in one message and are taken apart where they were put together."""
    recipe = Recipe((WIDTH, HEIGHT), (40, 30), ImageFormat.WEBP, overlay=Overlay(0, 0, 4, 4, 50))
    assert await ask(patient, b"echo picture", recipe, overlay=MARK) == honest(recipe)


async def test_a_watermark_is_never_left_out(patient: ConfinedProcessor) -> None:
    """A recipe without its watermark does not even reach a worker."""
    with pytest.raises(ValueError, match="watermark"):
        await ask(patient, b"echo picture", RECIPE, overlay=MARK)


async def test_what_a_worker_may_say(patient: ConfinedProcessor) -> None:
    """A picture that cannot be decoded, and a worker that ends, are told as for uploads."""
    with pytest.raises(ImageTruncated):
        await ask(patient, b"truncated")
    with pytest.raises(ImageCorrupt):
        await ask(patient, b"unforeseen")
    with pytest.raises(ImageCorrupt):
        await ask(patient, b"leave")


@pytest.mark.parametrize(
    "said", [framed(b'{"kind":"variant","record":{}}'), framed(b"[]"), framed(b'{"kind":"result","record":{}}')]
)
async def test_garbage_is_a_damaged_picture(patient: ConfinedProcessor, said: bytes) -> None:
    """There are no variants of a transform, and nothing but a whole record is a result."""
    with pytest.raises(ImageCorrupt):
        await ask(patient, b"say " + said)


async def test_too_much_is_not_even_read(patient: ConfinedProcessor, caplog: pytest.LogCaptureFixture) -> None:
    """A result that announces more bytes than its pixels have is not waited for."""
    with caplog.at_level(logging.WARNING), pytest.raises(ImageTooComplex):
        await ask(patient, b"say " + framed(b'{"kind":"result","record":{}}', 80_000))
    assert [record.message for record in caplog.records] == ["worker_output_too_large"]


async def test_it_takes_no_longer_than_it_may(make_processor: MakeProcessor) -> None:
    """A transform that hangs is ended in time, what it has waited before included."""
    processor = make_processor(timeout_seconds=60)
    processor.start()
    with pytest.raises(ImageTooComplex):
        await ask(processor, b"stall", waited_seconds=59)
    with pytest.raises((ImageTooComplex, ProcessingOverloaded)):
        await ask(processor, b"lie empty", waited_seconds=61)


@pytest.mark.parametrize(("keeps", "frames", "believed"), [(True, 2, True), (True, 1, False), (False, 2, False)])
def test_frames(keeps: bool, frames: int, believed: bool) -> None:
    """An animation comes back with at most as many frames as it was sent with, and only where it may move."""
    structure = Structure(ImageFormat.GIF, WIDTH, HEIGHT, frames, True, b"")
    recipe = Recipe((WIDTH, HEIGHT), (40, 30), ImageFormat.WEBP, keeps_animation=keeps)
    made = TransformedImage(moving(2), ImageFormat.WEBP, 40, 30, 2)
    if believed:
        assert accept_transformed(made, structure, recipe) is made
    else:
        with pytest.raises(NotAsPlanned):
            accept_transformed(made, structure, recipe)


def test_how_many_bytes_a_result_may_have() -> None:
    """More than any picture of its size takes, less than a worker could fill our memory with."""
    assert 40 * 30 * 4 < allowed_transform_bytes(order_of(b""), RECIPE) < 80_000
    largest = Recipe((WIDTH, HEIGHT), (40, 30), ImageFormat.PNG, canvas=(8192, 8192))
    assert allowed_transform_bytes(order_of(b""), largest) == 128 * 1024**2
    moving = Recipe((WIDTH, HEIGHT), (400, 300), ImageFormat.WEBP, keeps_animation=True)
    assert allowed_transform_bytes(order_of(b"", frames=10), moving) > 9 * 400 * 300 * 4
