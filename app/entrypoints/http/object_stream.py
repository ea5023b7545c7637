"""The answer that sends a stored object as it comes from the store, whole or broken off, never filled up."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.services.protocols import ByteRange, ObjectStream


async def object_stream(
    stream: ObjectStream, headers: Mapping[str, str], byte_range: ByteRange | None = None
) -> Response:
    """The object, or the range of it that the stream holds; the stream is closed with the answer.

    Raises:
        S3ConnectionFailed: its beginning did not arrive, or a small object did not arrive whole; nothing was sent.
    """
    if byte_range is None:
        length, status_code, part = stream.object.size, 200, {}
    else:
        length, status_code = byte_range.length, 206
        part = {"Content-Range": f"bytes {byte_range.first}-{byte_range.last}/{stream.object.size}"}
    answer = _ObjectStreamResponse(stream, status_code, {**headers, **part, "Content-Length": str(length)})
    await answer.begin()
    return answer


class _ObjectStreamResponse(Response):
    def __init__(self, stream: ObjectStream, status_code: int, headers: Mapping[str, str]) -> None:
        self._chunks = stream.chunks
        self._begun: list[bytes] = []
        self.status_code = status_code
        self.background = None
        self.body = b""
        self.init_headers(headers)

    async def begin(self) -> None:
        """Reads one chunk ahead of what is sent, so that the end of a small object is seen before its answer begins."""
        try:
            while len(self._begun) < 2 and (chunk := await anext(self._chunks, None)) is not None:
                self._begun.append(chunk)
        except BaseException:
            await self._chunks.aclose()
            raise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - as ASGI has it
        """Sends it; an error of the store in the middle breaks the connection, so that nobody takes a part for all."""
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            *ready, last = self._begun or [b""]
            for chunk in ready:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            async for chunk in self._chunks:
                await send({"type": "http.response.body", "body": last, "more_body": True})
                last = chunk
            await send({"type": "http.response.body", "body": last, "more_body": False})
        finally:
            await self._chunks.aclose()
