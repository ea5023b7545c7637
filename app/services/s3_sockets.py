"""Connections to the store that belong to no event loop: any may use one, and keeps nothing of it afterwards.

asyncio's own transports live and die with their loop. A command runs a loop of its own, a test many, a host application
one per thread; so sockets are kept here, and loops only wait for them.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
import weakref
from collections import deque
from typing import Any

# Shorter than what stores and the networks before them allow a connection that says nothing.
_IDLE_SECONDS = 15.0
_TLS_READ_BYTES = 128 * 1024


class StoreSocket:
    """One connection. A call that was cancelled or failed leaves it good for nothing but `close`."""

    def __init__(self, raw: socket.socket) -> None:
        self._raw = raw
        self.idle_since = 0.0

    async def send(self, content: bytes) -> None:
        """Returns when everything is on its way."""
        await asyncio.get_running_loop().sock_sendall(self._raw, content)

    async def receive(self, most_bytes: int) -> bytes:
        """What has arrived, at least one byte of it; nothing at the end of the connection."""
        return await asyncio.get_running_loop().sock_recv(self._raw, most_bytes)

    @property
    def is_quiet(self) -> bool:
        """Open, with nothing to read, as far as this side can know."""
        try:
            self._raw.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def close(self) -> None:
        self._raw.close()


class TlsSocket(StoreSocket):
    """The same, encrypted. Call `shake_hands` first."""

    def __init__(self, raw: socket.socket, context: ssl.SSLContext, host: str) -> None:
        super().__init__(raw)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)

    async def shake_hands(self) -> None:
        """Raises: ssl.SSLError, also when the store's certificate is not trusted."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                await self._fill()
            else:
                await self._flush()
                return

    async def send(self, content: bytes) -> None:
        self._tls.write(content)
        await self._flush()

    async def receive(self, most_bytes: int) -> bytes:
        while True:
            try:
                return self._tls.read(most_bytes)
            except ssl.SSLWantReadError:
                await self._flush()
                await self._fill()
            except ssl.SSLZeroReturnError:
                return b""

    @property
    def is_quiet(self) -> bool:
        return not self._incoming.pending and not self._tls.pending() and super().is_quiet

    async def _flush(self) -> None:
        if encrypted := self._outgoing.read():
            await super().send(encrypted)

    async def _fill(self) -> None:
        encrypted = await super().receive(_TLS_READ_BYTES)
        if encrypted:
            self._incoming.write(encrypted)
        else:
            self._incoming.write_eof()


class StoreSockets:
    """The connections of one process to one address. Safe for threads; at most `most_idle` wait for their next use."""

    def __init__(self, host: str, port: int, *, tls: ssl.SSLContext | None, most_idle: int) -> None:
        self._host, self._port, self._tls, self._most_idle = host, port, tls, most_idle
        self._lock = threading.Lock()
        self._idle: deque[StoreSocket] = deque()
        self._is_closed = False
        # Whoever forgets to close the store leaves no connection open all the same.
        weakref.finalize(self, _close_all, self._idle)

    def find_idle(self) -> StoreSocket | None:
        """The one that was used last, if the store has not closed it meanwhile."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                found = self._idle.pop()
            if time.monotonic() - found.idle_since < _IDLE_SECONDS and found.is_quiet:
                return found
            found.close()

    async def connect(self) -> StoreSocket:
        """A new connection, to the first of the host's addresses that takes it.

        Raises: OSError.
        """
        loop = asyncio.get_running_loop()
        fault: OSError = ConnectionError("the host has no address")
        for family, kind, protocol, _, address in await loop.getaddrinfo(
            self._host, self._port, type=socket.SOCK_STREAM
        ):
            raw = socket.socket(family, kind, protocol)
            try:
                return await self._connect(raw, address)
            except OSError as error:
                raw.close()
                fault = error
            except BaseException:
                raw.close()
                raise
        raise fault

    async def _connect(self, raw: socket.socket, address: tuple[Any, ...]) -> StoreSocket:
        raw.setblocking(False)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        await asyncio.get_running_loop().sock_connect(raw, address)
        if self._tls is None:
            return StoreSocket(raw)
        encrypted = TlsSocket(raw, self._tls, self._host)
        await encrypted.shake_hands()
        return encrypted

    def keep(self, used: StoreSocket) -> None:
        """Takes back a connection whose last answer was read to its end."""
        used.idle_since = time.monotonic()
        with self._lock:
            # The ones that nobody has needed for long are the first.
            while self._idle and used.idle_since - self._idle[0].idle_since >= _IDLE_SECONDS:
                self._idle.popleft().close()
            if not self._is_closed and len(self._idle) < self._most_idle:
                self._idle.append(used)
                return
        used.close()

    def close(self) -> None:
        """Those in use are closed when they come back."""
        with self._lock:
            self._is_closed = True
            _close_all(self._idle)


def _close_all(idle: deque[StoreSocket]) -> None:
    while idle:
        idle.pop().close()
