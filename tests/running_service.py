"""A real uvicorn, with the HTTP of `serve`, on a free loopback port, for as long as a block lasts."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn
from fastapi import FastAPI

from app.entrypoints.http.bounded_http import BoundedHttp


@dataclass(frozen=True, slots=True)
class RunningService:
    """Where the application answers."""

    url: str
    port: int


@contextmanager
def run_service(app: FastAPI, *, give_up_after_seconds: float = 20.0) -> Iterator[RunningService]:
    """The application served by uvicorn in a thread; drained and stopped at the end of the block."""
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, http=BoundedHttp, log_level="warning", timeout_graceful_shutdown=5))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    give_up_at = time.monotonic() + give_up_after_seconds
    while not server.started:
        assert thread.is_alive(), "the application did not start"
        assert time.monotonic() < give_up_at, "the application did not start in time"
        time.sleep(0.01)
    try:
        yield RunningService(f"http://127.0.0.1:{port}", port)
    finally:
        server.should_exit = True
        thread.join(give_up_after_seconds)
        listening.close()
