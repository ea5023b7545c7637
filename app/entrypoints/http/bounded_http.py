"""HTTP/1.1 by httptools, with the bounds that uvicorn's own protocol lacks: on a head's size and on its time.

uvicorn's h11 bounds the size and parses in Python, which costs more than all else of a request that is answered from
memory; httptools' parser, in C, keeps what it is sent for as long as no end of it comes.
"""

from __future__ import annotations

import asyncio
from asyncio.events import TimerHandle
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 32 * 1024
HEAD_SECONDS = 20.0
_TOO_LARGE = b"The request's head is too large."
_REFUSAL = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(_TOO_LARGE), _TOO_LARGE)
)


class _HeadTooLarge(Exception):
    """The head went over its bound; leaves the parser as one of its own errors."""


class BoundedHttp(HttpToolsProtocol):
    """Refuses heads of over 32 KB, trailers included, by 431, and closes connections whose head takes over 20 s."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._head_bytes = 0
        # Since the parser last finished a header, a piece of a body, or a message.
        self._unfinished_bytes = 0
        self._is_refused = False
        self._head_began: float | None = None
        self._head_check: TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head_began = self.loop.time()
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._head_check:
            self._head_check.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return
        self._unfinished_bytes += len(data)
        super().data_received(data)
        if self._unfinished_bytes > MAX_HEAD_BYTES and not self._is_refused:
            self.send_400_response("")

    def send_400_response(self, msg: str) -> None:
        """Refuses what is no request; one before it that is still being answered is answered first."""
        self._is_refused = True
        is_answering = self.cycle is not None and not self.cycle.response_complete
        if is_answering and not self.cycle.more_body:
            self.cycle.keep_alive = False
        elif is_answering and self.cycle.response_started:
            self.transport.close()
        elif max(self._head_bytes, self._unfinished_bytes) > MAX_HEAD_BYTES:
            self.transport.write(_REFUSAL)
            self.transport.close()
        else:
            super().send_400_response(msg)

    def on_message_begin(self) -> None:
        self._head_began = self.loop.time()
        self._head_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._unfinished_bytes = 0
        self._count(len(name) + len(value) + 4)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._unfinished_bytes = 0
        self._head_began = None
        super().on_headers_complete()
        if self.parser.should_upgrade():
            # Nothing here upgrades, and the parser reads no further request on a connection that asked for it.
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        self._unfinished_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unfinished_bytes = 0
        super().on_message_complete()

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD_BYTES:
            raise _HeadTooLarge

    def _watch_head(self) -> None:
        """One timer for all requests of the connection: it is late by as much as it is early, and costs nothing."""
        if self._head_began is not None and self.loop.time() - self._head_began >= HEAD_SECONDS:
            self.transport.close()
        if not self.transport.is_closing():
            self._head_check = self.loop.call_later(HEAD_SECONDS / 2, self._watch_head)
