"""What attempts to escape aim at."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """Things outside that an escaped process could reach; paths are absolute.

    `readable`, `writable` and `private` are files with `canary` in them, the last one for its owner only; all lie in
    `folder`. `process` is another process: 0 means the parent of whoever tries; `address` is where it holds the canary.
    """

    canary: str
    folder: str
    readable: str
    writable: str
    private: str
    set_uid_cat: str
    unix_socket: str
    abstract_socket: str
    tcp_port: int
    udp_port: int
    process: int = 0
    address: int = 0
    # Filled in by the prison: where to report, a file open but not handed on, and one that is handed on.
    report: int = -1
    forgotten_file: int = -1
    kept_file: int = -1

    @property
    def victim(self) -> int:
        return self.process or os.getppid()

    def new(self, name: str) -> bytes:
        """A path in the folder that nothing has yet."""
        return f"{self.folder}/{name}".encode()
