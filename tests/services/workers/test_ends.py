"""How a worker can end, and what its picture's sender is told: too complex, damaged, or nothing but a little later."""

from __future__ import annotations

import asyncio
import logging
import signal
import time

import pytest

from app.core.exceptions import ImageCorrupt, ImageTooComplex, ImageTruncated, ProcessingOverloaded
from app.images.records import Rendition
from app.services.decoder.confined_processor import ConfinedProcessor
from tests.services.workers.conftest import MakeProcessor, ask
from tests.services.workers.misbehaving import SECRET

CRASHES = [signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGSYS]


@pytest.mark.parametrize("order", [b"stall", b"spin", b"one"])
async def test_no_end(make_processor: MakeProcessor, order: bytes) -> None:
    """A picture that would take for ever is given up when its time is over, and its worker with it."""
    processor = make_processor(timeout_seconds=1)
    processor.start()
    started_at = time.monotonic()
    with pytest.raises(ImageTooComplex):
        await ask(processor, order)
    assert 0.9 < time.monotonic() - started_at < 3
    assert (await ask(processor, b"honest")).width == 400


async def test_the_wait_counts(make_processor: MakeProcessor) -> None:
    """What a picture has waited before is taken off its time."""
    processor = make_processor(timeout_seconds=20)
    processor.start()
    started_at = time.monotonic()
    with pytest.raises(ImageTooComplex):
        await ask(processor, b"stall", waited_seconds=19)
    assert time.monotonic() - started_at < 5


async def test_memory(patient: ConfinedProcessor) -> None:
    """A picture that unpacks to more memory than a worker may have is too complex."""
    with pytest.raises(ImageTooComplex):
        await ask(patient, b"exhaust")


@pytest.mark.parametrize("number", CRASHES, ids=lambda number: number.name)
async def test_crash(patient: ConfinedProcessor, caplog: pytest.LogCaptureFixture, number: signal.Signals) -> None:
    """A picture that crashes its decoder is damaged; the log says how it ended, nothing of what was in it."""
    with caplog.at_level(logging.WARNING), pytest.raises(ImageCorrupt):
        await ask(patient, b"die %d" % number)
    (record,) = caplog.records
    assert (record.message, vars(record)["signal"], vars(record)["format"]) == ("worker_died", number.name, "jpeg")


async def test_crash_by_a_signal_without_a_name(patient: ConfinedProcessor) -> None:
    """However a worker ends, its picture is damaged and nothing worse."""
    with pytest.raises(ImageCorrupt):
        await ask(patient, b"die 44")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGXCPU], ids=lambda number: number.name)
async def test_limit(patient: ConfinedProcessor, number: signal.Signals) -> None:
    """A worker that the kernel ends, for its time or for the machine's memory, had too complex a picture."""
    with pytest.raises(ImageTooComplex):
        await ask(patient, b"die %d" % number)


@pytest.mark.parametrize("order", [b"null", b"leave"])
async def test_quiet_end(patient: ConfinedProcessor, order: bytes) -> None:
    """Also a real fault of memory, and a worker that just leaves, mean a damaged picture."""
    with pytest.raises(ImageCorrupt):
        await ask(patient, order)


async def test_refusal(patient: ConfinedProcessor) -> None:
    """What a decoder says of a picture reaches its sender as a code, in our words."""
    with pytest.raises(ImageTruncated) as refused:
        await ask(patient, b"truncated")
    assert refused.value.detail == ImageTruncated.title


async def test_unforeseen(patient: ConfinedProcessor, caplog: pytest.LogCaptureFixture) -> None:
    """A fault of ours in a worker refuses that picture; the log has its class and its line, never its text."""
    with caplog.at_level(logging.WARNING), pytest.raises(ImageCorrupt):
        await ask(patient, b"unforeseen")
    (record,) = caplog.records
    assert (record.message, vars(record)["error"]) == ("worker_failed", "KeyError")
    assert vars(record)["place"].startswith("misbehaving.py:")
    assert SECRET not in str(vars(record))


async def test_close_while_rendering(make_processor: MakeProcessor) -> None:
    """Closing ends what is being rendered, which may be sent again; afterwards everything starts anew."""
    processor = make_processor()
    told = asyncio.Event()

    def tell(_: Rendition) -> None:
        told.set()

    rendering = asyncio.create_task(ask(processor, b"one", on_variant=tell))
    await told.wait()
    await asyncio.to_thread(processor.close)
    with pytest.raises(ProcessingOverloaded):
        await rendering
    assert (await ask(processor, b"honest")).width == 400
