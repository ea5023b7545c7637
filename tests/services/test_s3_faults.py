"""A network and a store that fail in every way: each call ends in time, with our error, and nothing half-written."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from app.core.config import ChecksumMode
from app.core.exceptions import ErrorCode, S3ConnectionFailed, S3Error, S3Unavailable, S3UploadFailed
from app.services.embedded_s3 import EmbeddedConnection, EmbeddedS3
from app.services.protocols import NewObject, ObjectStore
from app.services.s3_connection import S3Connection, make_client
from app.services.s3_service import S3Service
from tests.conftest import BucketFactory, Eventually, connection_to, measuring_lag
from tests.fault_proxy import (
    Answer,
    CutAnswer,
    DropAnswer,
    FaultProxy,
    FlipAnswerByte,
    FlipRequestByte,
    ResetRequest,
    Stall,
    StallAnswer,
    TrickleAnswer,
    WithholdAnswer,
    refused_url,
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


@contextlib.contextmanager
def ends_in_time(seconds: float = TOTAL_SECONDS) -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < seconds + GRACE_SECONDS


def impatient(connection: S3Connection, endpoint_url: str, **changes: Any) -> S3Connection:
    """The same bucket behind another address, with short time-outs."""
    values = {"connect_timeout_seconds": 0.5, "read_timeout_seconds": 0.5, "total_timeout_seconds": TOTAL_SECONDS}
    return replace(connection, endpoint_url=endpoint_url, **(values | changes))


@pytest.fixture
def proxy(embedded: EmbeddedConnection) -> Iterator[FaultProxy]:
    with FaultProxy(embedded.endpoint_url) as proxy:
        yield proxy


def write_once(connection: S3Connection) -> None:
    """The first write to a bucket takes SeaweedFS a third of a second: longer than these tests want to wait."""
    with contextlib.closing(make_client(connection)) as client:
        client.put_object(Bucket=connection.bucket, Key="first", Body=b"")
        client.delete_object(Bucket=connection.bucket, Key="first")


@pytest.fixture
def bucket(make_bucket: BucketFactory) -> S3Connection:
    connection = make_bucket()
    write_once(connection)
    return connection


@pytest.fixture
def direct(bucket: S3Connection) -> Iterator[S3Service]:
    """The store as it is, to see what really happened."""
    store = S3Service(lambda: bucket)
    yield store
    store.close()


@pytest.fixture
def store(bucket: S3Connection, proxy: FaultProxy) -> Iterator[S3Service]:
    """The store behind the proxy, with short time-outs."""
    connection = impatient(bucket, proxy.endpoint_url)
    store = S3Service(lambda: connection)
    yield store
    store.close()


async def call_everything(store: S3Service) -> list[object]:
    """The outcomes of all kinds of calls, made at the same time."""
    return await asyncio.gather(*(call(store) for call in EVERY_CALL), return_exceptions=True)


def assert_all_failed(outcomes: Sequence[object]) -> None:
    for outcome in outcomes:
        assert isinstance(outcome, S3ConnectionFailed), outcome
        assert (outcome.code, outcome.retryable) == (ErrorCode.S3_CONNECTION_FAILED, True)


async def test_refused(bucket: S3Connection) -> None:
    """Nobody listens: every call says so in time, and may be repeated."""
    connection = impatient(bucket, refused_url())
    store = S3Service(lambda: connection)
    with ends_in_time():
        assert_all_failed(await call_everything(store))
    store.close()


async def test_stalled(store: S3Service, proxy: FaultProxy) -> None:
    """The store takes requests and never answers: every call ends with the total time-out, the event loop runs on."""
    await store.check_bucket()
    proxy.spoil_all(Stall())
    async with measuring_lag() as delays:
        with ends_in_time():
            assert_all_failed(await call_everything(store))
    assert max(delays) < MOST_LAG_SECONDS


async def test_reset_in_the_middle_of_the_upload(store: S3Service, direct: S3Service, proxy: FaultProxy) -> None:
    """A connection that breaks while the picture is sent is tried again, and the picture is stored once."""
    proxy.spoil("PUT", ResetRequest(after_bytes=200_000))
    with ends_in_time():
        await store.create(new_object())
    assert await read(direct) == BODY
    assert proxy.methods == ["PUT", "PUT"]


async def test_reset_every_time(store: S3Service, direct: S3Service, proxy: FaultProxy) -> None:
    """A connection that always breaks while the picture is sent leaves nothing of it in the store."""
    proxy.spoil("PUT", *[ResetRequest(after_bytes=200_000)] * 9)
    with ends_in_time(), pytest.raises(S3ConnectionFailed):
        await store.create(new_object())
    assert await direct.list("") == []


async def test_busy_for_a_moment(store: S3Service, direct: S3Service, proxy: FaultProxy) -> None:
    """A store that answers 503 once is asked again, and nobody notices."""
    for method in ("PUT", "HEAD", "GET"):
        proxy.spoil(method, SLOW_DOWN)
    await store.create(new_object())
    assert await store.head(KEY) is not None
    assert await read(store) == BODY
    assert await read(direct) == BODY


async def test_busy_for_long(bucket: S3Connection, proxy: FaultProxy, direct: S3Service) -> None:
    """A store that stays busy is reported as busy, which may be repeated, and nothing was stored."""
    connection = impatient(bucket, proxy.endpoint_url, max_attempts=2)
    store = S3Service(lambda: connection)
    proxy.spoil("PUT", SLOW_DOWN, SLOW_DOWN)
    with pytest.raises(S3Unavailable) as caught:
        await store.create(new_object())
    assert caught.value.retryable
    assert caught.value.cause["s3_code"] == "SlowDown"
    assert caught.value.cause["operation"] == "PutObject"
    assert await direct.list("") == []
    store.close()


async def test_lost_answer(store: S3Service, direct: S3Service, proxy: FaultProxy) -> None:
    """The picture was stored and the answer lost: the repeated write meets its own picture and counts as success."""
    proxy.spoil("PUT", DropAnswer())
    with ends_in_time():
        etag = await store.create(new_object())
    assert proxy.methods == ["PUT", "PUT", "HEAD"]
    assert [(listed.key, listed.etag) for listed in await direct.list("")] == [(KEY, etag)]
    assert await read(direct) == BODY


async def test_every_answer_to_the_write_is_lost(store: S3Service, direct: S3Service, proxy: FaultProxy) -> None:
    """All attempts lose their answer: a look into the bucket tells that the picture is there."""
    proxy.spoil("PUT", *[DropAnswer()] * 3)
    await store.create(new_object())
    assert await read(direct) == BODY


async def test_answer_that_comes_too_late(
    bucket: S3Connection, proxy: FaultProxy, direct: S3Service, eventually: Eventually
) -> None:
    """The caller was told of a failure because the answer never came, so the picture does not stay."""
    connection = impatient(bucket, proxy.endpoint_url, read_timeout_seconds=1.0)
    store = S3Service(lambda: connection)
    proxy.spoil("PUT", *[WithholdAnswer()] * 3)
    with ends_in_time(), pytest.raises(S3ConnectionFailed):
        await store.create(new_object())

    async def nothing_is_left() -> bool:
        return await direct.list("") == []

    assert not await nothing_is_left()
    await eventually(nothing_is_left)
    store.close()


async def test_caller_that_leaves_before_the_answer(
    store: S3Service, proxy: FaultProxy, direct: S3Service, eventually: Eventually
) -> None:
    """A caller that is cancelled after the picture arrived in the store leaves none behind, also at shut-down."""
    proxy.spoil("PUT", WithholdAnswer())
    task = asyncio.create_task(store.create(new_object()))

    async def has_arrived() -> bool:
        return await direct.head(KEY) is not None

    await eventually(has_arrived)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.to_thread(store.close)
    assert not await has_arrived()


@pytest.mark.parametrize("mode", [ChecksumMode.WHEN_SUPPORTED, ChecksumMode.WHEN_REQUIRED])
async def test_upload_damaged_on_its_way(
    bucket: S3Connection, proxy: FaultProxy, direct: S3Service, mode: ChecksumMode
) -> None:
    """A picture that arrives with one bit changed is refused by the store, and nothing of it is kept."""
    connection = impatient(bucket, proxy.endpoint_url, checksum_mode=mode)
    store = S3Service(lambda: connection)
    proxy.spoil("PUT", *[FlipRequestByte(500_000)] * 3)
    with ends_in_time(), pytest.raises(S3UploadFailed) as caught:
        await store.create(new_object())
    assert caught.value.code == ErrorCode.S3_UPLOAD_FAILED
    assert caught.value.cause["s3_code"] in {"BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch"}
    assert await direct.list("") == []
    store.close()


async def test_download_cut_short(store: S3Service, proxy: FaultProxy, direct: S3Service) -> None:
    """A download that ends early is an error that may be repeated, never a shorter picture."""
    await direct.create(new_object())
    for after_bytes in (0, 300_000, len(BODY) - 1):
        proxy.spoil("GET", CutAnswer(after_bytes))
        with ends_in_time(), pytest.raises(S3ConnectionFailed) as caught:
            await read(store)
        assert caught.value.retryable
    assert await read(store) == BODY


async def test_download_damaged_on_its_way(bucket: S3Connection, proxy: FaultProxy) -> None:
    """A download with one bit changed is an error where the store keeps checksums, also in the streaming form."""
    connection = impatient(bucket, proxy.endpoint_url, checksum_mode=ChecksumMode.WHEN_SUPPORTED)
    store = S3Service(lambda: connection)
    await store.create(new_object())
    proxy.spoil("GET", FlipAnswerByte(700_000))
    with pytest.raises(S3ConnectionFailed):
        await read(store)
    store.close()


@pytest.mark.parametrize("read_timeout_seconds", [0.5, 2.0])
async def test_download_that_stalls(
    bucket: S3Connection, proxy: FaultProxy, direct: S3Service, read_timeout_seconds: float
) -> None:
    """A download that stops in the middle ends in time, and the event loop runs on while its thread still hangs."""
    await direct.create(new_object())
    connection = impatient(
        bucket, proxy.endpoint_url, read_timeout_seconds=read_timeout_seconds, total_timeout_seconds=1.0
    )
    store = S3Service(lambda: connection)
    await store.check_bucket()
    proxy.spoil("GET", StallAnswer(300_000))
    async with measuring_lag() as delays:
        with ends_in_time(1.0), pytest.raises(S3ConnectionFailed):
            await read(store)
    assert max(delays) < MOST_LAG_SECONDS
    assert await read(store) == BODY
    await asyncio.to_thread(store.close)


async def test_download_that_trickles(bucket: S3Connection, proxy: FaultProxy, direct: S3Service) -> None:
    """A download that never pauses for long, but takes too long in all, is over after the total time."""
    await direct.create(new_object())
    connection = impatient(bucket, proxy.endpoint_url, total_timeout_seconds=1.0)
    store = S3Service(lambda: connection)
    await store.check_bucket()
    proxy.spoil("GET", TrickleAnswer(piece_bytes=50_000, pause_seconds=0.1))
    with ends_in_time(1.0), pytest.raises(S3ConnectionFailed):
        await read(store)
    await asyncio.to_thread(store.close)


async def test_slow_reader_is_not_hurried(bucket: S3Connection) -> None:
    """The total time-out counts the store's time, not that of a client who fetches slowly."""
    connection = replace(bucket, total_timeout_seconds=0.8)
    store = S3Service(lambda: connection)
    await store.create(new_object())
    stream = await store.get(KEY)
    received = b""
    async for chunk in stream.chunks:
        received += chunk
        await asyncio.sleep(0.3)
    assert received == BODY
    store.close()


