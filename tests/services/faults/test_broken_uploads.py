"""Connections that break while something is written or asked."""

from __future__ import annotations

import asyncio

import pytest

from app.core.config import ChecksumMode
from app.core.exceptions import ErrorCode, S3ConnectionFailed, S3Error, S3Unavailable, S3UploadFailed
from app.services.s3_connection import S3Connection
from app.services.s3_service import S3Service
from tests.conftest import Eventually, measuring_lag
from tests.fault_proxy import (
    Answer,
    DropAnswer,
    FaultProxy,
    FlipRequestByte,
    ResetRequest,
    Stall,
    WithholdAnswer,
    refused_url,
)
from tests.services.faults.impatience import (
    BODY,
    KEY,
    SLOW_DOWN,
    assert_all_failed,
    assert_ran_on,
    call_everything,
    ends_in_time,
    impatient,
    new_object,
    read,
)


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
    assert_ran_on(delays)


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


async def test_answer_of_something_else(store: S3Service, proxy: FaultProxy) -> None:
    """An endpoint that is a web site and no store answers everything with a page: each call fails with our error."""
    page = Answer(200, b"<html><body>Welcome</body></html>", {"Content-Type": "text/html"})
    for method in ("GET", "HEAD", "PUT"):
        proxy.spoil(method, *[page] * 9)
    calls = (store.list("users/"), store.head(KEY), store.create(new_object()), store.get(KEY))
    for outcome in await asyncio.gather(*calls, return_exceptions=True):
        assert isinstance(outcome, S3Error), outcome
