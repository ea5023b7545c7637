"""Pictures at once, from any loop, thread and process: bounded, in their order, without a place that is lost."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from app.core.exceptions import ProcessingOverloaded
from app.images.records import RenderedImage
from app.services.decoder.confined_processor import ConfinedProcessor
from tests.services.workers.conftest import MakeProcessor, ask, children_of, fork_server_of, wait_until

needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


async def test_overload(make_processor: MakeProcessor) -> None:
    """More pictures than can be served in time are refused quickly; those that were let in are served."""
    processor = make_processor(workers=2, max_wait_seconds=1)
    processor.start()
    # So that it is known how long pictures take.
    await asyncio.gather(*(ask(processor, b"honest 0.2") for _ in range(4)))
    refused_after: list[float] = []

    async def upload() -> RenderedImage | None:
        asked_at = time.monotonic()
        try:
            return await ask(processor, b"honest 0.2")
        except ProcessingOverloaded:
            refused_after.append(time.monotonic() - asked_at)
            return None

    served = [rendered for rendered in await asyncio.gather(*(upload() for _ in range(100))) if rendered]
    assert len(served) + len(refused_after) == 100
    assert len(served) >= 6
    assert sorted(refused_after)[len(refused_after) // 2] < 0.2
    assert max(refused_after) < 1.5


async def test_cancelled(make_processor: MakeProcessor) -> None:
    """A caller that does not wait any more leaves no worker busy, and its place to the next one."""
    processor = make_processor(workers=1)
    processor.start()
    for _ in range(3):
        stalled = asyncio.create_task(ask(processor, b"stall"))
        waiting = asyncio.create_task(ask(processor, b"honest"))
        await asyncio.sleep(0.05)
        stalled.cancel()
        started_at = time.monotonic()
        assert (await waiting).width == 400
        assert time.monotonic() - started_at < 2
        with pytest.raises(asyncio.CancelledError):
            await stalled


@needs_proc
async def test_worn(make_processor: MakeProcessor) -> None:
    """A worker that has rendered its share is replaced."""
    processor = make_processor(worker_max_pictures=3)
    processor.start()
    seen = set()
    for _ in range(9):
        assert (await ask(processor, b"honest")).width == 400
        wait_until(lambda: len(children_of(fork_server_of())) >= 1)
        seen.update(children_of(fork_server_of()))
    assert len(seen) >= 3
    wait_until(lambda: len(children_of(fork_server_of())) <= 2)


def test_two_event_loops(make_processor: MakeProcessor) -> None:
    """Callers in different threads, each with an event loop of its own, share the workers."""
    processor = make_processor(workers=2)
    widths: list[int] = []

    def upload() -> None:
        async def several() -> list[RenderedImage]:
            return await asyncio.gather(*(ask(processor, b"honest 0.02") for _ in range(5)))

        widths.extend(rendered.width for rendered in asyncio.run(several()))

    threads = [threading.Thread(target=upload) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert widths == [400] * 15


async def test_an_event_loop_that_ended(make_processor: MakeProcessor) -> None:
    """A caller whose event loop was torn down takes no place with it."""
    processor = make_processor(workers=1)
    processor.start()

    async def give_up() -> None:
        asyncio.get_running_loop().create_task(ask(processor, b"stall"))
        await asyncio.sleep(0.1)

    thread = threading.Thread(target=lambda: asyncio.run(give_up()))
    thread.start()
    await asyncio.to_thread(thread.join, 10)
    assert (await ask(processor, b"honest")).width == 400


FORKED = """
import asyncio, os, sys, threading
from app.core.sandbox_mode import Sandbox
from app.services.decoder.confined_processor import ConfinedProcessor, ProcessingLimits
from app.services.decoder.fork_server_client import ServerOrders
from tests.services.workers.conftest import MEMORY_BYTES, MISBEHAVING, ask

limits = ProcessingLimits(workers=1, timeout_seconds=8, max_wait_seconds=2)
processor = ConfinedProcessor(ServerOrders(Sandbox.AUTO, MEMORY_BYTES, MISBEHAVING), limits)
busy = threading.Event()
async def stall():
    task = asyncio.create_task(ask(processor, b"one", on_variant=lambda _: busy.set()))
    await asyncio.to_thread(done.wait)
    task.cancel()
def render():
    return asyncio.run(ask(processor, b"honest")).width
assert render() == 400
done = threading.Event()
thread = threading.Thread(target=lambda: asyncio.run(stall()))
thread.start()
assert busy.wait(10)
child = os.fork()
if not child:
    code = 42 if render() == 400 else 1
    processor.close()
    os._exit(code)
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
done.set()
thread.join()
assert render() == 400
processor.close()
sys.exit(code)
"""


def test_a_forked_service() -> None:
    """Parent and child each have workers of their own, whatever is being rendered at the fork."""
    command = [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", "-c", FORKED]
    root = Path(__file__).parents[3]
    done = subprocess.run(command, cwd=root, timeout=60, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (42, "")


@needs_proc
async def test_memory_of_the_service(make_processor: MakeProcessor) -> None:
    """However many large pictures pass through, the service itself stays as small as it was."""
    processor = make_processor()
    order = b"honest ".ljust(20 * 1024**2, b"\0")

    async def upload(count: int) -> None:
        for _ in range(count):
            await ask(processor, order)

    await upload(3)
    before = resident_bytes()
    await upload(20)
    assert resident_bytes() - before < 30 * 1024**2


def resident_bytes() -> int:
    """Memory that this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


@needs_proc
async def test_memory_of_an_idle_worker(patient: ConfinedProcessor) -> None:
    """What a large picture took is given back once there is nothing to do."""
    await ask(patient, b"hoard")
    worker = max(children_of(fork_server_of()), key=resident_of)
    wait_until(lambda: resident_of(worker) < 90 * 1024)


def resident_of(process: int) -> int:
    """Memory that a process holds, in KiB."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])
