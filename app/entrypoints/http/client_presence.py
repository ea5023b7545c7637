"""Work that is given up when the client leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request

Result = TypeVar("Result")


async def finish_while_client_waits(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """The work's result; when the client leaves first, the work is cancelled. The body must have been read.

    Raises:
        ClientDisconnect: the client left.
    """
    task = asyncio.create_task(work)
    departure = asyncio.create_task(_wait_for_departure(request))
    try:
        await asyncio.wait({task, departure}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done() and departure.exception() is None:
            raise ClientDisconnect
        return await task
    finally:
        task.cancel()
        departure.cancel()
        await asyncio.gather(task, departure, return_exceptions=True)


async def _wait_for_departure(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
