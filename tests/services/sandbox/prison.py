"""A fork server of the tests: it confines itself as ordered and forks a worker for each attempt to escape.

It runs as a process of its own, takes its orders as JSON (see `Orders`), then one JSON line per worker on standard
input, and answers one on standard output.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from app.core.exceptions import SandboxUnavailable
from app.core.sandbox_mode import Sandbox
from app.services.sandbox import confinement, identity, landlock, limits, seccomp, surroundings
from app.services.sandbox.measures import Measure
from tests.services.sandbox.escapes import ATTEMPTS
from tests.services.sandbox.escapes.target import Target

MEMORY_BYTES = 384 * 1024**2
# What a worker says that goes on living.
END_OF_WAITING = b"waiting\n"
_DUMPABLE = 4

Works = dict[str, Callable[[int], str]]


@dataclass(frozen=True, slots=True)
class Orders:
    """How to confine: as `wanted` says, all but the measures in `without`; or, where `only` is given, by those alone.

    Whoever is root becomes `user` first, if there is one. `forgotten` and `kept` are files to open before, `works` is
    the module of what workers can be asked to do beside escaping, `material` a folder of what they need for it.
    """

    wanted: str = Sandbox.AUTO
    user: int | None = None
    only: tuple[str, ...] | None = None
    without: tuple[str, ...] = ()
    forgotten: str = ""
    kept: str = ""
    works: str = "tests.services.sandbox.works"
    material: str = ""
    memory_bytes: int = MEMORY_BYTES


@dataclass(frozen=True, slots=True)
class Worker:
    """What a worker is to do, and how it is confined while it does."""

    orders: Orders
    measures: tuple[Measure, ...]
    asked: dict[str, Any]
    files: dict[str, int]
    works: Works
    server: int

    def be(self, report: int) -> None:
        """Never returns."""
        said = ""
        try:
            level = _confine_worker(self.orders, self.measures, [0, report, self.files["kept"]], self.server)
            said = level if self.asked.get("work") == "level" else self._do(report)
        except SandboxUnavailable as error:
            said = f"refused: {error.detail}"
        except (OSError, MemoryError) as error:
            said = f"stopped: {error}"
        except BaseException as error:  # noqa: BLE001 - whatever it is, the test shows it
            said = f"stopped: {type(error).__name__}: {error}"
        finally:
            os.write(report, said.encode())
            os._exit(0)

    def _do(self, report: int) -> str:
        if "work" in self.asked:
            return self.works[self.asked["work"]](report)
        target = Target(**self.asked["target"])
        target = replace(target, report=report, forgotten_file=self.files["forgotten"], kept_file=self.files["kept"])
        ATTEMPTS[self.asked["attempt"]](target)
        return "escaped"


def main(text: str) -> None:
    """Serves until standard input ends."""
    orders = Orders(**json.loads(text))
    files = {name: os.open(path, os.O_RDWR) for name, path in (("forgotten", orders.forgotten), ("kept", orders.kept))}
    works: Works = importlib.import_module(orders.works).works_of(orders.material)
    _become(orders.user)
    _leave_out(orders.without)
    try:
        measures = _confine_server(orders)
    except (SandboxUnavailable, OSError) as error:
        _answer({"refused": str(error)})
        return
    _answer({"measures": measures, "process": os.getpid()})
    for line in sys.stdin:
        asked = json.loads(line)
        _answer({"outcome": _in_worker(Worker(orders, measures, asked, files, works, os.getpid()))})


def _answer(content: dict[str, Any]) -> None:
    print(json.dumps(content), flush=True)


def _become(user: int | None) -> None:
    if user is not None and os.getuid() == 0:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
        # Someone who had logged in as this user could be looked at by the user's other processes.
        ctypes.CDLL(None).prctl(_DUMPABLE, 1, 0, 0, 0)


def _leave_out(without: Sequence[str]) -> None:
    take = confinement._take
    confinement._take = lambda steps: take([step for step in steps if step[0] not in without])


def _confine_server(orders: Orders) -> tuple[Measure, ...]:
    if orders.only is None:
        return confinement.confine_server(Sandbox(orders.wanted))
    alone: dict[str, Callable[[], None]] = {
        Measure.NO_NEW_PRIVILEGES: identity.forbid_new_privileges,
        Measure.NO_NETWORK: surroundings.leave_network,
        Measure.EMPTY_ROOT: surroundings.enter_empty_root,
        Measure.UNPRIVILEGED_USER: partial(identity.become_unprivileged, identity.find_free_user()),
        Measure.NO_CAPABILITIES: identity.drop_capabilities,
    }
    for measure in orders.only:
        alone.get(measure, lambda: None)()
    return ()


def _confine_worker(orders: Orders, measures: tuple[Measure, ...], keep: list[int], server: int) -> str:
    if orders.only is None:
        confined = confinement.confine_worker(
            Sandbox(orders.wanted),
            memory_bytes=orders.memory_bytes,
            server_measures=measures,
            server_process=server,
            keep_fds=keep,
        )
        return f"{confined.level}: {' '.join(confined.reached)}"
    alone: dict[str, Callable[[], None]] = {
        Measure.CLOSED_FILES: partial(surroundings.close_files, keep),
        Measure.DIES_WITH_SERVER: partial(surroundings.die_with, server),
        Measure.NO_DUMP: surroundings.hide_memory,
        Measure.LANDLOCK: landlock.enter_landlock,
        Measure.RESOURCE_LIMITS: partial(limits.limit_resources, memory_bytes=orders.memory_bytes, cpu_seconds=60),
        Measure.SECCOMP: partial(seccomp.restrict_system_calls, os.getpid()),
    }
    for measure in orders.only:
        alone.get(measure, lambda: None)()
    return "alone"


def _in_worker(worker: Worker) -> str:
    """What came of it: the worker's own words, or how it ended when it had none. One that waits is left alone."""
    incoming, report = os.pipe()
    # Programs that a worker manages to execute report too.
    os.set_inheritable(report, True)
    process = os.fork()
    if not process:
        os.close(incoming)
        worker.be(report)
    os.close(report)
    words = b""
    while not words.endswith(END_OF_WAITING) and (part := os.read(incoming, 65536)):
        words += part
    if words.endswith(END_OF_WAITING):
        return words.decode().strip()
    os.close(incoming)
    _, status = os.waitpid(process, 0)
    if words:
        return words.decode(errors="replace").strip()
    return f"killed: {signal.Signals(os.WTERMSIG(status)).name}" if os.WIFSIGNALED(status) else "silent"


def orders_text(orders: Orders) -> str:
    """The argument of `main`."""
    return json.dumps(asdict(orders))
