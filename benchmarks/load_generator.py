"""A load generator in a process of its own: keep-alive connections that each ask again as soon as they are answered.

    .venv/bin/python -m benchmarks.load_generator HOST PORT CONNECTIONS SECONDS < request

The same for every server. It prints one JSON document: answers per status, seconds, latencies of all in seconds.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import cast

import uvloop

_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
_BODYLESS = frozenset({204, 304})


@dataclass
class Load:
    """What has been answered so far."""

    request: bytes
    ends_at: float
    open_connections: int
    done: asyncio.Event = field(default_factory=asyncio.Event)
    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)


class Client(asyncio.Protocol):
    """One connection. It reads the status and the length of each answer, and counts its bytes."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._transport: asyncio.Transport | None = None
        self._asked_at = 0.0
        self._head = b""
        self._missing_bytes: int | None = None
        self._status = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's is none by class.
        self._transport = cast("asyncio.Transport", transport)
        self._ask(self._transport)

    def data_received(self, data: bytes) -> None:
        if self._missing_bytes is None:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            self._status = int(self._head[9:12])
            length = _LENGTH.search(self._head, 0, end)
            body_bytes = 0 if self._status in _BODYLESS or length is None else int(length[1])
            self._missing_bytes = body_bytes - (len(self._head) - end - 4)
            self._head = b""
        else:
            self._missing_bytes -= len(data)
        if self._missing_bytes <= 0:
            self._finish()

    def connection_lost(self, _: Exception | None) -> None:
        self._load.open_connections -= 1
        if not self._load.open_connections:
            self._load.done.set()

    def _finish(self) -> None:
        assert self._transport is not None
        now = time.perf_counter()
        self._load.statuses[self._status] += 1
        self._load.latencies.append(now - self._asked_at)
        self._missing_bytes = None
        if now < self._load.ends_at:
            self._ask(self._transport)
        else:
            self._transport.close()

    def _ask(self, transport: asyncio.Transport) -> None:
        self._asked_at = time.perf_counter()
        transport.write(self._load.request)


async def generate(host: str, port: int, connections: int, seconds: float) -> dict[str, object]:
    started_at = time.perf_counter()
    load = Load(sys.stdin.buffer.read(), started_at + seconds, connections)
    loop = asyncio.get_running_loop()
    for _ in range(connections):
        await loop.create_connection(lambda: Client(load), host, port)
    await load.done.wait()
    return {"statuses": load.statuses, "seconds": time.perf_counter() - started_at, "latencies": load.latencies}


if __name__ == "__main__":
    where, port_text, connections_text, seconds_text = sys.argv[1:]
    answer = uvloop.run(generate(where, int(port_text), int(connections_text), float(seconds_text)))
    json.dump(answer, sys.stdout)
