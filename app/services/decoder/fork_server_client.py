"""The service's side of the fork server: starting it, hiring workers from it, and learning how they ended."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from app.core.exceptions import SandboxUnavailable
from app.core.sandbox_mode import Sandbox
from app.services.decoder.wire import HIRE, WORKER_EXIT, Channel, widen
from app.services.sandbox.measures import Confinement

START_SECONDS = 30.0
_END_SECONDS = 5.0
_MAX_GREETING_BYTES = 4096
ENTRY = "app.services.decoder.fork_server"
# Isolated from the environment, but with the same modules to be found.
_PROGRAM = """
import importlib, json, sys
sys.path[:] = json.loads(sys.argv[1])
importlib.import_module(sys.argv[2]).main(sys.argv[3])
"""
# All the environment that decoders have. glibc reads the first three before Python starts: a worker keeps the pages of
# one picture for the next (faulting them in anew took a quarter of its time), until it has nothing to do.
_ENVIRONMENT = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(32 * 1024**2),
    "MALLOC_TRIM_THRESHOLD_": str(128 * 1024**2),
    "OPENBLAS_NUM_THREADS": "1",
    "VIPS_CONCURRENCY": "1",
    "VIPS_BLOCK_UNTRUSTED": "1",
    # macOS otherwise ends children that are forked without exec.
    "OBJC_DISABLE_INITIALIZE_FORK_SAFETY": "YES",
}


class ServerGone(Exception):
    """The fork server has ended."""


@dataclass(frozen=True, slots=True)
class WorkerExit:
    """How a worker ended: by this signal, if by one, and the most memory that it held, in bytes."""

    signal: int | None
    peak_memory_bytes: int


@dataclass(frozen=True, slots=True)
class ServerOrders:
    """What a fork server is started with. `entry` is the module whose `main` it runs."""

    sandbox: Sandbox
    memory_bytes: int
    entry: str = ENTRY


class HiredWorker:
    """A worker process, from the service's side: the channel to it, and its life."""

    def __init__(self, connection: socket.socket, watch: socket.socket) -> None:
        self.channel = Channel(connection)
        self.pictures = 0
        self.confinement: Confinement | None = None
        self.is_killed = False
        self._watch = watch

    def kill(self) -> None:
        """Ends the process soon, from any thread, whatever it is doing. Repeating is harmless."""
        self.is_killed = True
        with contextlib.suppress(OSError):
            self._watch.send(b"k")

    @property
    def has_ended(self) -> bool:
        """Whether the fork server has told of its end, or can tell of nothing any more."""
        try:
            self._watch.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True

    def wait_for_exit(self) -> WorkerExit | None:
        """How it ended, once it has; None when there is nobody left to tell."""
        try:
            self._watch.settimeout(_END_SECONDS)
            told = self._watch.recv(WORKER_EXIT.size)
        except OSError:
            return None
        if len(told) != WORKER_EXIT.size:
            return None
        status, peak_memory_bytes = WORKER_EXIT.unpack(told)
        return WorkerExit(status & 0x7F or None, peak_memory_bytes)

    def dismiss(self) -> None:
        """Has the process killed and frees what this side holds."""
        self.kill()
        self.forget()

    def forget(self) -> None:
        """Frees what this side holds: in a forked child, whose parent goes on with the worker."""
        self.channel.close()
        self._watch.close()


class ForkServer:
    """A running fork server."""

    def __init__(self, orders: ServerOrders) -> None:
        """Starts it; `wait_until_ready` before hiring.

        Raises:
            SandboxUnavailable: this system cannot run one.
        """
        if not hasattr(socket, "send_fds"):
            raise SandboxUnavailable("Pictures are decoded in processes of their own, which needs Linux or macOS.")
        self._lock = threading.Lock()
        self._control, theirs = socket.socketpair()
        with theirs:
            argument = {
                "control": theirs.fileno(),
                "sandbox": orders.sandbox.value,
                "memory_bytes": orders.memory_bytes,
            }
            paths = [str(Path(path).absolute()) for path in sys.path]
            try:
                self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                    [sys.executable, "-I", "-c", _PROGRAM, json.dumps(paths), orders.entry, json.dumps(argument)],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    pass_fds=[theirs.fileno()],
                    env=_ENVIRONMENT,
                    cwd="/",
                    start_new_session=True,
                )
            except OSError as error:
                self._control.close()
                raise SandboxUnavailable(cause={"fork server": str(error)}) from error

    def wait_until_ready(self) -> None:
        """Returns when it has confined itself and forks.

        Raises:
            SandboxUnavailable: it did not start, or cannot be confined as asked.
        """
        self._control.settimeout(START_SECONDS)
        try:
            greeting = json.loads(self._control.recv(_MAX_GREETING_BYTES) or b"{}")
        except (OSError, ValueError):
            greeting = {}
        if "measures" not in greeting:
            self._process.kill()
            _, said = self._process.communicate()
            self.close()
            last_line = said.decode(errors="replace").strip().rpartition("\n")[2]
            raise SandboxUnavailable(greeting.get("refusal"), cause={"fork server": last_line})
        assert self._process.stderr is not None  # noqa: S101 - it was asked for
        self._process.stderr.close()
        self._control.settimeout(START_SECONDS)

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def hire(self) -> HiredWorker:
        """A new worker, which may still be starting.

        Raises:
            ServerGone: there is nobody to fork it.
        """
        ours, theirs = socket.socketpair()
        watch, their_watch = socket.socketpair()
        widen(theirs)
        try:
            with theirs, their_watch, self._lock:
                socket.send_fds(self._control, [HIRE], [theirs.fileno(), their_watch.fileno()])
        except OSError as error:
            ours.close()
            watch.close()
            raise ServerGone from error
        return HiredWorker(ours, watch)

    def close(self) -> None:
        """Ends it and all its workers."""
        with contextlib.suppress(OSError):
            # Unlike closing, this also reaches the server when a child of ours has a copy of the socket.
            self._control.shutdown(socket.SHUT_RDWR)
        self._control.close()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def forget(self) -> None:
        """In a forked child: frees the copy of the parent's socket, and leaves its server alone."""
        self._control.close()
        # It is no child of this process: there is nothing to wait for.
        self._process.returncode = 0
