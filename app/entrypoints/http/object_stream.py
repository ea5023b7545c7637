"""The answer that sends a stored object as it comes from the store, whole or broken off, never filled up."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.services.protocols import ByteRange, ObjectStream


def object_stream(stream: ObjectStream, headers: Mapping[str, str], byte_range: ByteRange | None = None) -> Response:
    """The object, or the range of it that the stream holds; the stream is closed with the answer."""
    if byte_range is None:
        return _ObjectStreamResponse(stream, 200, dict(headers) | {"Content-Length": str(stream.object.size)})
    part = f"bytes {byte_range.first}-{byte_range.last}/{stream.object.size}"
    length = str(byte_range.length)
    return _ObjectStreamResponse(stream, 206, dict(headers) | {"Content-Length": length, "Content-Range": part})


class _ObjectStreamResponse(Response):
    def __init__(self, stream: ObjectStream, status_code: int, headers: Mapping[str, str]) -> None:
        self._stream = stream
        self.status_code = status_code
        self.background = None
        self.body = b""
        self.init_headers(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - as ASGI has it
        """Sends it; an error of the store in the middle breaks the connection, so that nobody takes a part for all."""
        async with aclosing(self._stream.chunks) as chunks:
            # One behind: the last chunk goes out when the store's end has been seen, and a small object in one piece.
            ready = await anext(chunks, b"")
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            async for chunk in chunks:
                if ready:
                    await send({"type": "http.response.body", "body": ready, "more_body": True})
                ready = chunk
            await send({"type": "http.response.body", "body": ready, "more_body": False})
