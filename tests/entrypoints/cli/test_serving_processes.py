"""The parts of `serve --workers`: its address, its reports, the division of decoders, and processes that keep dying."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest

from app.core.config import Settings
from app.core.exceptions import ConfigurationError, EmbeddedS3Unavailable, InternalError
from app.entrypoints.cli import serving_processes
from app.entrypoints.cli.exit_codes import AddressUnavailable, LocalFailure, UsageInvalid
from app.entrypoints.cli.listening import SharedAddress, listen
from app.entrypoints.cli.output import describe_failure
from app.entrypoints.cli.serving_processes import ServingProcesses, divide_decoders
from app.entrypoints.cli.serving_reports import Readiness, decode_report, encode_failure, encode_readiness
from tests.entrypoints.cli.program import CommandLine

# The first one is ready, then gone; the next ones find that it has been there.
_ANSWERS_ONCE = """
import os, sys
try:
    os.mkdir("been-here")
except FileExistsError:
    sys.exit(3)
print('{"docs_path": "/docs"}', flush=True)
"""


@pytest.fixture
def kept_signals() -> Iterator[None]:
    """What handles signals is left as it was."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_nobody_takes_the_port_between_two_processes() -> None:
    """Also while none of the processes listens, another service that starts on the port is refused."""
    with closing(SharedAddress("127.0.0.1", 0, Settings())) as address:
        with pytest.raises(AddressUnavailable):
            listen("127.0.0.1", address.address[1], Settings())

        with address.new_listener() as first, address.new_listener() as second:
            first.listen()
            second.listen()


@pytest.mark.parametrize(("decoders", "shares"), [(5, [2, 2, 1]), (3, [1, 1, 1]), (1, [1, 1, 1])])
def test_decoders_are_divided(decoders: int, shares: list[int]) -> None:
    """PROCESSING_WORKERS counts for all processes together, but none is left without a decoder."""
    divided = divide_decoders(Settings(processing_workers=decoders), 3)

    assert [each.processing_workers for each in divided] == shares


@pytest.mark.parametrize(
    "failure",
    [
        ConfigurationError({"JWT_SECRET": "is too short"}),
        EmbeddedS3Unavailable("No.", cause={"folder": "here"}),
        AddressUnavailable("Taken."),
        InternalError(),
    ],
)
def test_a_failure_arrives_whole(failure: ConfigurationError | LocalFailure) -> None:
    """What a process finds wrong is printed by the parent as if that had found it."""
    arrived = decode_report(encode_failure(failure))

    assert not isinstance(arrived, Readiness)
    assert type(arrived) is type(failure)
    assert describe_failure(arrived) == describe_failure(failure)


def test_readiness_arrives() -> None:
    """The parent learns where the documentation is; a process that says nothing has failed."""
    assert decode_report(encode_readiness("/docs")) == Readiness("/docs")
    assert isinstance(decode_report(b""), InternalError)


@pytest.mark.usefixtures("kept_signals")
def test_processes_that_keep_dying_end_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """When none of five replacements starts, the service ends with an error rather than try for ever."""
    monkeypatch.setattr(serving_processes, "_PROGRAM", _ANSWERS_ONCE)
    monkeypatch.setattr(serving_processes, "_FIRST_PAUSE_SECONDS", 0.01)
    announced: list[Readiness] = []

    async def announce(readiness: Readiness) -> None:
        announced.append(readiness)

    async def leave_store() -> None:
        raise AssertionError

    with closing(SharedAddress("127.0.0.1", 0, Settings())) as address:
        processes = ServingProcesses(Settings(), address, 1, on_ready=announce, check_store=leave_store)
        with pytest.raises(InternalError, match="before it answered"):
            asyncio.run(processes.run())

    assert announced == [Readiness("/docs")]


def test_windows_has_one_process(unconfigured_command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where sockets cannot be handed to other processes, more than one is refused in a sentence."""
    monkeypatch.setattr(sys, "platform", "win32")

    run = unconfigured_command_line("serve", "--workers", 2, "--json")

    assert (run.exit_code, run.document["code"]) == (2, UsageInvalid.code)
