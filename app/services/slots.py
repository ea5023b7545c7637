"""A bound on how much is done at once, for callers on any number of event loops."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakKeyDictionary


class Slots:
    """At most `count` holders at a time on each event loop."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._lock = threading.Lock()
        self._by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[None]:
        """Waits for a free slot and holds it for the block."""
        with self._lock:
            semaphore = self._by_loop.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(self._count))
        async with semaphore:
            yield
