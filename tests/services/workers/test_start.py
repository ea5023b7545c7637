"""How workers start: what they have of the service, how far they are confined, and what is said when they cannot."""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path

import pytest

from app.core.exceptions import SandboxUnavailable
from app.core.sandbox_mode import Sandbox
from app.services.sandbox.measures import Measure
from tests.services.workers.conftest import MakeProcessor, ask, children_of, fork_server_of

needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


def test_level(make_processor: MakeProcessor, caplog: pytest.LogCaptureFixture) -> None:
    """How far decoders are confined is known at the start, and logged once."""
    processor = make_processor()
    with caplog.at_level(logging.INFO):
        confinement = processor.start()
        processor.start()
    (record,) = caplog.records
    assert (record.message, vars(record)["level"]) == ("decoders_confined", confinement.level)
    assert Measure.RESOURCE_LIMITS in confinement.reached


async def test_off(make_processor: MakeProcessor) -> None:
    """With SANDBOX=off pictures are rendered all the same, in processes that are only limited."""
    processor = make_processor(sandbox=Sandbox.OFF)
    assert processor.start().level == "limits"
    assert (await ask(processor, b"honest")).width == 400


async def test_a_measure_is_missing(make_processor: MakeProcessor) -> None:
    """Where strict confinement is not to be had nothing is decoded, and the reason is said."""
    processor = make_processor(entry="tests.services.workers.unconfinable", sandbox=Sandbox.STRICT)
    for _ in range(2):
        with pytest.raises(SandboxUnavailable, match="lacks: landlock"):
            processor.start()
    with pytest.raises(SandboxUnavailable):
        await ask(processor, b"honest")


def test_a_server_that_does_not_start(make_processor: MakeProcessor) -> None:
    """What Python said of a failed start reaches the operator."""
    with pytest.raises(SandboxUnavailable) as refused:
        make_processor(entry="tests.services.workers.nowhere").start()
    assert "No module named" in refused.value.cause["fork server"]


@needs_proc
def test_what_a_worker_has(make_processor: MakeProcessor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the service's environment nor any of its open files reaches the processes that decode."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-for-decoders")
    with Path("open.txt").open("w") as opened:
        os.set_inheritable(opened.fileno(), True)
        # Of a fully confined process nobody but root may see these.
        processor = make_processor(sandbox=Sandbox.OFF)
        asyncio.run(ask(processor, b"honest"))
        server = fork_server_of()
        for process in (server, *children_of(server)):
            assert b"not-for-decoders" not in Path(f"/proc/{process}/environ").read_bytes()
            links = [str(link.readlink()) for link in Path(f"/proc/{process}/fd").iterdir()]
            assert not [link for link in links if link.endswith("open.txt")]
            assert len(links) <= 10
