"""Answers to requests whose body was not read to its end: the rest is swallowed, so that the client sees the answer.

A server that closes a connection with bytes still arriving resets it, and the client loses the answer that said why.
"""

from __future__ import annotations

import asyncio
import contextlib

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Message, Receive, Scope, Send

SWALLOW_SECONDS = 3.0


class UnreadBody:
    """Wraps both channels of one request; afterwards the connection is closed if some of the body was left."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        self._receive, self._send = receive, send
        self._is_unread = "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
        # Such a client sends nothing once it was refused.
        self._is_waiting = headers.get("expect", "").lower() == "100-continue"

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
