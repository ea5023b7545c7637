"""A store that is frozen, and one that has stopped."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal

from app.core.exceptions import S3ConnectionFailed, S3Unavailable
from app.services.embedded_s3 import EmbeddedConnection, EmbeddedS3
from app.services.s3_connection import make_client
from app.services.s3_service import S3Service
from tests.conftest import Eventually, connection_to, measuring_lag
from tests.services.faults.impatience import (
    BODY,
    assert_all_failed,
    assert_ran_on,
    call_everything,
    ends_in_time,
    impatient,
    new_object,
    read,
    write_once,
)


async def test_frozen_store(frozen: tuple[S3Service, int], eventually: Eventually) -> None:
    """A store that hangs fails every call in time while the event loop runs on; it works again once it is back."""
    store, pid = frozen
    async with measuring_lag() as delays:
        with ends_in_time():
            # Far more than there are threads: those who wait for one wait no longer.
            crowd = asyncio.gather(*(store.head(f"users/{n}/a.jpg") for n in range(64)), return_exceptions=True)
            outcomes = [*await call_everything(store), *await crowd]
    assert_all_failed(outcomes)
    assert_ran_on(delays)

    os.kill(pid, signal.SIGCONT)

    async def works_again() -> bool:
        with contextlib.suppress(S3ConnectionFailed):
            await store.check_bucket()
            return True
        return False

    await eventually(works_again)
    await store.create(new_object("users/1/after.jpg"))
    assert await read(store, "users/1/after.jpg") == BODY


async def test_stopped_store(own_store: tuple[EmbeddedS3, EmbeddedConnection], eventually: Eventually) -> None:
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

    async def works_again() -> bool:
        # SeaweedFS answers before its filer knows all volumes: until then it says that it is busy.
        with contextlib.suppress(S3Unavailable):
            assert await read(store) == BODY
            return True
        return False

    await eventually(works_again)
    store.close()
