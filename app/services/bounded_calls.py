"""Blocking calls in a bounded thread pool, each with a total time that holds even when its thread hangs."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


class Deadline:
    """A moment on the monotonic clock."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    @property
    def has_passed(self) -> bool:
        return time.monotonic() >= self._at


class BoundedCalls:
    """Runs blocking functions for callers on any event loop.

    `run` ends after `total_seconds`, waiting for a thread included. The deadline is visible to the function through
    `current_deadline()`, so that it can stop between attempts.
    """

    def __init__(self, *, threads: int, total_seconds: float, name: str) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._total_seconds = total_seconds

    async def run(
        self,
        function: Callable[[], Result],
        *,
        undo: Callable[[], object] | None = None,
    ) -> Result:
        """The function's result or exception.

        When the caller is cancelled or time runs out, a function that has not begun never does, and one that still
        succeeds later is followed by `undo`, so that nobody is left with an effect that nobody knows of.

        Raises:
            TimeoutError: the total time is over.
        """
        deadline = Deadline(self._total_seconds)
        future = self._executor.submit(_with_deadline, deadline, function)
        try:
            async with asyncio.timeout(self._total_seconds):
                return await asyncio.shield(asyncio.wrap_future(future))
        except BaseException:
            if not future.done() or future.exception() is None:
                self._abandon(future, undo)
            raise

    def close(self) -> None:
        """Frees idle threads; calls under way end by themselves."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _abandon(self, future: Future[Result], undo: Callable[[], object] | None) -> None:
        if future.cancel() or undo is None:
            return

        def undo_success(done: Future[Result]) -> None:
            if not done.cancelled() and done.exception() is None:
                self._executor.submit(undo)

        future.add_done_callback(undo_success)


_local = threading.local()


def current_deadline() -> Deadline | None:
    """The deadline of the bounded call that this thread is running, if any."""
    deadline: Deadline | None = getattr(_local, "deadline", None)
    return deadline


def _with_deadline(deadline: Deadline, function: Callable[[], Result]) -> Result:
    _local.deadline = deadline
    try:
        return function()
    finally:
        _local.deadline = None
