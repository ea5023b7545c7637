"""A TCP proxy on loopback that spoils HTTP requests and answers as told, between an S3 client and a real store.

    with FaultProxy(store_url) as proxy:
        proxy.spoil("PUT", Answer(503, slow_down), Answer(503, slow_down), DropAnswer())
        ...                           # requests use proxy.endpoint_url; after the script all pass

A script is used up by the requests of its method, one fault each, in the order of their arrival. Without a store to
forward to, everything that is not in a script is answered with 501.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

_STALL_SECONDS = 60
_NO_STORE = b"HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Pass:
    """Nothing happens to the request or its answer."""


@dataclass(frozen=True, slots=True)
class ResetRequest:
    """The connection is reset after `after_bytes` of the request's body; the store sees nothing."""

    after_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """This answer, and nothing reaches the store."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DropAnswer:
    """The store does what it is told, but its answer is lost: the connection is reset."""


@dataclass(frozen=True, slots=True)
class WithholdAnswer:
    """The store does what it is told, but its answer never comes and the connection stays open."""


@dataclass(frozen=True, slots=True)
class Stall:
    """The request is taken and never answered; the store sees nothing."""


@dataclass(frozen=True, slots=True)
class StallAnswer:
    """The answer stops after its head and `after_bytes` of its body, and the connection stays open."""

    after_bytes: int


@dataclass(frozen=True, slots=True)
class CutAnswer:
    """The connection ends after the answer's head and `after_bytes` of its body."""

    after_bytes: int


@dataclass(frozen=True, slots=True)
class TrickleAnswer:
    """The answer's body comes in pieces of `piece_bytes`, `pause_seconds` apart."""

    piece_bytes: int
    pause_seconds: float


@dataclass(frozen=True, slots=True)
class FlipRequestByte:
    """The byte at `offset` of the request's body is changed on its way."""

    offset: int


@dataclass(frozen=True, slots=True)
class FlipAnswerByte:
    """The byte at `offset` of the answer's body is changed on its way."""

    offset: int


Fault = (
    Pass
    | ResetRequest
    | Answer
    | DropAnswer
    | WithholdAnswer
    | Stall
    | StallAnswer
    | CutAnswer
    | TrickleAnswer
    | FlipRequestByte
    | FlipAnswerByte
)


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    head: bytes
    length: int
    expects_continue: bool


class FaultProxy:
    """Listens between `with` and its end. One request per connection; signatures stay valid, Host is passed on."""

    def __init__(self, store_url: str | None = None) -> None:
        address = urlsplit(store_url) if store_url else None
        self._store = (str(address.hostname), int(address.port or 80)) if address else None
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._scripts: dict[str, deque[Fault]] = {}
        self._always: Fault = Pass()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []
        self._open: set[socket.socket] = set()
        self.methods: list[str] = []

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def spoil(self, method: str, *faults: Fault) -> None:
        """The next requests of this method meet these faults, one each."""
        with self._lock:
            self._scripts.setdefault(method, deque()).extend(faults)

    def spoil_all(self, fault: Fault) -> None:
        """Every request that no script is for meets this fault from now on."""
        self._always = fault

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        # A plain close does not wake a thread that waits in accept or recv.
        for connection in (self._listener, *tuple(self._open)):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in tuple(self._threads):
            thread.join(10)

    def _start(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        self._open.add(client)
        with client, contextlib.suppress(OSError):
            request, rest = _read_head(client)
            if request is not None:
                self._spoil(client, request, rest, self._next_fault(request.method))
        self._open.discard(client)

    def _next_fault(self, method: str) -> Fault:
        with self._lock:
            self.methods.append(method)
            script = self._scripts.get(method)
            return script.popleft() if script else self._always

    def _spoil(self, client: socket.socket, request: _Request, rest: bytes, fault: Fault) -> None:
        """Takes the request as far as the fault lets it, and hands it to the store unless the fault keeps it."""
        if request.expects_continue:
            client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        wanted = min(fault.after_bytes, request.length) if isinstance(fault, ResetRequest) else request.length
        body = _read_exactly(client, rest, wanted)
        match fault:
            case ResetRequest():
                _reset(client)
            case Stall():
                self._ended.wait(_STALL_SECONDS)
            case Answer():
                client.sendall(_answer_bytes(fault, with_body=request.method != "HEAD"))
            case FlipRequestByte(offset):
                client.sendall(b"".join(self._forward(request, _flip(body, offset))))
            case _:
                self._answer(client, *self._forward(request, body), fault)

    def _answer(self, client: socket.socket, head: bytes, body: bytes, fault: Fault) -> None:
        """Hands the store's answer to the client as far as the fault lets it."""
        match fault:
            case DropAnswer():
                _reset(client)
            case WithholdAnswer():
                self._ended.wait(_STALL_SECONDS)
            case StallAnswer(after_bytes):
                client.sendall(head + body[:after_bytes])
                self._ended.wait(_STALL_SECONDS)
            case CutAnswer(after_bytes):
                client.sendall(head + body[:after_bytes])
            case FlipAnswerByte(offset):
                client.sendall(head + _flip(body, offset))
            case TrickleAnswer(piece_bytes, pause_seconds):
                client.sendall(head)
                for start in range(0, len(body), piece_bytes):
                    client.sendall(body[start : start + piece_bytes])
                    self._ended.wait(pause_seconds)
            case _:
                client.sendall(head + body)

    def _forward(self, request: _Request, body: bytes) -> tuple[bytes, bytes]:
        """Head (with its empty line) and body of the store's answer."""
        if self._store is None:
            return _NO_STORE, b""
        with socket.create_connection(self._store, timeout=30) as store:
            store.sendall(request.head + b"Connection: close\r\n\r\n" + body)
            received = b"".join(iter(lambda: store.recv(1 << 16), b""))
        head, _, answer = received.partition(b"\r\n\r\n")
        return head + b"\r\n\r\n", answer


def refused_url() -> str:
    """The URL of a loopback port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def _read_head(client: socket.socket) -> tuple[_Request | None, bytes]:
    received = b""
    while b"\r\n\r\n" not in received:
        piece = client.recv(1 << 16)
        if not piece:
            return None, b""
        received += piece
    head, _, rest = received.partition(b"\r\n\r\n")
    kept, length, expects_continue = [], 0, False
    for line in head.split(b"\r\n"):
        name, _, value = line.lower().partition(b":")
        if name == b"content-length":
            length = int(value)
        # Answered here; neither header is part of the signature.
        if name == b"expect":
            expects_continue = True
        elif name != b"connection":
            kept.append(line)
    method = head.split(b" ", 1)[0].decode()
    return _Request(method, b"\r\n".join(kept) + b"\r\n", length, expects_continue), rest


def _read_exactly(client: socket.socket, start: bytes, length: int) -> bytes:
    parts, missing = [start[:length]], length - len(start)
    while missing > 0 and (piece := client.recv(min(missing, 1 << 20))):
        parts.append(piece)
        missing -= len(piece)
    return b"".join(parts)


def _reset(client: socket.socket) -> None:
    """Ends the connection with RST instead of FIN."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def _flip(content: bytes, offset: int) -> bytes:
    return content[:offset] + bytes([content[offset] ^ 0x01]) + content[offset + 1 :]


def _answer_bytes(answer: Answer, *, with_body: bool) -> bytes:
    headers = {"Content-Length": str(len(answer.body)), "Connection": "close"} | answer.headers
    lines = [f"HTTP/1.1 {answer.status} Recorded", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (answer.body if with_body else b"")
