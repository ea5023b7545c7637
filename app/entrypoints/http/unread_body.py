"""Answers to requests whose body was not read to its end: the rest is swallowed, so that the client sees the answer.

A server that closes a connection with bytes still arriving resets it, and the client loses the answer that said why.
"""

from __future__ import annotations

import asyncio
import contextlib

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Receive, Scope, Send

SWALLOW_SECONDS = 3.0


class UnreadBody:
    """Wraps both channels of one request; afterwards the connection is closed if some of the body was left."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._is_unread = self._is_waiting = False
        for name, value in scope["headers"]:
            if name == b"transfer-encoding" or (name == b"content-length" and value != b"0"):
                self._is_unread = True
            # Such a client sends nothing once it was refused.
            elif name == b"expect" and value.lower() == b"100-continue":
                self._is_waiting = True

    async def receive(self) -> Message:
        """The next message of the request."""
        message = await self._receive()
        self._is_waiting = False
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            self._is_unread = False
        return message

    async def send(self, message: Message) -> None:
        """Sends the answer; before its end, what is left of the body is swallowed for a few seconds at most."""
        if not self._is_unread:
            await self._send(message)
            return
        if message["type"] == "http.response.start":
            message.setdefault("headers", [])
            MutableHeaders(scope=message)["Connection"] = "close"
            await self._send(message)
        elif message.get("more_body", False):
            await self._send(message)
        else:
            await self._send({**message, "more_body": True})
            await self._swallow()
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _swallow(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0 if self._is_waiting else SWALLOW_SECONDS):
                while self._is_unread:
                    await self.receive()
