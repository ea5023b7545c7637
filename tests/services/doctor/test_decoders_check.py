"""The doctor on the decoders' confinement: what holds, what is missing, and that it leaves no process behind."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from app.core.config import Settings
from app.services.decoder import confined_processor
from app.services.decoder.fork_server_client import ServerOrders
from app.services.doctor.decoders import check_decoders
from app.services.doctor.examination import Examination
from app.services.doctor.verdicts import Status, Verdict
from app.services.sandbox.measures import Measure


def verdict_with(**changes: Any) -> Verdict:
    """What the doctor says of a service with these settings."""
    settings = Settings.load(_env_file=None, s3_bucket_name="elsewhere", **changes)

    def connect(_: Settings) -> Any:
        raise AssertionError("the decoders need no store")

    return check_decoders(Examination(lambda: settings, connect))


def use(monkeypatch: pytest.MonkeyPatch, entry: str) -> None:
    """Starts another fork server than the service's."""
    monkeypatch.setattr(confined_processor, "ServerOrders", partial(ServerOrders, entry=entry))


def test_here() -> None:
    """On this system decoders start, and what they lack, if anything, is named."""
    verdict = verdict_with()
    assert verdict.status in {Status.OK, Status.WARN}
    if verdict.status is Status.WARN:
        assert any(measure in verdict.finding for measure in Measure)


def test_off() -> None:
    """SANDBOX=off is for development: the doctor says so."""
    verdict = verdict_with(sandbox="off")
    assert verdict.status is Status.WARN
    assert "SANDBOX=off" in verdict.finding


def test_strict_that_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system on which the service would not start fails the check, which names what it lacks."""
    use(monkeypatch, "tests.services.workers.unconfinable")
    verdict = verdict_with(sandbox="strict")
    assert verdict.status is Status.FAIL
    assert "lacks: landlock" in verdict.finding
    assert verdict.remedy


def test_decoders_that_do_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken installation is a finding with its reason."""
    use(monkeypatch, "tests.services.workers.nowhere")
    verdict = verdict_with()
    assert verdict.status is Status.FAIL
    assert "No module named" in verdict.finding