async def test_answer_of_something_else(store: S3Service, proxy: FaultProxy) -> None:
    """An endpoint that is a web site and no store answers everything with a page: each call fails with our error."""
    page = Answer(200, b"<html><body>Welcome</body></html>", {"Content-Type": "text/html"})
    for method in ("GET", "HEAD", "PUT"):
        proxy.spoil(method, *[page] * 9)
    calls = (store.list("users/"), store.head(KEY), store.create(new_object()), store.get(KEY))
    for outcome in await asyncio.gather(*calls, return_exceptions=True):
        assert isinstance(outcome, S3Error), outcome


@pytest.fixture(scope="module")
def own_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EmbeddedS3, EmbeddedConnection]]:
    """A SeaweedFS of these tests, to be frozen and stopped."""
    server = EmbeddedS3(tmp_path_factory.mktemp("own-s3"))
    yield server, server.start()
    server.stop()


@pytest.fixture
async def frozen(own_store: tuple[EmbeddedS3, EmbeddedConnection]) -> AsyncIterator[tuple[S3Service, int]]:
    server, reached = own_store
    connection = impatient(connection_to(reached, "frozen"), reached.endpoint_url)
    with contextlib.closing(make_client(connection)) as client, contextlib.suppress(client.exceptions.ClientError):
        client.create_bucket(Bucket="frozen")
        write_once(connection_to(reached, "frozen"))
    store = S3Service(lambda: connection)
    if await store.head(KEY) is None:
        await store.create(new_object())
    pid = server.running_pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    yield store, pid
    os.kill(pid, signal.SIGCONT)
    store.close()


