"""Uploads written by hand to a raw socket, and a service with small limits to send them to."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.entrypoints.http.app import create_app
from app.entrypoints.http.request_body import MULTIPART_OVERHEAD_BYTES
from app.services.memory_store import MemoryStore
from tests.conftest import make_image_service
from tests.entrypoints.http.conftest import CONNECTION, ServicesOf, make_settings
from tests.running_service import run_service

MAX_UPLOAD_BYTES = 300_000
MAX_BODY_BYTES = MAX_UPLOAD_BYTES + MULTIPART_OVERHEAD_BYTES
IDLE_SECONDS = 0.5
TOTAL_SECONDS = 2.0
PATH = "/api/v1/images"


def form(content: bytes, *, boundary: str = "xx", field: str = "file") -> bytes:
    """A multipart body with a file and an image type."""
    return (
        (
            f'--{boundary}\r\nContent-Disposition: form-data; name="image_type"\r\n\r\nuser\r\n'
            f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; filename="a.jpg"\r\n\r\n'
        ).encode()
        + content
        + f"\r\n--{boundary}--\r\n".encode()
    )


def head(length: int | None, *extra: str, path: str = PATH) -> bytes:
    """The head of an upload; no length means chunks."""
    framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        "Content-Type: multipart/form-data; boundary=xx",
        framing,
        *extra,
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(content), content)


@dataclass(frozen=True)
class Answer:
    """What came back before the server closed or answered."""

    interim: bool
    status: int | None
    problem: dict[str, Any]


@dataclass(frozen=True)
class Target:
    """A running service with small limits."""

    port: int
    store: MemoryStore

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=15)

    def send(self, *parts: bytes) -> Answer:
        with self.connect() as connection:
            for part in parts:
                connection.sendall(part)
            return read_answer(connection)

    def is_empty(self) -> bool:
        return not self.store._entries


def read_answer(connection: socket.socket) -> Answer:
    """One whole answer; an interim one (100 Continue) is only noted."""
    received = b""
    while b"\r\n\r\n" not in received or (received.startswith(b"HTTP/1.1 100") and received.count(b"HTTP/1.1") < 2):
        part = connection.recv(65536)
        if not part:
            return Answer(interim=False, status=None, problem={})
        received += part
    interim = received.startswith(b"HTTP/1.1 100")
    if interim:
        received = received.split(b"\r\n\r\n", 1)[1]
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    headers, body = received.split(b"\r\n\r\n", 1)
    fields = dict(line.lower().split(b": ", 1) for line in headers.split(b"\r\n")[1:])
    while len(body) < int(fields[b"content-length"]):
        body += connection.recv(65536)
    return Answer(interim, int(headers.split()[1]), json.loads(body))


@contextmanager
def running(**settings: Any) -> Iterator[Target]:
    store = MemoryStore()
    service = make_image_service(store, CONNECTION, max_upload_bytes=MAX_UPLOAD_BYTES)
    limits: dict[str, Any] = {
        "max_upload_bytes": MAX_UPLOAD_BYTES,
        "upload_idle_timeout_seconds": IDLE_SECONDS,
        "upload_total_timeout_seconds": TOTAL_SECONDS,
    }
    make = settings.pop("make", make_settings)
    with run_service(create_app(ServicesOf(service, make(**limits, **settings)))) as served:
        yield Target(served.port, store)


def temporary_files() -> set[str]:
    """This process's open files without a name, as spooled uploads are; none where there is no /proc."""
    found: set[str] = set()
    if not Path("/proc/self/fd").is_dir():
        return found
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            target = str(descriptor.readlink())
        except OSError:
            continue
        if "(deleted)" in target and "memfd" not in target:
            found.add(f"{descriptor.name} {target}")
    return found
