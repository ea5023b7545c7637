"""Processes that are killed from outside: the next upload works, and nothing lives on when the service does not."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.core.exceptions import ImageTooComplex, ProcessingOverloaded
from app.images.records import RenderedImage, Rendition
from app.services.decoder.confined_processor import ConfinedProcessor
from tests.services.workers.conftest import (
    MakeProcessor,
    ask,
    children_of,
    end,
    fork_server_of,
    wait_until,
)

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")

# A service of its own: its workers are busy with a picture that never ends.
SERVICE = """
import asyncio, sys
from app.core.sandbox_mode import Sandbox
from app.services.decoder.confined_processor import ConfinedProcessor, ProcessingLimits
from app.services.decoder.fork_server_client import ServerOrders
from tests.services.workers.conftest import MEMORY_BYTES, MISBEHAVING, ask

processor = ConfinedProcessor(ServerOrders(Sandbox(sys.argv[1]), MEMORY_BYTES, MISBEHAVING), ProcessingLimits())
asyncio.run(ask(processor, b"one", on_variant=lambda _: print("busy", flush=True)))
"""


async def rendering(processor: ConfinedProcessor, order: bytes = b"one") -> asyncio.Task[RenderedImage]:
    """A render that is under way: its first variant has come."""
    told = asyncio.Event()

    def tell(_: Rendition) -> None:
        told.set()

    task = asyncio.create_task(ask(processor, order, on_variant=tell))
    await asyncio.wait_for(told.wait(), 10)
    return task


async def test_worker_killed(make_processor: MakeProcessor) -> None:
    """A worker that the system ends in the middle of a picture costs that picture, no other one."""
    processor = make_processor()
    task = await rendering(processor)
    for worker in children_of(fork_server_of()):
        end(worker)
    with pytest.raises(ImageTooComplex):
        await task
    assert (await ask(processor, b"honest")).width == 400


async def test_idle_workers_killed(make_processor: MakeProcessor) -> None:
    """Workers that are lost while they wait cost no picture at all."""
    processor = make_processor()
    await ask(processor, b"honest")
    for worker in (lost := children_of(fork_server_of())):
        end(worker)
    wait_until(lambda: not set(lost) & set(children_of(fork_server_of())))
    assert (await ask(processor, b"honest")).width == 400


async def test_fork_server_killed(make_processor: MakeProcessor) -> None:
    """Without the process that makes workers the next upload starts a new one."""
    processor = make_processor()
    await ask(processor, b"honest")
    server = fork_server_of()
    orphans = children_of(server)
    end(server)
    assert (await ask(processor, b"honest")).width == 400
    assert fork_server_of() != server
    wait_until(lambda: not any(Path(f"/proc/{orphan}").exists() for orphan in orphans))


async def test_fork_server_killed_while_rendering(make_processor: MakeProcessor) -> None:
    """A picture that was being rendered then is not to blame: it may be sent again."""
    processor = make_processor()
    task = await rendering(processor)
    end(fork_server_of())
    with pytest.raises(ProcessingOverloaded):
        await task
    assert (await ask(processor, b"honest")).width == 400


@contextmanager
def service(sandbox: str) -> Iterator[subprocess.Popen[str]]:
    """A service of its own, busy with a picture."""
    command = [sys.executable, "-c", SERVICE, sandbox]
    root = Path(__file__).parents[3]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "busy\n"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("sandbox", ["auto", "off"])
def test_service_killed(sandbox: str) -> None:
    """When the service is killed, its fork server and its workers end too, however busy they are."""
    with service(sandbox) as process:
        server = fork_server_of(process.pid)
        family = [server, *children_of(server)]
        end(process.pid)
        wait_until(lambda: not any(Path(f"/proc/{member}").exists() for member in family))
    assert len(family) == 3, "the fork server, the busy worker, a spare one"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's end")
def test_fork_server_killed_leaves_no_worker() -> None:
    """A worker whose fork server is gone, so that nobody could end it, ends by itself, however busy it is."""
    with service("auto") as process:
        server = fork_server_of(process.pid)
        workers = children_of(server)
        end(server)
        wait_until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))


def test_signals_to_the_group_are_for_the_service() -> None:
    """Ctrl-C, and a service manager that ends a group politely, leave it to the service when its workers end."""
    with service("auto") as process:
        server = fork_server_of(process.pid)
        for member in (server, *children_of(server)):
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                os.kill(member, number)
        assert Path(f"/proc/{server}").exists()
        assert len(children_of(server)) == 2
