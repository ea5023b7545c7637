"""Each measure by itself stops what it is there for, so that no other one hides that it fails; and none is alone."""

from __future__ import annotations

import os
from typing import Any

import pytest

from tests.services.sandbox.cells import CANARY, ORDINARY_USER, Outside
from tests.services.sandbox.conftest import PrisonOf, VictimOf
from tests.services.sandbox.escapes import ATTEMPTS
from tests.services.sandbox.escapes.raw_calls import raw
from tests.services.sandbox.missing import missing_here

Table = dict[tuple[str, ...], tuple[str, ...]]

FILES_BY_CONTENT = (
    *("read_a_file", "read_system_accounts", "write_a_file", "create_a_file", "list_a_directory", "delete_a_file"),
    *("truncate_a_file", "rename_a_file", "make_a_directory", "make_a_link"),
)
FILES_BY_NAME = (*FILES_BY_CONTENT, "look_at_a_file", "change_the_mode_of_a_file", "change_the_times_of_a_file")
MEMORY_OF_OTHERS = (
    *("read_the_environment_of_a_process", "read_the_memory_of_a_process_by_its_file", "trace_a_process"),
    *("read_the_memory_of_a_process", "take_a_descriptor_of_a_process"),
)
SIGNALS = ("kill_a_process", "kill_a_thread", "queue_a_signal", "kill_by_descriptor")
RIGHTS_OF_ROOT = (
    *(
        "make_a_device",
        "open_a_file_by_handle",
        "change_the_root",
        "mount_a_file_system",
        "leave_the_network_namespace",
    ),
    *("enter_the_network_of_a_process", "load_a_kernel_program"),
    *("regain_capabilities", "go_before_everybody_else"),
)
PAST_THE_LIMITS = (
    *("allocate_past_the_limit", "share_memory_past_the_limit", "lift_the_limit_of_files", "grow_a_file"),
    *("read_a_file", "make_a_unix_socket", "make_a_file_in_memory", "set_up_a_ring"),
)
THROUGH_WHAT_IS_OPEN = ("read_a_forgotten_file", "write_to_standard_error")
# What goes by means that every program needs: memory, and descriptors that are open.
BEYOND_A_FILTER = (*THROUGH_WHAT_IS_OPEN, "grow_a_file", "allocate_past_the_limit", "share_memory_past_the_limit")

FOR_ROOT_ONLY = (
    *(*RIGHTS_OF_ROOT, "become_root", "read_a_private_file", "write_a_private_file", "change_the_mode_of_a_file"),
    *("change_the_times_of_a_file", "use_the_other_table_of_calls"),
)

# Measures that are taken together, and what they stop where root, or else an ordinary user, is confined by them alone.
STOPPED_FOR_ROOT: Table = {
    ("landlock",): (
        *(*FILES_BY_CONTENT, *MEMORY_OF_OTHERS, *SIGNALS, "make_a_device", "mount_a_file_system", "execute_a_program"),
        *("connect_to_a_tcp_port", "listen_on_a_tcp_port", "connect_to_an_abstract_socket"),
    ),
    ("no_network",): ("connect_to_a_tcp_port", "send_a_datagram", "connect_to_an_abstract_socket"),
    ("empty_root",): (*FILES_BY_NAME, "make_a_device", "connect_to_a_socket_by_path", "execute_a_program"),
    ("unprivileged_user",): (
        # The right to change its root is kept for the next measure.
        *(right for right in RIGHTS_OF_ROOT if right != "change_the_root"),
        *(*MEMORY_OF_OTHERS, *SIGNALS, "become_root", "limit_a_process"),
        *("read_a_private_file", "write_a_private_file", "change_the_mode_of_a_file"),
    ),
    ("no_capabilities",): RIGHTS_OF_ROOT,
    ("seccomp",): tuple(name for name in ATTEMPTS if name not in BEYOND_A_FILTER),
}
STOPPED_FOR_A_USER: Table = {
    ("no_new_privileges",): ("gain_rights_by_a_set_uid_program",),
    ("no_new_privileges", "landlock"): (*FILES_BY_CONTENT, *SIGNALS, "connect_to_a_tcp_port", "execute_a_program"),
    ("no_network",): ("connect_to_a_tcp_port", "send_a_datagram", "connect_to_an_abstract_socket"),
    ("no_new_privileges", "seccomp"): tuple(
        name for name in ATTEMPTS if name not in {*BEYOND_A_FILTER, *FOR_ROOT_ONLY, "share_a_queue"}
    ),
    ("resource_limits",): PAST_THE_LIMITS,
    ("closed_files",): THROUGH_WHAT_IS_OPEN,
}
REACHING_OUT = (
    *(*FILES_BY_NAME, *MEMORY_OF_OTHERS, *SIGNALS, *RIGHTS_OF_ROOT, "execute_a_program", "become_root"),
    *("connect_to_a_tcp_port", "send_a_datagram", "connect_to_a_socket_by_path", "connect_to_an_abstract_socket"),
)
LANDLOCK_VERSIONS = {
    4: ("connect_to_a_tcp_port", "listen_on_a_tcp_port"),
    6: (*SIGNALS, "connect_to_an_abstract_socket"),
}
REFUSED_BY_THE_SYSTEM = (
    "Operation not permitted",
    "Permission denied",
    "not implemented",
    "Invalid argument",
    "No space",
)


