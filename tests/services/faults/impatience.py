"""Stores with little patience, and what is asked of them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from app.core.exceptions import ErrorCode, S3ConnectionFailed
from app.services.protocols import NewObject, ObjectStore
from app.services.s3_connection import S3Connection, make_client
from app.services.s3_service import S3Service
from tests.fault_proxy import (
    Answer,
)

TOTAL_SECONDS = 1.5


# What a loaded machine may add.
GRACE_SECONDS = 1.0


MOST_LAG_SECONDS = 0.3


KEY = "users/1/a.jpg"


BODY = bytes(range(256)) * 4000


SLOW_DOWN = Answer(
    503,
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.'
    b"</Message><RequestId>RECORDED</RequestId></Error>",
    {"Content-Type": "application/xml"},
)


EVERY_CALL: list[Callable[[ObjectStore], Awaitable[object]]] = [
    lambda store: store.create(new_object("users/1/new.jpg")),
    lambda store: store.head(KEY),
    lambda store: store.get(KEY),
    lambda store: store.delete(KEY),
    lambda store: store.list("users/"),
    lambda store: store.check_bucket(),
]


def new_object(key: str = KEY, body: bytes = BODY) -> NewObject:
    return NewObject(key, body, "image/jpeg", "private, no-cache")


async def read(store: ObjectStore, key: str = KEY) -> bytes:
    stream = await store.get(key)
    async with contextlib.aclosing(stream.chunks):
        return b"".join([chunk async for chunk in stream.chunks])


def assert_ran_on(delays: list[float]) -> None:
    """The event loop was never held up by the store; a busy machine may hold up anything once."""
    assert sum(delay >= MOST_LAG_SECONDS for delay in delays) <= 1, sorted(delays)[-3:]


@contextlib.contextmanager
def ends_in_time(seconds: float = TOTAL_SECONDS) -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < seconds + GRACE_SECONDS


def impatient(connection: S3Connection, endpoint_url: str, **changes: Any) -> S3Connection:
    """The same bucket behind another address, with short time-outs."""
    values = {"connect_timeout_seconds": 0.5, "read_timeout_seconds": 0.5, "total_timeout_seconds": TOTAL_SECONDS}
    return replace(connection, endpoint_url=endpoint_url, **(values | changes))


def write_once(connection: S3Connection) -> None:
    """The first write to a bucket takes SeaweedFS a third of a second: longer than these tests want to wait."""
    with contextlib.closing(make_client(connection)) as client:
        client.put_object(Bucket=connection.bucket, Key="first", Body=b"")
        client.delete_object(Bucket=connection.bucket, Key="first")


async def call_everything(store: S3Service) -> list[object]:
    """The outcomes of all kinds of calls, made at the same time."""
    return await asyncio.gather(*(call(store) for call in EVERY_CALL), return_exceptions=True)


def assert_all_failed(outcomes: Sequence[object]) -> None:
    for outcome in outcomes:
        assert isinstance(outcome, S3ConnectionFailed), outcome
        assert (outcome.code, outcome.retryable) == (ErrorCode.S3_CONNECTION_FAILED, True)
