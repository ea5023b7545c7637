"""Eight clients that ask a service for pictures over connections they keep, and what a round of it came to."""

from __future__ import annotations

import http.client
import queue
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from benchmarks.transform_services import Picture, TransformService, fetch_over

CLIENTS = 8


@dataclass(frozen=True, slots=True)
class TransformRound:
    """Some pictures that were asked for at once; `cpu_seconds` are without the store's."""

    pictures: int
    wall_seconds: float
    cpu_seconds: float
    serving_cpu_seconds: float
    store_cpu_seconds: float
    latencies_seconds: tuple[float, ...]
    mean_bytes: float

    @property
    def pictures_per_second(self) -> float:
        return self.pictures / self.wall_seconds

    @property
    def whole_cpu_seconds(self) -> float:
        """With the store's."""
        return self.cpu_seconds + self.store_cpu_seconds


@dataclass(frozen=True, slots=True)
class _Answer:
    latency_seconds: float
    size: int


def run_round(service: TransformService, pictures: Sequence[Picture]) -> TransformRound:
    """All pictures, asked for by eight clients; whichever is free asks for the next one."""
    waiting: queue.SimpleQueue[Picture] = queue.SimpleQueue()
    for picture in pictures:
        waiting.put(picture)
    before = _clocks(service)
    started = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        answers = [*pool.map(lambda number: _ask(service, number, waiting), range(CLIENTS))]
    wall = time.perf_counter() - started
    cpu, serving, store = (now - then for now, then in zip(_clocks(service), before, strict=True))
    done = [answer for by_client in answers for answer in by_client]
    return TransformRound(
        len(done),
        wall,
        cpu,
        serving,
        store,
        tuple(answer.latency_seconds for answer in done),
        statistics.mean(answer.size for answer in done),
    )


def _clocks(service: TransformService) -> tuple[float, float, float]:
    return service.cpu_seconds(), service.serving_cpu_seconds(), service.store_cpu_seconds()


def _ask(service: TransformService, number: int, waiting: queue.SimpleQueue[Picture]) -> list[_Answer]:
    port = service.processes[number % len(service.processes)].port
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    answers = []
    while True:
        try:
            picture = waiting.get_nowait()
        except queue.Empty:
            break
        started = time.perf_counter()
        content = fetch_over(connection, service, picture)
        answers.append(_Answer(time.perf_counter() - started, len(content)))
    connection.close()
    return answers
