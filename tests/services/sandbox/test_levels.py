"""Which level a process reaches, what the kernel says of it, and what it answers when the system has less."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.services.sandbox.measures import Confinement, Measure
from tests.services.sandbox.cells import Outside
from tests.services.sandbox.conftest import PrisonOf
from tests.services.sandbox.missing import missing_here
from tests.services.sandbox.prison import MEMORY_BYTES

DEADLINE_SECONDS = 10


def status_of(process: int) -> dict[str, str]:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def wait_for_end(process: int) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        try:
            if status_of(process)["State"].startswith("Z"):
                return
        except FileNotFoundError:
            return
        time.sleep(0.005)
    pytest.fail(f"process {process} still lives")


def test_every_measure_there_is(user: int | None, prison_of: PrisonOf, outside: Outside) -> None:
    """Left to itself, a worker is confined by everything that the system has, and says so."""
    missing = missing_here(user, prison_of, outside)
    level, _, reached = prison_of(user=user).work("level").partition(": ")
    assert set(reached.split()) == {measure.value for measure in Measure} - missing
    assert level == ("partial" if missing else "full")


def test_strict_starts_where_nothing_is_missing(user: int | None, prison_of: PrisonOf, outside: Outside) -> None:
    """SANDBOX=strict starts on a system that has every measure."""
    missing = missing_here(user, prison_of, outside)
    if missing:
        pytest.skip(f"this system lacks {', '.join(sorted(missing))}")
    assert prison_of(user=user, wanted="strict").work("level").startswith("full: ")


@pytest.mark.parametrize("left_out", [measure.value for measure in Measure])
def test_strict_names_what_is_missing(left_out: str, prison_of: PrisonOf, outside: Outside) -> None:
    """SANDBOX=strict does not start with less, and says what the system lacks."""
    user = None if os.getuid() == 0 else os.getuid()
    if missing_here(user, prison_of, outside):
        pytest.skip("this system has not everything to begin with")
    prison = prison_of(wanted="strict", without=(left_out,))
    refusal = prison.greeting.get("refused") or prison.work("level")
    sentence, _, names = refusal.removesuffix(".").partition(" lacks: ")
    assert sentence.endswith("SANDBOX=strict, but this system")
    # Others may depend on it, as Landlock does on no_new_privileges.
    assert left_out in names.split(", ")


def test_off_limits_resources_only(prison_of: PrisonOf, outside: Outside) -> None:
    """SANDBOX=off still bounds memory and descriptors, and nothing else."""
    prison = prison_of(wanted="off")
    assert prison.work("level") == "limits: resource_limits closed_files"
    for attempt in ("allocate_past_the_limit", "read_a_file", "read_a_forgotten_file"):
        assert prison.outcome_of(attempt, outside.target).startswith("stopped")
    assert prison.outcome_of("fork", outside.target) == "escaped"


@pytest.mark.parametrize(
    ("missing", "level", "line"),
    [
        ([], "full", "full"),
        ([Measure.LANDLOCK, Measure.NO_NETWORK], "partial", "partial, without no_network, landlock"),
    ],
)
def test_what_an_operator_reads(missing: list[Measure], level: str, line: str) -> None:
    """The log and `doctor` say in one line how far decoders are confined, and what is missing."""
    confinement = Confinement.of(tuple(measure for measure in Measure if measure not in missing))
    assert (confinement.level, confinement.describe()) == (level, line)


def test_what_the_kernel_says(user: int | None, prison_of: PrisonOf) -> None:
    """The kernel itself confirms a worker's privileges, capabilities, filter, limits and identity."""
    worker = prison_of(user=user).waiting_worker()
    status = status_of(worker)
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {"0" * 16}
    assert "0" not in status["Uid"].split() + status["Gid"].split()
    if user is None:
        assert len(set(status["Uid"].split())) == 1
        assert status["Groups"] == ""
        assert status["CapBnd"] == "0" * 16
    # Not to be looked at by its own user: its files in /proc belong to somebody else.
    assert str(Path(f"/proc/{worker}/fd").stat().st_uid) not in status["Uid"].split()
    os.kill(worker, 9)


def test_what_root_finds_around_a_worker(user: int | None, prison_of: PrisonOf) -> None:
    """A worker has a network, a root directory, descriptors and limits of its own."""
    worker = prison_of(user=user).waiting_worker()
    about = Path(f"/proc/{worker}")
    try:
        network, root = (about / "ns" / "net").readlink(), (about / "root").readlink()
    except PermissionError:
        pytest.skip("these tests may not look into other processes")
    assert network != Path("/proc/self/ns/net").readlink()
    assert root != Path("/")
    assert len(list((about / "fd").iterdir())) == 3
    limits = (about / "limits").read_text()
    bounds = {"open files": 0, "file size": 0, "core file size": 0, "locked memory": 0, "cpu time": 3600}
    for name, bound in (bounds | {"address space": MEMORY_BYTES}).items():
        assert f"Max {name}".ljust(26) + f"{bound} ".ljust(21) * 2 in limits
    os.kill(worker, 9)


def test_two_fork_servers_are_two_users(prison_of: PrisonOf) -> None:
    """Workers of two services on one machine are strangers to each other."""
    if os.getuid() != 0:
        pytest.skip("these tests do not run as root")
    users = set()
    for memory_bytes in (MEMORY_BYTES, MEMORY_BYTES + 1):
        worker = prison_of(memory_bytes=memory_bytes).waiting_worker()
        users.add(status_of(worker)["Uid"])
        os.kill(worker, 9)
    assert len(users) == 2


def test_workers_end_with_their_server(user: int | None, prison_of: PrisonOf) -> None:
    """A fork server that is killed takes its workers with it, however busy they are."""
    prison = prison_of(user=user)
    worker = prison.waiting_worker()
    prison.kill()
    wait_for_end(worker)


def test_threads_from_before() -> None:
    """A thread that was there before the doors closed is confined with the rest."""
    program = f"""
import os, sys, threading
sys.path[:] = {sys.path!r}
from app.services.sandbox.identity import forbid_new_privileges
from app.services.sandbox.seccomp import restrict_system_calls
closed = threading.Event()
def try_to_open():
    closed.wait()
    try:
        os.open("/etc/passwd", os.O_RDONLY)
    except PermissionError:
        os.write(1, b"stopped")
thread = threading.Thread(target=try_to_open)
thread.start()
forbid_new_privileges()
restrict_system_calls(os.getpid())
closed.set()
thread.join()
"""
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout == b"stopped"


def test_memory_stays_below_the_bound(prison_of: PrisonOf) -> None:
    """A worker that takes all the memory it gets never holds more than it is allowed."""
    assert MEMORY_BYTES * 0.75 < int(prison_of().work("use_up_memory")) <= MEMORY_BYTES


def test_threads_are_bounded(user: int | None, prison_of: PrisonOf, outside: Outside) -> None:
    """A worker that starts threads without end meets an end before the machine does."""
    if user is not None and "no_network" in missing_here(user, prison_of, outside):
        pytest.skip("the user's other processes would be bounded too")
    assert 8 < int(prison_of(user=user).work("start_threads")) <= 1024
