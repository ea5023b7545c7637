"""Fixtures for the workers: processors whose workers misbehave on demand, and a look at their processes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.core.sandbox_mode import Sandbox
from app.images.records import RenderedImage
from app.services.decoder.confined_processor import ConfinedProcessor, ProcessingLimits
from app.services.decoder.fork_server_client import ServerOrders
from tests.services.workers.jobs import PLAN, order_of

MISBEHAVING = "tests.services.workers.misbehaving"
MEMORY_BYTES = 512 * 1024**2
FILE_SIZE = 20_000

MakeProcessor = Callable[..., ConfinedProcessor]


@pytest.fixture
def make_processor() -> Iterator[MakeProcessor]:
    """A factory of processors whose workers do what the picture says; keywords change their limits."""
    made: list[ConfinedProcessor] = []

    def make(entry: str = MISBEHAVING, sandbox: Sandbox = Sandbox.AUTO, **limits: Any) -> ConfinedProcessor:
        made.append(ConfinedProcessor(ServerOrders(sandbox, MEMORY_BYTES, entry), ProcessingLimits(**limits)))
        return made[-1]

    yield make
    for processor in made:
        processor.close()


@pytest.fixture(scope="module")
def patient() -> Iterator[ConfinedProcessor]:
    """One processor for tests that break nothing but workers; its fork server is started once."""
    processor = ConfinedProcessor(ServerOrders(Sandbox.AUTO, MEMORY_BYTES, MISBEHAVING), ProcessingLimits(workers=2))
    yield processor
    processor.close()


async def ask(processor: ConfinedProcessor, order: bytes, **arguments: Any) -> RenderedImage:
    """What the processor makes of a picture that tells its worker what to do."""
    return await processor.render(order_of(order), file_size=FILE_SIZE, **({"plan": PLAN} | arguments))


def children_of(process: int) -> list[int]:
    """The processes that this one started and that still live."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(parent) == process and state != "Z":
            found.append(int(stat.parent.name))
    return found


def fork_server_of(process: int | None = None) -> int:
    """The fork server of this or another process, which has one."""
    (server,) = [each for each in children_of(process or os.getpid()) if _runs_python(each)]
    return server


def _runs_python(process: int) -> bool:
    return MISBEHAVING in Path(f"/proc/{process}/cmdline").read_text()


def end(process: int) -> None:
    """As `kill -9` does."""
    os.kill(process, signal.SIGKILL)


def wait_until(holds: Callable[[], bool], *, seconds: float = 10) -> None:
    """Returns when it holds, fails when it does not in time."""
    give_up_at = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < give_up_at, "did not happen in time"
        time.sleep(0.01)
