"""Blocking calls in a bounded thread pool, each with a total time that holds even when its thread hangs."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")

_logger = logging.getLogger(__name__)
_local = threading.local()


class CallsClosed(Exception):
    """The pool was closed before the call could begin."""


class Deadline:
    """A moment on the monotonic clock."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    @property
    def has_passed(self) -> bool:
        return time.monotonic() >= self._at


def current_deadline() -> Deadline | None:
    """The deadline of the bounded call that this thread is running, if any."""
    deadline: Deadline | None = getattr(_local, "deadline", None)
    return deadline


@contextmanager
def fresh_deadline(seconds: float) -> Iterator[None]:
    """What runs in the block has `seconds` of its own, whatever is left of the call around it."""
    outer = current_deadline()
    _local.deadline = Deadline(seconds)
    try:
        yield
    finally:
        _local.deadline = outer


class BoundedCalls:
    """Runs blocking functions for callers on any event loop.

    `run` ends after `total_seconds`, waiting for a thread included. The deadline is visible to the function through
    `current_deadline()`, so that it can stop between attempts.
    """

    def __init__(self, *, threads: int, total_seconds: float, name: str) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._total_seconds = total_seconds
        self._lock = threading.Lock()
        self._under_way: set[Future[Any]] = set()

    async def run(
        self,
        function: Callable[[], Result],
        *,
        undo: Callable[[], object] | None = None,
        seconds: float | None = None,
    ) -> Result:
        """The function's result or exception, after at most `seconds` (the pool's total time unless given).

        When the caller is cancelled or time runs out, a function that has not begun never does, and one that still
        succeeds later is followed by `undo`, so that nobody is left with an effect that nobody knows of. An `undo`
        that fails is logged: nobody waits for it any more.

        Raises:
            TimeoutError: the time is over.
            CallsClosed: the pool was closed before.
        """
        limit = self._total_seconds if seconds is None else seconds
        call = _Call(function, undo, limit, undo_seconds=self._total_seconds)
        future = self._submit(call)
        try:
            async with asyncio.timeout(limit):
                return await asyncio.wrap_future(future)
        except BaseException:
            if call.abandon():
                self.run_unattended(call.take_back)
            raise

    def run_unattended(self, function: Callable[[], object]) -> None:
        """Runs it soon, in a thread of the pool, or in one of its own when the pool is closed."""
        try:
            self._submit(function)
        except CallsClosed:
            try:
                threading.Thread(target=function).start()
            except RuntimeError:
                # The interpreter is ending and starts no more threads.
                function()

    def close(self) -> None:
        """Takes no more calls; those under way, their undoing included, are waited for as long as a call may last."""
        self._executor.shutdown(wait=False)
        with self._lock:
            under_way = set(self._under_way)
        concurrent.futures.wait(under_way, timeout=self._total_seconds)

    def _submit(self, function: Callable[[], Result]) -> Future[Result]:
        with self._lock:
            try:
                future = self._executor.submit(function)
            except RuntimeError as error:
                raise CallsClosed from error
            self._under_way.add(future)
        future.add_done_callback(self._forget)
        return future

    def _forget(self, future: Future[Any]) -> None:
        with self._lock:
            self._under_way.discard(future)


class _Call(Generic[Result]):
    """A function in its thread, and what becomes of its effect when nobody waits for the result any more."""

    def __init__(
        self, function: Callable[[], Result], undo: Callable[[], object] | None, seconds: float, *, undo_seconds: float
    ) -> None:
        self._function = function
        self._undo = undo
        self._deadline = Deadline(seconds)
        self._undo_seconds = undo_seconds
        self._lock = threading.Lock()
        self._is_abandoned = False
        self._has_succeeded = False

    def __call__(self) -> Result:
        _local.deadline = self._deadline
        try:
            result = self._function()
        finally:
            _local.deadline = None
        with self._lock:
            self._has_succeeded = True
            is_unwanted = self._is_abandoned
        if is_unwanted:
            self.take_back()
        return result

    def abandon(self) -> bool:
        """Nobody waits any more. True: it had succeeded already, so `take_back` is still to be called."""
        with self._lock:
            self._is_abandoned = True
            return self._has_succeeded

    def take_back(self) -> None:
        if self._undo is None:
            return
        try:
            with fresh_deadline(self._undo_seconds):
                self._undo()
        except Exception:
            # The caller has gone: the log is the only one left to tell.
            _logger.exception("What an abandoned call had done could not be undone.")
