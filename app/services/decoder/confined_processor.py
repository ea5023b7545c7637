"""`ImageProcessor` in confined worker processes: bounded in number, time, memory and output, and never believed."""

from __future__ import annotations

import asyncio
import os
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from app.core.config import Settings
from app.images.recipes import Recipe, TransformedImage
from app.images.records import RenderedImage, RenderPlan, Rendition, Structure
from app.services.decoder.assignment import Answer, Assignment
from app.services.decoder.fork_server_client import ServerOrders
from app.services.decoder.jobs import RenderJob, TransformJob
from app.services.decoder.worker_pool import WorkerPool
from app.services.protocols import ignore_variant
from app.services.sandbox.measures import Confinement
from app.services.slots import Slots


@dataclass(frozen=True, slots=True)
class ProcessingLimits:
    """How much is processed at once, and how long one picture may wait and take, its wait included."""

    workers: int = 1
    timeout_seconds: float = 9.0
    max_wait_seconds: float = 3.0
    worker_max_pictures: int = 300


class ConfinedProcessor:
    """Implements `ImageProcessor`. Nothing starts before the first picture, or `start`."""

    def __init__(self, orders: ServerOrders, limits: ProcessingLimits) -> None:
        self._limits = limits
        self._pool = WorkerPool(orders, max_pictures=limits.worker_max_pictures)
        self._slots = Slots(limits.workers, max_wait_seconds=limits.max_wait_seconds)
        self._begin()
        _living.add(self)

    @classmethod
    def from_settings(cls, settings: Settings) -> ConfinedProcessor:
        """As many workers, as confined and as limited as the settings say."""
        return cls(
            ServerOrders(settings.sandbox, settings.processing_memory_bytes),
            ProcessingLimits(
                workers=settings.processing_workers,
                timeout_seconds=settings.processing_timeout_seconds,
                # The service's own slots refuse; whom they let in is not refused a second time.
                max_wait_seconds=settings.processing_timeout_seconds,
                worker_max_pictures=settings.worker_max_pictures,
            ),
        )

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._threads: ThreadPoolExecutor | None = None

    def start(self) -> Confinement:
        """Starts what the first picture would start; how far workers are confined. Blocks.

        Raises:
            SandboxUnavailable: workers do not start on this system, or not confined as asked.
        """
        return self._pool.start()

    async def render(
        self,
        structure: Structure,
        *,
        file_size: int,
        plan: RenderPlan,
        on_variant: Callable[[Rendition], None] = ignore_variant,
        waited_seconds: float = 0.0,
    ) -> RenderedImage:
        """See `ImageProcessor.render`.

        Raises:
            SandboxUnavailable: workers do not start on this system, or not confined as asked.
        """
        loop = asyncio.get_running_loop()

        def tell(finished: Rendition) -> None:
            if not assignment.is_over:
                on_variant(finished)

        def deliver(finished: Rendition) -> None:
            loop.call_soon_threadsafe(tell, finished)

        job = RenderJob(structure, file_size, plan)
        assignment = Assignment(job, deadline=self._deadline(waited_seconds), deliver=deliver)
        return await self._carry_out(assignment)

    async def transform(
        self,
        structure: Structure,
        recipe: Recipe,
        *,
        overlay: Structure | None = None,
        waited_seconds: float = 0.0,
    ) -> TransformedImage:
        """See `ImageProcessor.transform`.

        Raises:
            SandboxUnavailable: workers do not start on this system, or not confined as asked.
        """
        job = TransformJob(structure, recipe, overlay)
        deadline = self._deadline(waited_seconds)
        return await self._carry_out(Assignment(job, deadline=deadline, deliver=ignore_variant))

    def _deadline(self, waited_seconds: float) -> float:
        return time.monotonic() + self._limits.timeout_seconds - waited_seconds

    async def _carry_out(self, assignment: Assignment[Answer]) -> Answer:
        loop = asyncio.get_running_loop()
        async with self._slots.hold():
            try:
                return await loop.run_in_executor(self._executor(), assignment.run, self._pool)
            finally:
                # If nobody waits for the result any more, its worker ends, and its thread with it.
                assignment.abandon()

    def close(self) -> None:
        """Ends workers and threads; what is being rendered fails. It can be used again afterwards."""
        with self._lock:
            threads, self._threads = self._threads, None
        self._pool.close()
        if threads:
            threads.shutdown(cancel_futures=True)

    def begin_anew_after_fork(self) -> None:
        """In a forked child: the parent keeps its workers, this process gets its own."""
        self._pool.forget()
        self._slots.begin_anew()
        self._begin()

    def _executor(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(self._limits.workers, thread_name_prefix="workers")
            return self._threads


# Those that a forked child finds.
_living: weakref.WeakSet[ConfinedProcessor] = weakref.WeakSet()


def _begin_anew_after_fork() -> None:
    for processor in list(_living):
        processor.begin_anew_after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_begin_anew_after_fork)
