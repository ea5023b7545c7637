"""Answers as they arrive from the store: a head, then a body of known length or a refusal."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from app.core.exceptions import S3ConnectionFailed
from app.services.s3_answers import (
    MAX_HEAD_BYTES,
    MAX_REFUSAL_BYTES,
    AnswerHead,
    NotPlain,
    join_chunks,
    parse_head,
    refusal_cause,
)
from app.services.s3_sockets import StoreSocket

# Under the size from which malloc asks the system for each piece of memory.
_HEAD_READ_BYTES = 96 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer whose head has arrived, and the bytes that came with it."""

    socket: StoreSocket
    head: AnswerHead
    rest: bytes


async def read_head(socket: StoreSocket) -> Answer:
    """Raises: NotPlain; OSError."""
    received = b""
    while True:
        piece = await socket.receive(_HEAD_READ_BYTES)
        received += piece
        end = received.find(b"\r\n\r\n", 0, MAX_HEAD_BYTES)
        if end >= 0:
            return Answer(socket, parse_head(received[:end]), received[end + 4 :])
        if not piece or len(received) > MAX_HEAD_BYTES:
            raise NotPlain


async def read_absence(answer: Answer) -> dict[str, str]:
    """The store's words that there is no such key. Raises: NotPlain: it says something else."""
    cause = refusal_cause(answer.head, await _read_refusal(answer))
    if cause["s3_code"] != "NoSuchKey":
        raise NotPlain
    return cause


async def _read_refusal(answer: Answer) -> bytes:
    body = answer.rest
    length = None if answer.head.is_chunked else answer.head.content_length()
    while len(body) <= MAX_REFUSAL_BYTES:
        if length is None and (joined := join_chunks(body)) is not None:
            return joined
        if length is not None and len(body) >= length:
            if len(body) > length:
                raise NotPlain
            return body
        piece = await answer.socket.receive(MAX_REFUSAL_BYTES)
        if not piece:
            raise NotPlain
        body += piece
    raise NotPlain


async def read_chunk(socket: StoreSocket, rest: bytes, most_bytes: int, seconds: float) -> bytes:
    """`rest` and what follows it, `most_bytes` in all."""
    parts, missing_bytes = [rest], most_bytes - len(rest)
    try:
        async with asyncio.timeout(seconds):
            while missing_bytes > 0:
                piece = await socket.receive(missing_bytes)
                if not piece:
                    raise ConnectionError("the store ended the body early")
                parts.append(piece)
                missing_bytes -= len(piece)
    except OSError as error:
        raise S3ConnectionFailed(cause={"operation": "GetObject", "exception": type(error).__name__}) from error
    return b"".join(parts)
