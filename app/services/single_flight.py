"""One piece of work for all who ask for it at the same time, on any event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Result = TypeVar("Result")


class SingleFlight(Generic[Result]):
    """Work by name. Whoever asks while it is under way in their event loop waits for it and gets its outcome.

    Work that was begun is finished, even if all who asked have gone.
    """

    def __init__(self) -> None:
        self._under_way: dict[tuple[asyncio.AbstractEventLoop, str], asyncio.Task[Result]] = {}

    async def run(self, name: str, work: Callable[[], Awaitable[Result]]) -> Result:
        """The result, or the exception, of the one run under this name."""
        place = asyncio.get_running_loop(), name
        task = self._under_way.get(place)
        if task is None:

            async def run_once() -> Result:
                return await work()

            task = self._under_way[place] = asyncio.create_task(run_once())
            task.add_done_callback(lambda done: self._forget(place, done))
        return await asyncio.shield(task)

    def _forget(self, place: tuple[asyncio.AbstractEventLoop, str], task: asyncio.Task[Result]) -> None:
        del self._under_way[place]
        # Asked for here, so that nobody is told of it again if all who waited have gone.
        if not task.cancelled():
            task.exception()
