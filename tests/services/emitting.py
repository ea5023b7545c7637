"""A processor that decodes nothing and emits one rendition per spec, at the pace that a test sets."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterable

from app.images.formats import ImageFormat
from app.images.records import PictureFacts, RenderedImage, RenderPlan, Rendition, SourceFacts, Structure
from app.images.variants import VariantSpec, VariantTable
from app.services.image_service import ImageService
from app.services.memory_store import MemoryStore
from app.services.protocols import NewObject, ignore_variant
from tests.conftest import IMAGE_TYPES
from tests.services.image_services import service_on

SPECS = VariantTable(widths=(640, 320)).specs()
PLANS = {name: RenderPlan(variants=SPECS) for name in IMAGE_TYPES}
FACTS = PictureFacts(
    has_alpha=False,
    is_animated=False,
    thumbhash="1QcSHQRnh493V4dIh4eXh1h4kJUI",
    blurhash="LEHV6nWB2yk8pyo0adR*.7kCMdnj",
    dominant_color="#7a8c99",
    dhash="3c3e0e1a3a1e1e1e",
)


def rendition_of(spec: VariantSpec) -> Rendition:
    """A finished variant whose bytes tell its spec."""
    return Rendition(spec, f"rendered {spec.file_name}".encode() * 50, spec.width, spec.height or spec.width)


async def no_pause(_: int) -> None:
    """As fast as possible, though the event loop turns."""
    await asyncio.sleep(0)


class EmittingProcessor:
    """Implements `ImageProcessor`. `pause` is awaited before the first, between any two, and after the last variant."""

    def __init__(
        self, *, pause: Callable[[int], Awaitable[None]] = no_pause, image_format: ImageFormat = ImageFormat.JPEG
    ) -> None:
        self._pause = pause
        self._format = image_format
        self.plans: list[RenderPlan] = []

    async def render(
        self,
        structure: Structure,
        *,
        file_size: int,
        plan: RenderPlan,
        on_variant: Callable[[Rendition], None] = ignore_variant,
        waited_seconds: float = 0.0,
    ) -> RenderedImage:
        """See `ImageProcessor.render`."""
        self.plans.append(plan)
        renditions = tuple(rendition_of(spec) for spec in plan.variants)
        for number, rendition in enumerate(renditions):
            await self._pause(number)
            on_variant(rendition)
        await self._pause(len(renditions))
        source = SourceFacts(structure.format, structure.width, structure.height, file_size, structure.frames)
        return RenderedImage(b"original", self._format, 64, 48, FACTS, source, renditions)

    def close(self) -> None:
        """See `ImageProcessor.close`."""


class WatchedStore(MemoryStore):
    """Remembers the keys that were created, in order; a test may do something before each."""

    def __init__(self, before_create: Callable[[NewObject], Awaitable[None]] | None = None) -> None:
        super().__init__()
        self._before_create = before_create
        self.created: list[NewObject] = []
        self.under_way = 0
        self.most_under_way = 0

    async def create(self, new: NewObject) -> str:
        """See `ObjectStore.create`."""
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            if self._before_create:
                await self._before_create(new)
            etag = await super().create(new)
        finally:
            self.under_way -= 1
        self.created.append(new)
        return etag

    async def keys(self, prefix: str = "") -> list[str]:
        """Everything that is there."""
        return [listed.key for listed in await self.list(prefix)]


def emitting_service(
    store: MemoryStore, *, processor: EmittingProcessor | None = None, tokens: Iterable[str] | None = None
) -> ImageService:
    """A service whose processor emits the variants of `SPECS`; keys are drawn from `tokens` where given."""
    changes = {} if tokens is None else {"new_token": iter(tokens).__next__}
    return service_on(store, processor=processor or EmittingProcessor(), plans=PLANS, **changes)


async def until(holds: Callable[[], bool]) -> None:
    """Turns the event loop until the condition holds, and fails after five seconds."""
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0)


def digest_of(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
