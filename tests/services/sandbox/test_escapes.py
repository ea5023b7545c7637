"""From inside a worker that is confined as in production, a planted payload tries to get out by every way we know."""

from __future__ import annotations

import platform

import pytest

from tests.services.sandbox.cells import Outside
from tests.services.sandbox.conftest import PrisonOf, VictimOf
from tests.services.sandbox.escapes import ATTEMPTS

AIMED_AT_A_PROCESS = [
    name for name in ATTEMPTS if "process" in name or name in {"kill_a_thread", "queue_a_signal", "kill_by_descriptor"}
]
# Attempts that no decoder makes by accident: the kernel ends the worker at the first one.
PLAINLY_HOSTILE = [
    "execute_a_program",
    "trace_a_process",
    "kill_a_process",
    "read_the_memory_of_a_process",
    "set_up_a_ring",
    "load_a_kernel_program",
    "mount_a_file_system",
    "become_root",
    *(["use_the_other_table_of_calls"] if platform.machine() == "x86_64" else []),
]


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_no_way_out(attempt: str, user: int | None, prison_of: PrisonOf, victim_of: VictimOf, outside: Outside) -> None:
    """Whoever takes over a decoder reaches no file, no network and no other process, the service's included."""
    prison, victim = prison_of(user=user), victim_of(user)
    before = outside.traces()
    outcome = prison.outcome_of(attempt, outside.aim_at(victim.process.pid, victim.address))
    assert outcome.startswith(("stopped", "killed")), outcome
    assert victim.is_alive
    assert outside.traces() == before
    assert outside.callers() == 0


@pytest.mark.parametrize("attempt", AIMED_AT_A_PROCESS)
def test_the_fork_server_is_out_of_reach(attempt: str, user: int | None, prison_of: PrisonOf, outside: Outside) -> None:
    """A worker that was taken over can neither end nor read the process that it was forked from."""
    prison = prison_of(user=user)
    outcome = prison.outcome_of(attempt, outside.aim_at(0))
    assert outcome.startswith(("stopped", "killed")), outcome
    assert prison.is_alive


@pytest.mark.parametrize("attempt", PLAINLY_HOSTILE)
def test_hostility_ends_the_worker(attempt: str, prison_of: PrisonOf, victim_of: VictimOf, outside: Outside) -> None:
    """The first plainly hostile act is a worker's last, so that a second one cannot be tried, and it is noticed."""
    victim = victim_of(None)
    assert prison_of().outcome_of(attempt, outside.aim_at(victim.process.pid)) == "killed: SIGSYS"


@pytest.mark.parametrize(
    ("work", "answer"),
    [("use_threads", "sum 140"), ("ask_about_oneself", "True True (0, 0) True"), ("abort", "killed: SIGABRT")],
)
def test_work_goes_on(work: str, answer: str, user: int | None, prison_of: PrisonOf) -> None:
    """Confinement leaves decoders what they need: threads, time, chance, and an end that tells what happened."""
    assert prison_of(user=user).work(work) == answer
