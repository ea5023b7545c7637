"""Messages between the service and a worker: a JSON object and the bytes that go with it, over a stream socket."""

from __future__ import annotations

import io
import json
import os
import select
import socket
import struct
import time
from dataclasses import dataclass
from typing import Any

# Sizes of the object and of the bytes behind it.
_SIZES = struct.Struct(">II")
# What the fork server is told: fork a worker. And what it tells of one: wait status, most memory held, in bytes.
HIRE = b"h"
WORKER_EXIT = struct.Struct(">iQ")
MAX_OBJECT_BYTES = 64 * 1024
_SOCKET_BUFFER_BYTES = 1024 * 1024

Message = dict[str, Any]


class ChannelClosed(Exception):
    """The other end has gone."""


class ChannelGarbage(Exception):
    """What came is no message."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """A message whose bytes, `size` of them, are still to be received."""

    content: Message
    size: int


def pack(content: Message, size: int = 0) -> bytes:
    """What stands on the wire before `size` bytes."""
    packed = json.dumps(content, separators=(",", ":")).encode()
    return _SIZES.pack(len(packed), size) + packed


class Channel:
    """The service's end. Nothing that the other end does takes it longer than `deadline`, in `time.monotonic()`."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        widen(connection)

    def send(self, content: Message, body: bytes = b"", *, deadline: float) -> None:
        """Sends a whole message.

        Raises:
            ChannelClosed: the other end has gone.
            TimeoutError: it did not take it in time.
        """
        try:
            for part in (pack(content, len(body)), body):
                self._set_patience(deadline)
                self._connection.sendall(part)
        except TimeoutError:
            raise
        except OSError as error:
            raise ChannelClosed from error

    def announced(self, *, deadline: float) -> Announcement:
        """The next message, without its bytes: look at their number, then `receive` them.

        Raises:
            ChannelClosed, TimeoutError: it did not come.
            ChannelGarbage: what came is no message.
        """
        length, size = _SIZES.unpack(self.receive(_SIZES.size, deadline=deadline))
        if length > MAX_OBJECT_BYTES:
            raise ChannelGarbage
        try:
            content = json.loads(self.receive(length, deadline=deadline))
        except (ValueError, RecursionError) as error:
            raise ChannelGarbage from error
        if not isinstance(content, dict):
            raise ChannelGarbage
        return Announcement(content, size)

    def receive(self, size: int, *, deadline: float) -> bytes:
        """The next `size` bytes.

        Raises:
            ChannelClosed, TimeoutError: they did not come.
        """
        received = bytearray(size)
        rest = memoryview(received)
        try:
            while rest:
                self._set_patience(deadline)
                count = self._connection.recv_into(rest)
                if not count:
                    raise ChannelClosed
                rest = rest[count:]
        except TimeoutError:
            raise
        except OSError as error:
            raise ChannelClosed from error
        return bytes(received)

    def close(self) -> None:
        """Ends the conversation."""
        self._connection.close()

    def _set_patience(self, deadline: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)


class WorkerEnd:
    """The worker's end: it waits for ever, and once made it calls nothing but read, write and select."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._reader = io.BufferedReader(io.FileIO(descriptor, closefd=False))

    def is_quiet(self, seconds: float) -> bool:
        """Whether nothing comes for that long."""
        return not select.select([self._descriptor], [], [], seconds)[0]

    def receive(self) -> tuple[Message, bytes] | None:
        """The next message, or None when the service has gone."""
        try:
            length, size = _SIZES.unpack(self._read(_SIZES.size))
            return json.loads(self._read(length)), self._read(size)
        except (EOFError, ConnectionError):
            return None

    def send(self, content: Message, body: bytes = b"") -> None:
        """Sends a whole message."""
        for part in (pack(content, len(body)), body):
            rest = memoryview(part)
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]

    def _read(self, size: int) -> bytes:
        received = self._reader.read(size)
        if len(received) < size:
            raise EOFError
        return received


def widen(connection: socket.socket) -> None:
    """As large a buffer as the system allows: fewer turns for a picture to cross."""
    for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        connection.setsockopt(socket.SOL_SOCKET, option, _SOCKET_BUFFER_BYTES)
