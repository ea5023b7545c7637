"""Connections that break while something is read."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from app.core.config import ChecksumMode
from app.core.exceptions import S3ConnectionFailed
from app.services.s3_connection import S3Connection
from app.services.s3_service import S3Service
from tests.conftest import measuring_lag
from tests.fault_proxy import (
    CutAnswer,
    FaultProxy,
    FlipAnswerByte,
    StallAnswer,
    TrickleAnswer,
)
from tests.services.faults.impatience import (
    BODY,
    KEY,
    assert_ran_on,
    ends_in_time,
    impatient,
    new_object,
    read,
)


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
    assert_ran_on(delays)
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
