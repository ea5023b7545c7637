"""Running prisons from the tests, and what stands outside them to be reached."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tests.services.sandbox.escapes.target import Target
from tests.services.sandbox.prison import Orders, orders_text

ROOT = Path(__file__).parents[3]
CANARY = "Canary51d0OfTheOutside"
ORDINARY_USER = 12345
_SOME_GROUP = 4
_START = "import sys; sys.path[:0] = {paths!r}; from tests.services.sandbox.prison import main; main(sys.argv[1])"
# Holds its first argument in memory, as the user that its second one names, and lets that user's processes look at it.
_KEEPER = """
import ctypes, os, sys
canary = sys.argv[1].encode()
user = int(sys.argv[2])
if user and os.getuid() == 0:
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)
print(id(canary) + bytes.__basicsize__ - 1, flush=True)
sys.stdin.read()
"""


class Prison:
    """A fork server of the tests and its workers; made by `prison`."""

    def __init__(self, process: subprocess.Popen[str], kept_file: Path) -> None:
        self._process = process
        self.kept_file = kept_file
        self.greeting = self._hear()

    @property
    def process_id(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def outcome_of(self, attempt: str, target: Target) -> str:
        """`escaped`, or what stopped it."""
        return self._ask({"attempt": attempt, "target": asdict(target)})

    def work(self, name: str) -> str:
        """What a worker answers that does one of `works`."""
        return self._ask({"work": name})

    def waiting_worker(self) -> int:
        """The process number of a new worker that lives until it is killed."""
        return int(self.work("wait").split()[0])

    def kill(self) -> None:
        """Ends the server at once, and nothing else."""
        self._process.kill()
        self._process.wait()

    def _ask(self, request: dict[str, Any]) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return str(self._hear().get("outcome", "the prison has fallen: escaped"))

    def _hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        return dict(json.loads(line)) if line else {}


@contextmanager
def prison(folder: Path, **orders: Any) -> Iterator[Prison]:
    """A running prison under these `Orders`; its files lie in `folder`."""
    forgotten, kept = folder / "forgotten.txt", folder / "kept.bin"
    forgotten.write_text(CANARY, encoding="ascii")
    kept.write_bytes(b"")
    text = orders_text(Orders(forgotten=str(forgotten), kept=str(kept), **orders))
    start = _START.format(paths=[str(ROOT), *sys.path[1:]])
    with (folder / "errors.txt").open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", start, text],
            # As in production: each further arena of malloc would reserve 64 MiB of what a worker may map.
            env={"MALLOC_ARENA_MAX": "2"},
            # As for a root that was given further groups; to be lost with the rest.
            extra_groups=[_SOME_GROUP] if os.getuid() == 0 else None,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    with process:
        try:
            yield Prison(process, kept)
        finally:
            process.kill()


@dataclass(frozen=True, slots=True)
class Outside:
    """What an escaped process could reach. The folder is open to everybody; sockets are not inherited."""

    folder: Path
    listeners: tuple[socket.socket, ...]
    target: Target

    def traces(self) -> dict[str, tuple[int, bytes]]:
        """Everything in the folder: mode and content by name."""
        found = sorted(self.folder.iterdir())
        return {
            each.name: (each.lstat().st_mode, each.read_bytes() if each.is_file() and not each.is_symlink() else b"")
            for each in found
            if each.suffix != ".sock"
        }

    def callers(self) -> int:
        """How many have knocked since the last time."""
        count = 0
        for listener in self.listeners:
            try:
                if listener.type is socket.SOCK_DGRAM:
                    listener.recv(16)
                else:
                    listener.accept()[0].close()
            except BlockingIOError:
                continue
            count += 1
        return count

    def tidy(self) -> None:
        """The folder as it was at first, whatever came into it; nobody at the door."""
        target = self.target
        for left in self.folder.iterdir():
            if left.suffix == ".sock":
                continue
            left.rmdir() if left.is_dir() and not left.is_symlink() else left.unlink()
        self.callers()
        for path, mode in ((target.readable, 0o644), (target.writable, 0o666), (target.private, 0o600)):
            Path(path).write_text(CANARY, encoding="ascii")
            Path(path).chmod(mode)

    def aim_at(self, process: int, address: int = 0) -> Target:
        return replace(self.target, process=process, address=address)


@contextmanager
def outside(folder: Path) -> Iterator[Outside]:
    """Files, and listening sockets of this process."""
    folder.chmod(0o777)
    cat = folder.parent / "set_uid_cat"
    shutil.copy("/bin/cat", cat)
    cat.chmod(0o4755)
    name = f"heaven-escape-{os.getpid()}"
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_UNIX) as by_path,
        socket.socket(socket.AF_UNIX) as abstract,
    ):
        udp.bind(("127.0.0.1", 0))
        by_path.bind(str(folder / "listener.sock"))
        (folder / "listener.sock").chmod(0o777)
        abstract.bind(f"\0{name}")
        for listener in (by_path, abstract):
            listener.listen()
        target = Target(
            canary=CANARY,
            folder=str(folder),
            readable=str(folder / "readable.txt"),
            writable=str(folder / "writable.txt"),
            private=str(folder / "private.txt"),
            set_uid_cat=str(cat),
            unix_socket=str(folder / "listener.sock"),
            abstract_socket=name,
            tcp_port=tcp.getsockname()[1],
            udp_port=udp.getsockname()[1],
        )
        listeners = (tcp, udp, by_path, abstract)
        for listener in listeners:
            listener.setblocking(False)
        yield Outside(folder, listeners, target)


@dataclass(frozen=True, slots=True)
class Victim:
    """A process with the canary in its memory, at `address`, and in its environment."""

    process: subprocess.Popen[str]
    address: int

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None


@contextmanager
def victim(user: int | None) -> Iterator[Victim]:
    """A process of this user, or of the one who runs the tests."""
    process = subprocess.Popen(
        [sys.executable, "-S", "-E", "-c", _KEEPER, CANARY, str(user or 0)],
        env={"SECRET": CANARY},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        try:
            yield Victim(process, int(process.stdout.readline()))
        finally:
            process.kill()
