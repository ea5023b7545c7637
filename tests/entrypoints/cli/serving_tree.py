"""The processes of a running `serve --workers`, seen from outside: which there are, and which one answers whom."""

from __future__ import annotations

import http.client
import socket
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

_CONNECTIONS = 32


def descendants_of(pid: int) -> set[int]:
    """All living processes below it."""
    children = serving_pids(pid)
    return children.union(*map(descendants_of, children))


def serving_pids(pid: int) -> set[int]:
    """The processes that it started itself."""
    try:
        tasks = [*Path(f"/proc/{pid}/task").iterdir()]
        return {int(child) for task in tasks for child in (task / "children").read_text().split()}
    except OSError:
        return set()


def lives(pid: int) -> bool:
    """Whether it runs; one that nobody has collected yet does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def answering_pids(url: str, path: str = "/healthz") -> set[int]:
    """Who holds the other ends of many connections, all of which were answered."""
    parts = urlsplit(url)
    with ExitStack() as stack:
        ports = set[int]()
        for _ in range(_CONNECTIONS):
            connection = http.client.HTTPConnection(str(parts.hostname), int(parts.port or 0), timeout=20)
            stack.callback(connection.close)
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200
            assert isinstance(connection.sock, socket.socket)
            ports.add(connection.sock.getsockname()[1])
        return _owners_of(_inodes(int(parts.port or 0), ports))


def _inodes(server_port: int, client_ports: set[int]) -> set[str]:
    """The server's sockets of these connections: proc_net_tcp in the kernel's documentation."""
    found = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        local, remote = (int(address.rpartition(":")[2], 16) for address in fields[1:3])
        if local == server_port and remote in client_ports:
            found.add(fields[9])
    return found


def _owners_of(inodes: set[str]) -> set[int]:
    links = {f"socket:[{inode}]" for inode in inodes}
    owners = set()
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if str(descriptor.readlink()) in links:
                owners.add(int(descriptor.parts[2]))
        except OSError:  # it has been closed
            continue
    return owners
