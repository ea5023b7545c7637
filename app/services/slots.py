"""A bound on how much is done at once and on how long one waits for it, for callers on any number of event loops."""

from __future__ import annotations

import asyncio
import statistics
import threading
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from app.core.exceptions import ProcessingOverloaded

# Until some have shown how long they take; the first ones do not, they wait for workers to start. And how many count.
_GUESSED_SECONDS = 0.05
_TELLING = 5
_REMEMBERED = 15


@dataclass(eq=False, slots=True)
class _Waiter:
    loop: asyncio.AbstractEventLoop
    woken: asyncio.Future[None]
    since: float = field(default_factory=time.monotonic)
    # None: still waiting.
    is_let_in: bool | None = None


class Slots:
    """At most `count` holders at a time. Whoever would wait longer than `max_wait_seconds` is refused at once.

    How long that would be is judged by how many wait and by how long the last holders took. Those who were let in come
    in their order; newcomers do not slow them down.
    """

    def __init__(self, count: int, *, max_wait_seconds: float = 3.0) -> None:
        self.count = count
        self._max_wait_seconds = max_wait_seconds
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forgets all holders and waiters: in a forked child, where they are not."""
        self._lock = threading.Lock()
        self._free = self.count
        self._waiting: deque[_Waiter] = deque()
        self._took_seconds: deque[float] = deque(maxlen=_REMEMBERED)

    def check_room(self) -> None:
        """Returns when a newcomer would be let in.

        Raises:
            ProcessingOverloaded: it would be refused.
        """
        with self._lock:
            self._check_room()

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[float]:
        """Waits for a free slot and holds it for the block; the seconds that were waited.

        Raises:
            ProcessingOverloaded: it would take, or has taken, too long.
        """
        waited_seconds = await self._enter()
        started_at = time.monotonic()
        try:
            yield waited_seconds
        finally:
            self._leave(time.monotonic() - started_at)

    async def _enter(self) -> float:
        loop = asyncio.get_running_loop()
        with self._lock:
            if self._free:
                self._free -= 1
                return 0.0
            self._check_room()
            waiter = _Waiter(loop, loop.create_future())
            self._waiting.append(waiter)
        try:
            async with asyncio.timeout(self._max_wait_seconds):
                await waiter.woken
        except BaseException as error:
            self._give_up(waiter)
            if isinstance(error, TimeoutError):
                raise ProcessingOverloaded from None
            raise
        if not waiter.is_let_in:
            raise ProcessingOverloaded
        return time.monotonic() - waiter.since

    def _leave(self, took_seconds: float) -> None:
        with self._lock:
            self._took_seconds.append(took_seconds)
            self._hand_on()
            while len(self._waiting) > self._most_waiting():
                _wake(self._waiting.pop(), is_let_in=False)

    def _give_up(self, waiter: _Waiter) -> None:
        """The waiter does not wait any more; if it was just let in, the next one is instead."""
        with self._lock:
            if waiter.is_let_in is None:
                self._waiting.remove(waiter)
            elif waiter.is_let_in:
                self._hand_on()

    def _hand_on(self) -> None:
        while self._waiting:
            if _wake(self._waiting.popleft(), is_let_in=True):
                return
        self._free += 1

    def _check_room(self) -> None:
        if not self._free and len(self._waiting) >= self._most_waiting():
            raise ProcessingOverloaded

    def _most_waiting(self) -> int:
        """How many may wait so that the last of them is served in time. One may at any rate."""
        is_known = len(self._took_seconds) >= _TELLING
        usual_seconds = statistics.median(self._took_seconds) if is_known else _GUESSED_SECONDS
        return max(1, int(self._max_wait_seconds * self.count / max(usual_seconds, 0.001)))


def _wake(waiter: _Waiter, *, is_let_in: bool) -> bool:
    """Whether its event loop still runs."""
    waiter.is_let_in = is_let_in
    try:
        waiter.loop.call_soon_threadsafe(_finish, waiter.woken)
    except RuntimeError:
        return False
    return True


def _finish(woken: asyncio.Future[None]) -> None:
    if not woken.done():
        woken.set_result(None)
