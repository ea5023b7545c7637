"""What every `ImageProcessor` makes of recipes, on real pictures: in threads and in confined processes."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from typing import Any

import pytest

from app.core.exceptions import ImageCorrupt, ImageTruncated
from app.core.sandbox_mode import Sandbox
from app.images.formats import ImageFormat
from app.images.inspection import inspect_image
from app.images.limits import PixelLimits
from app.images.recipes import TransformedImage
from app.images.records import RenderPlan
from app.services.decoder.confined_processor import ConfinedProcessor, ProcessingLimits
from app.services.decoder.fork_server_client import ServerOrders
from app.services.decoder.thread_processor import ThreadProcessor
from app.services.protocols import ImageProcessor
from tests.conftest import measuring_lag
from tests.pictures import decode, make_jpeg, make_png, make_webp, photo
from tests.services.decoder.sources import make_avif
from tests.services.decoder.transforming import FORMATS, recipe_for
from tests.services.workers.conftest import MEMORY_BYTES

MARK = make_png(50, 40, mode="RGBA")
MARK_TEXT = base64.urlsafe_b64encode(b"logos/a.png").rstrip(b"=").decode()
SOURCES = {
    "jpeg": make_jpeg(400, 300),
    "png": make_png(200, 150, mode="RGBA"),
    "grey": make_png(64, 48, mode="LA"),
    "avif": make_avif(photo(80, 60)),
    "animation": make_webp(64, 48, frames=3),
}
TEXTS = [
    "w:60",
    "w:40,h:40,fit:cover,rotate:90",
    "w:60,h:60,fit:contain,bg:112233",
    "crop:box~0.25~0.25~0.5~0.5,blur:20,sharpen:1",
    f"rotate:180,watermark:{MARK_TEXT}~c~50~50",
]


@pytest.fixture(scope="module")
def threads() -> Iterator[ThreadProcessor]:
    """The engine without confinement."""
    processor = ThreadProcessor(threads=1)
    yield processor
    processor.close()


@pytest.fixture(scope="module")
def processes() -> Iterator[ConfinedProcessor]:
    """The engine in confined workers."""
    processor = ConfinedProcessor(ServerOrders(Sandbox.AUTO, MEMORY_BYTES), ProcessingLimits(workers=2))
    yield processor
    processor.close()


@pytest.fixture(params=["threads", "processes"])
def processor(request: pytest.FixtureRequest, threads: ThreadProcessor, processes: ConfinedProcessor) -> ImageProcessor:
    """One of each kind."""
    return threads if request.param == "threads" else processes


async def transform(processor: ImageProcessor, content: bytes, text: str, **arguments: Any) -> TransformedImage:
    """As a delivery does."""
    structure = inspect_image(content, PixelLimits())
    overlay = inspect_image(MARK, PixelLimits()) if "watermark" in text else None
    recipe = recipe_for(text, structure, overlay_size=(50, 40), **arguments)
    return await processor.transform(structure, recipe, overlay=overlay)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("image_format", FORMATS)
async def test_both_kinds_agree(
    threads: ThreadProcessor, processes: ConfinedProcessor, source: str, image_format: ImageFormat
) -> None:
    """Every step of every recipe comes out of a confined process byte for byte as it does without one."""
    how: dict[str, Any] = {"image_format": image_format, "has_alpha": True}
    for text in TEXTS:
        for quality in (None, 70):
            open_air = await transform(threads, SOURCES[source], text, quality=quality, **how)
            confined = await transform(processes, SOURCES[source], text, quality=quality, **how)
            assert open_air == confined
            assert decode(confined.body).size == (confined.width, confined.height)


@pytest.mark.parametrize("share", [0.3, 0.9])
async def test_damage(processor: ImageProcessor, share: float) -> None:
    """A stored photo without some of its rows is refused, and the next one is served."""
    content = SOURCES["jpeg"]
    damaged = content[: int(len(content) * share)].rstrip(b"\xff") + b"\xff\xd9"
    with pytest.raises((ImageTruncated, ImageCorrupt)):
        await transform(processor, damaged, "w:399")
    assert (await transform(processor, content, "w:60")).width == 60


async def test_a_missing_watermark(processor: ImageProcessor) -> None:
    """Nothing is made without the watermark that its recipe has."""
    structure = inspect_image(SOURCES["jpeg"], PixelLimits())
    recipe = recipe_for(TEXTS[-1], structure, overlay_size=(50, 40))
    with pytest.raises(ValueError, match="watermark"):
        await processor.transform(structure, recipe)


async def test_uploads_and_transforms_at_once(processor: ImageProcessor) -> None:
    """Both go through the same workers, each has its own outcome, and the event loop stays free."""
    structure = inspect_image(SOURCES["jpeg"], PixelLimits())
    length = len(SOURCES["jpeg"])
    async with measuring_lag() as delays:
        uploads = asyncio.gather(*(processor.render(structure, file_size=length, plan=RenderPlan()) for _ in range(3)))
        made = await asyncio.gather(
            *(transform(processor, SOURCES["jpeg"], f"w:{100 + number}") for number in range(6))
        )
        stored = await uploads
    assert [each.width for each in made] == [100, 101, 102, 103, 104, 105]
    assert [each.width for each in stored] == [400, 400, 400]
    assert max(delays) < 0.5


async def test_closed_and_used_again(processor: ImageProcessor) -> None:
    """After closing, the next transform starts everything anew."""
    processor.close()
    assert (await transform(processor, SOURCES["jpeg"], "w:60")).width == 60
