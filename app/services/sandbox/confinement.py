"""Confines the fork server once, then each worker that it forks: with every measure the system has, or as asked."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

from app.core.exceptions import SandboxUnavailable
from app.core.sandbox_mode import Sandbox
from app.services.sandbox.identity import (
    become_unprivileged,
    drop_capabilities,
    find_free_user,
    forbid_new_privileges,
)
from app.services.sandbox.landlock import enter_landlock
from app.services.sandbox.limits import limit_resources
from app.services.sandbox.measures import Confinement as Confinement
from app.services.sandbox.measures import Measure as Measure
from app.services.sandbox.seccomp import restrict_system_calls
from app.services.sandbox.surroundings import close_files, die_with, enter_empty_root, hide_memory, leave_network

Step = tuple[Measure, Callable[[], None]]

SERVER_MEASURES = (
    Measure.NO_NEW_PRIVILEGES,
    Measure.UNPRIVILEGED_USER,
    Measure.NO_CAPABILITIES,
    Measure.NO_NETWORK,
    Measure.EMPTY_ROOT,
    Measure.NO_DUMP,
    Measure.LANDLOCK,
)
DEFAULT_CPU_SECONDS = 3600
# What every Unix has, and all that `off` takes.
_EVERYWHERE = (Measure.CLOSED_FILES, Measure.RESOURCE_LIMITS)


def confine_server(wanted: Sandbox) -> tuple[Measure, ...]:
    """Confines the fork server and all that it will fork; the measures that now hold.

    Call it once, in a process with one thread and an empty environment that has imported everything it will ever
    need, before its first fork: afterwards it opens no file, and has no network. Its descriptors stay open.

    Raises:
        SandboxUnavailable: `strict` is wanted, and the system lacks a measure; its cause says why.
    """
    confined = wanted is not Sandbox.OFF and sys.platform == "linux"
    reached, refusals = _take(_server_steps() if confined else ())
    _check(wanted, [measure for measure in SERVER_MEASURES if measure not in reached], refusals)
    return reached


def confine_worker(
    wanted: Sandbox,
    *,
    memory_bytes: int,
    server_measures: tuple[Measure, ...],
    server_process: int,
    keep_fds: Collection[int],
    cpu_seconds: int = DEFAULT_CPU_SECONDS,
) -> Confinement:
    """Confines a worker that the fork server has just forked, before it sees a stranger's byte; what holds for it.

    Everything mapped by the process, shared memory and libraries included, never exceeds `memory_bytes`;
    `cpu_seconds` count over its whole life. It keeps the descriptors in `keep_fds`, to read, write and `select` on, and
    gets no others: map shared memory before. `server_measures` is what `confine_server` returned in `server_process`.

    Raises:
        SandboxUnavailable: `strict` is wanted, and the system lacks a measure or the server has ended.
    """
    steps: list[Step] = [
        (Measure.CLOSED_FILES, partial(close_files, keep_fds)),
        (Measure.DIES_WITH_SERVER, partial(die_with, server_process)),
        # A domain of its own, inside the server's: the server and the other workers are strangers to it.
        (Measure.LANDLOCK, enter_landlock),
        (Measure.RESOURCE_LIMITS, partial(limit_resources, memory_bytes=memory_bytes, cpu_seconds=cpu_seconds)),
        (Measure.SECCOMP, partial(restrict_system_calls, os.getpid())),
    ]
    if wanted is Sandbox.OFF or sys.platform != "linux":
        steps = [step for step in steps if step[0] in _EVERYWHERE]
    reached, refusals = _take(steps)
    confinement = Confinement.of((*server_measures, *reached))
    _check(wanted, confinement.missing, refusals)
    return confinement


def _server_steps() -> list[Step]:
    """In this order: each step still has the rights and the files that it needs."""
    return [
        (Measure.NO_NEW_PRIVILEGES, forbid_new_privileges),
        (Measure.NO_NETWORK, leave_network),
        (Measure.UNPRIVILEGED_USER, partial(become_unprivileged, find_free_user())),
        # A root that may not have a network of its own may still, as an ordinary user in a namespace of its own.
        (Measure.NO_NETWORK, leave_network),
        (Measure.EMPTY_ROOT, enter_empty_root),
        (Measure.NO_CAPABILITIES, drop_capabilities),
        (Measure.NO_DUMP, hide_memory),
        (Measure.LANDLOCK, enter_landlock),
    ]


def _take(steps: Sequence[Step]) -> tuple[tuple[Measure, ...], dict[str, str]]:
    """Takes each measure until one of its steps succeeds; those that hold, and why each other one does not."""
    reached: list[Measure] = []
    refusals: dict[str, str] = {}
    for measure, step in steps:
        if measure not in reached:
            try:
                step()
                reached.append(measure)
            except OSError as error:
                refusals[measure.value] = str(error)
    return tuple(reached), refusals


def _check(wanted: Sandbox, missing: Collection[Measure], refusals: Mapping[str, str]) -> None:
    if wanted is Sandbox.STRICT and missing:
        raise SandboxUnavailable(f"SANDBOX=strict, but this system lacks: {', '.join(missing)}.", cause=refusals)
