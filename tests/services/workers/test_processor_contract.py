"""What every `ImageProcessor` does, on real pictures: the one in threads and the one in confined processes."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from app.core.exceptions import ImageCorrupt, ImageError, ImageTruncated
from app.core.sandbox_mode import Sandbox
from app.images.formats import ImageFormat
from app.images.inspection import inspect_image
from app.images.limits import PixelLimits
from app.images.records import RenderedImage, RenderPlan, Rendition
from app.images.variants import VariantTable
from app.services.decoder.confined_processor import ConfinedProcessor, ProcessingLimits
from app.services.decoder.fork_server_client import ServerOrders
from app.services.decoder.thread_processor import ThreadProcessor
from app.services.protocols import ImageProcessor, ignore_variant
from tests.conftest import measuring_lag
from tests.pictures import decode, make_jpeg, make_png, make_webp
from tests.services.workers.conftest import MEMORY_BYTES

PLAN = RenderPlan(variants=VariantTable(widths=(320, 160), formats=(ImageFormat.JPEG, ImageFormat.WEBP)).specs())
PHOTO = make_jpeg(400, 300, orientation=6)


@pytest.fixture(scope="module", params=["threads", "processes"])
def processor(request: pytest.FixtureRequest) -> Iterator[ImageProcessor]:
    """A processor of each kind, two pictures at once."""
    made: ImageProcessor = (
        ThreadProcessor(threads=2)
        if request.param == "threads"
        else ConfinedProcessor(ServerOrders(Sandbox.AUTO, MEMORY_BYTES), ProcessingLimits(workers=2))
    )
    yield made
    made.close()


async def render(
    processor: ImageProcessor, content: bytes, *, plan: RenderPlan = PLAN, told: list[Rendition] | None = None
) -> RenderedImage:
    """As an upload does."""
    structure = inspect_image(content, PixelLimits())
    on_variant = ignore_variant if told is None else told.append
    return await processor.render(structure, file_size=len(content), plan=plan, on_variant=on_variant)


async def test_a_photo(processor: ImageProcessor) -> None:
    """Original and variants are upright, of the sizes they claim, and no longer than what was sent."""
    rendered = await render(processor, PHOTO)
    assert (rendered.format, rendered.width, rendered.height) == (ImageFormat.JPEG, 300, 400)
    assert decode(rendered.body).size == (300, 400)
    assert len(rendered.body) <= len(PHOTO)
    for made in rendered.variants:
        assert decode(made.body).size == (made.width, made.height)
    widths = {made.spec.name: made.width for made in rendered.variants}
    assert widths == {"160": 160, "thumb": 300, "card": 300, "cover": 300}


async def test_both_kinds_agree() -> None:
    """The same picture comes out of a confined process byte for byte as it does without one."""
    threads = ThreadProcessor(threads=1)
    processes = ConfinedProcessor(ServerOrders(Sandbox.AUTO, MEMORY_BYTES), ProcessingLimits())
    try:
        for content in (PHOTO, make_png(300, 200, mode="RGBA"), make_webp(64, 48, frames=3)):
            open_air, confined = [await render(each, content) for each in (threads, processes)]
            assert without_thumbhash(open_air) == without_thumbhash(confined)
    finally:
        threads.close()
        processes.close()


def without_thumbhash(rendered: RenderedImage) -> RenderedImage:
    """Where a sum lies half-way, its rounding depends on where numpy's arrays lie in memory."""
    return replace(rendered, facts=replace(rendered.facts, thumbhash=""))


async def test_variants_are_told_of(processor: ImageProcessor) -> None:
    """Each variant is handed over once, on the event loop, before the result that holds them all in their order."""
    told: list[Rendition] = []
    threads: set[int] = set()

    class Listening(list[Rendition]):
        def append(self, finished: Rendition) -> None:
            threads.add(threading.get_ident())
            told.append(finished)

    rendered = await render(processor, PHOTO, told=Listening())
    assert sorted(made.spec.file_name for made in told) == sorted(made.spec.file_name for made in rendered.variants)
    assert threads == {threading.get_ident()}
    names = [spec.name for spec in PLAN.variants]
    assert [made.spec.name for made in rendered.variants] == [name for name in names if name != "320"]


async def test_no_variants(processor: ImageProcessor) -> None:
    """A plan without variants gives the original alone."""
    told: list[Rendition] = []
    rendered = await render(processor, PHOTO, plan=RenderPlan(), told=told)
    assert (rendered.variants, told) == ((), [])


@pytest.mark.parametrize("share", [0.3, 0.9])
async def test_damage(processor: ImageProcessor, share: float) -> None:
    """A photo without some of its rows is refused, and the next one is rendered."""
    content = make_jpeg(400, 300)
    damaged = content[: int(len(content) * share)].rstrip(b"\xff") + b"\xff\xd9"
    with pytest.raises((ImageTruncated, ImageCorrupt)):
        await render(processor, damaged)
    assert (await render(processor, PHOTO)).width == 300


async def test_many_at_once(processor: ImageProcessor) -> None:
    """Good and damaged pictures at the same time: each has its own outcome, and the event loop stays free."""
    contents = [make_jpeg(400 + 10 * number, 300) for number in range(12)]
    damaged = contents[0][:-300].rstrip(b"\xff") + b"\xff\xd9"
    async with measuring_lag() as delays:
        renders = (render(processor, damaged if number % 3 == 2 else each) for number, each in enumerate(contents))
        outcomes = await asyncio.gather(*renders, return_exceptions=True)
    for number, outcome in enumerate(outcomes):
        if number % 3 == 2:
            assert isinstance(outcome, ImageError)
        else:
            assert isinstance(outcome, RenderedImage)
            assert outcome.width == 400 + 10 * number
    assert max(delays) < 0.5


async def test_closed_and_used_again(processor: ImageProcessor) -> None:
    """After closing, the next picture starts everything anew; closing twice is harmless."""
    processor.close()
    processor.close()
    started_at = time.monotonic()
    assert (await render(processor, PHOTO)).width == 300
    assert time.monotonic() - started_at < 10
