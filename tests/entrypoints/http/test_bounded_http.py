"""Heads of requests over a real socket: too large, without end, too slow, and what follows a request."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from app.entrypoints.http import bounded_http
from tests.entrypoints.http.raw_uploads import PATH, Target, running

PING = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
MOST = bounded_http.MAX_HEAD_BYTES


@pytest.fixture(scope="module")
def target(clean_environment: None) -> Iterator[Target]:
    with running() as started:
        yield started


def ask(target: Target, *parts: bytes) -> bytes:
    """All that is answered before the connection ends."""
    received = b""
    with target.connect() as connection:
        try:
            for part in parts:
                connection.sendall(part)
            while piece := connection.recv(65536):
                received += piece
        except ConnectionError:
            pass
    return received


@pytest.mark.parametrize(
    "head",
    [
        PING + b"X-Long: " + b"x" * MOST + b"\r\n\r\n",
        PING + b"X-Many: xxxxxxxx\r\n" * (MOST // 16) + b"\r\n",
        b"GET /" + b"x" * MOST + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
    ids=["one long header", "many headers", "a long path"],
)
def test_a_head_that_is_too_large(target: Target, head: bytes) -> None:
    """A head of over 32 KB is refused, however it comes to its size, and the connection is closed."""
    assert ask(target, head).startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize("start", [b"GET /", PING + b"X-Long: ", PING + b"X"], ids=["path", "value", "name"])
def test_a_head_without_end(target: Target, start: bytes) -> None:
    """What goes on for ever is cut off soon after 32 KB, so nobody can fill the memory."""
    sent = 0
    with target.connect() as connection:
        connection.sendall(start)
        try:
            while sent < 8_000_000:
                connection.sendall(b"x" * 65536)
                sent += 65536
        except ConnectionError:
            return
    raise AssertionError(f"{sent} bytes of one head were taken")


def test_trailers_without_end(target: Target) -> None:
    """What follows a body in chunks is bounded like a head."""
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: ".encode()
    )
    with target.connect() as connection:
        connection.sendall(head)
        try:
            for _ in range(120):
                connection.sendall(b"x" * 65536)
        except ConnectionError:
            return
    raise AssertionError("8 MB of trailer were taken")


def test_a_large_head_below_the_bound(target: Target) -> None:
    """Long tokens and cookies pass, request after request on one connection."""
    ping = PING + b"Cookie: " + b"x" * (MOST - 1000) + b"\r\n"
    answers = ask(target, (ping + b"\r\n") * 2, ping + b"Connection: close\r\n\r\n")
    assert answers.count(b"HTTP/1.1 200 ") == 3


def test_a_slow_head(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection whose head does not come to its end is closed; one that was never used as well."""
    monkeypatch.setattr(bounded_http, "HEAD_SECONDS", 0.2)
    with running() as target:
        assert ask(target, PING) == b""
        assert ask(target) == b""
        assert ask(target, PING + b"Connection: close\r\n\r\n").startswith(b"HTTP/1.1 200 ")


def test_rubbish_behind_a_request(target: Target) -> None:
    """A good request is answered, whatever follows it; rubbish alone is refused."""
    answers = ask(target, PING + b"\r\nno request at all\r\n\r\n")
    assert answers.startswith(b"HTTP/1.1 200 ")
    assert answers.count(b"HTTP/1.1") == 1
    assert ask(target, b"no request at all\r\n\r\n").startswith(b"HTTP/1.1 400 ")


def test_an_upgrade_is_not_waited_for(target: Target) -> None:
    """A client that would rather speak another protocol is answered in this one, and the connection ends."""
    asked = PING + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"
    assert ask(target, asked).startswith(b"HTTP/1.1 200 ")


def test_a_client_that_half_closes(target: Target) -> None:
    """A client that says that it sends no more still gets its answer."""
    with target.connect() as connection:
        connection.sendall(PING + b"\r\n")
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