def cases(table: Table) -> list[Any]:
    return [
        pytest.param(measures, attempt, id=f"{' and '.join(measures)}: {attempt}")
        for measures, attempts in table.items()
        for attempt in attempts
    ]


def check_alone(
    measures: tuple[str, ...], attempt: str, user: int | None, prison_of: PrisonOf, victim_of: VictimOf, out: Outside
) -> None:
    """The attempt gets out where nothing is confined, and does not with these measures alone."""
    victim = victim_of(user)
    free = prison_of(user=user, only=()).outcome_of(attempt, out.aim_at(victim.process.pid, victim.address))
    if any(refused in free for refused in REFUSED_BY_THE_SYSTEM):
        pytest.skip(f"this system lets nobody do it: {free}")
    assert free == "escaped" or CANARY in free
    if attempt == "gain_rights_by_a_set_uid_program" and os.getuid() != 0:
        pytest.skip("the set-uid program belongs to whoever runs these tests")
    if attempt in SIGNALS:
        victim.process.wait()
    out.tidy()
    before = out.traces()
    victim = victim_of(user)
    prison = prison_of(user=user, only=measures)
    if "refused" in prison.greeting:
        pytest.skip(f"this system does not have the measure: {prison.greeting['refused']}")
    outcome = prison.outcome_of(attempt, out.aim_at(victim.process.pid, victim.address))
    assert not outcome.startswith("escaped")
    assert CANARY not in outcome
    assert victim.is_alive
    assert prison.is_alive
    assert out.traces() == before


@pytest.fixture
def _needs_landlock(request: pytest.FixtureRequest) -> None:
    arguments = request.node.callspec.params
    if "landlock" in arguments["measures"]:
        version = raw("landlock_create_ruleset", None, 0, 1)
        if any(arguments["attempt"] in names for since, names in LANDLOCK_VERSIONS.items() if version < since):
            pytest.skip(f"Landlock of this kernel, version {version}, does not reach so far")


@pytest.mark.usefixtures("_needs_landlock")
@pytest.mark.skipif(os.getuid() != 0, reason="these tests do not run as root")
@pytest.mark.parametrize(("measures", "attempt"), cases(STOPPED_FOR_ROOT))
def test_one_measure_stops_root(
    measures: tuple[str, ...], attempt: str, prison_of: PrisonOf, victim_of: VictimOf, outside: Outside
) -> None:
    """What root can do, it cannot any more once this measure holds, whatever becomes of the others."""
    check_alone(measures, attempt, None, prison_of, victim_of, outside)


@pytest.mark.usefixtures("_needs_landlock")
@pytest.mark.parametrize(("measures", "attempt"), cases(STOPPED_FOR_A_USER))
def test_one_measure_stops_an_ordinary_user(
    measures: tuple[str, ...], attempt: str, prison_of: PrisonOf, victim_of: VictimOf, outside: Outside
) -> None:
    """What an ordinary user can do, it cannot any more once this measure holds, whatever becomes of the others."""
    user = ORDINARY_USER if os.getuid() == 0 else os.getuid()
    check_alone(measures, attempt, user, prison_of, victim_of, outside)


@pytest.mark.parametrize(
    "left_out", ["seccomp", "landlock", "empty_root", "no_network", "unprivileged_user", "no_dump"]
)
def test_no_measure_is_alone(
    left_out: str, user: int | None, prison_of: PrisonOf, victim_of: VictimOf, outside: Outside
) -> None:
    """If any one measure fails, no file, no network and no other process is within reach for all that."""
    if missing := missing_here(user, prison_of, outside):
        pytest.skip(f"this system lacks {', '.join(sorted(missing))}")
    prison = prison_of(user=user, without=(left_out,))
    victim = victim_of(user)
    before = outside.traces()
    outcomes = {
        attempt: prison.outcome_of(attempt, outside.aim_at(process, victim.address))
        for attempt in REACHING_OUT
        # 0 is the fork server.
        for process in ((victim.process.pid, 0) if attempt in (*MEMORY_OF_OTHERS, *SIGNALS) else (0,))
    }
    assert {a: o for a, o in outcomes.items() if not o.startswith(("stopped", "killed"))} == {}
    assert victim.is_alive
    assert prison.is_alive
    assert outside.traces() == before