async def test_frozen_store(frozen: tuple[S3Service, int], eventually: Eventually) -> None:
    """A store that hangs fails every call in time while the event loop runs on; it works again once it is back."""
    store, pid = frozen
    async with measuring_lag() as delays:
        with ends_in_time():
            # Far more than there are threads: those who wait for one wait no longer.
            crowd = asyncio.gather(*(store.head(f"users/{n}/a.jpg") for n in range(64)), return_exceptions=True)
            outcomes = [*await call_everything(store), *await crowd]
    assert_all_failed(outcomes)
    assert max(delays) < MOST_LAG_SECONDS

    os.kill(pid, signal.SIGCONT)

    async def works_again() -> bool:
        with contextlib.suppress(S3ConnectionFailed):
            await store.check_bucket()
            return True
        return False

    await eventually(works_again)
    await store.create(new_object("users/1/after.jpg"))
    assert await read(store, "users/1/after.jpg") == BODY


async def test_stopped_store(own_store: tuple[EmbeddedS3, EmbeddedConnection]) -> None:
    """A store that was stopped cannot be reached, and every call says so in time; started again it serves again."""
    server, reached = own_store
    connection = impatient(connection_to(reached, "stopped"), reached.endpoint_url)
    with contextlib.closing(make_client(connection_to(reached, "stopped"))) as client:
        client.create_bucket(Bucket="stopped")
    write_once(connection_to(reached, "stopped"))
    store = S3Service(lambda: connection)
    await store.create(new_object())
    await asyncio.to_thread(server.stop)

    with ends_in_time():
        outcomes = await call_everything(store)
    assert_all_failed(outcomes)

    await asyncio.to_thread(server.start)
    assert await read(store) == BODY
    store.close()
