"""The HTTP service on one bound socket in this process, until a signal."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from app.bootstrap import Services
from app.core.exceptions import ImageServiceError
from app.entrypoints.cli.allocator import keep_memory_flat
from app.entrypoints.cli.output import Output

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

DRAIN_SECONDS = 15
STORE_CHECK_SECONDS = 2
_KEEP_ALIVE_SECONDS = 15


def run_http_server(
    services: Services,
    listener: socket.socket,
    *,
    when_answering: Callable[[FastAPI], Awaitable[None]],
    check_store: Callable[[], Awaitable[None]],
) -> None:
    """Serves until SIGTERM or SIGINT, then drains. Calls `check_store` every two seconds.

    Raises:
        KeyboardInterrupt: SIGINT ended it.
    """
    import uvicorn

    from app.entrypoints.http.app import create_app

    keep_memory_flat()
    app = create_app(services)

    class AnnouncingServer(uvicorn.Server):
        """Tells that it answers once it does."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            await when_answering(app)

    server = AnnouncingServer(_uvicorn_config(app, check_store))
    # uvicorn raises the signal that ended it once more: SIGTERM is an ordinary end, SIGINT goes on as Ctrl-C. One that
    # comes before uvicorn looks ends it as well.
    signal.signal(signal.SIGTERM, server.handle_exit)
    server.run([listener])


def store_check(repair: Callable[[], bool], output: Output, *, repaired: str) -> Callable[[], Awaitable[None]]:
    """Calls `repair` in a thread; says what is wrong where it fails, and `repaired` where it had something to do."""

    async def check() -> None:
        try:
            had_ended = await asyncio.to_thread(repair)
        except ImageServiceError as error:
            specifics = "".join(f"\n  {name}: {value}" for name, value in error.cause.items())
            output.note(f"Warning: {error.detail}{specifics}")
        else:
            if had_ended:
                output.note(repaired)

    return check


def _uvicorn_config(app: FastAPI, notify: Callable[[], Awaitable[None]]) -> uvicorn.Config:
    import uvicorn

    from app.entrypoints.http.bounded_http import BoundedHttp

    return uvicorn.Config(
        app,
        http=BoundedHttp,
        ws="none",
        lifespan="on",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        callback_notify=notify,
        timeout_notify=STORE_CHECK_SECONDS,
    )
