"""The engine as the service runs it: pictures go to a confined worker process and come back."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from app.core.sandbox_mode import Sandbox
from app.images.inspection import inspect_image
from app.images.records import RenderedImage
from app.services.decoder.confined_processor import ConfinedProcessor, ProcessingLimits
from app.services.decoder.fork_server_client import ServerOrders
from benchmarks.peers.ours import LIMITS, plan_of, renditions_of
from benchmarks.peers.work import Renditions, Work

_MEMORY_BYTES = 1024**3
_loop = asyncio.new_event_loop()
_processor = ConfinedProcessor(
    ServerOrders(Sandbox.AUTO, _MEMORY_BYTES), ProcessingLimits(timeout_seconds=60, max_wait_seconds=60)
)
_processor.start()
threading.Thread(target=_loop.run_forever, daemon=True).start()


def ours_confined(work: Work) -> Callable[[], Renditions]:
    """Inspection here, everything else in the worker."""
    plan = plan_of(work)

    async def render() -> RenderedImage:
        structure = inspect_image(work.content, LIMITS)
        return await _processor.render(structure, file_size=len(work.content), plan=plan)

    def run() -> Renditions:
        return renditions_of(asyncio.run_coroutine_threadsafe(render(), _loop).result(), work)

    return run
