"""Object operations on S3, behind the `ObjectStore` protocol: quick reads, and boto3 in a bounded thread pool."""

from __future__ import annotations

import asyncio
import os
import secrets
import threading
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

from botocore.response import StreamingBody

from app.core.exceptions import (
    S3ConnectionFailed,
    S3DeleteFailed,
    S3DownloadFailed,
    S3Error,
    S3ListFailed,
    S3UploadFailed,
)
from app.services.bounded_calls import CallsClosed
from app.services.protocols import MAX_LIST_KEYS, ByteRange, ListedObject, NewObject, ObjectStream, StoredObject
from app.services.s3_connection import S3Connection
from app.services.s3_errors import translating
from app.services.s3_quick_get import AskBoto
from app.services.s3_session import S3Session

Result = TypeVar("Result")

READ_CHUNK_BYTES = 256 * 1024


class S3Service:
    """Implements `ObjectStore` on one bucket: one client per process, made at the first use; thread- and task-safe.

    `connect` is asked once per process; it may start the embedded store.
    """

    def __init__(self, connect: Callable[[], S3Connection]) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._session: S3Session | None = None

    async def create(self, new: NewObject) -> str:
        """See `ObjectStore.create`."""
        write_id = secrets.token_hex(16)

        def write(session: S3Session) -> str:
            return session.create(new, write_id)

        def undo(session: S3Session) -> None:
            session.delete_own(new.key, write_id)

        return await self._run("PutObject", write, failure=S3UploadFailed, undo=undo)

    async def head(self, key: str) -> StoredObject | None:
        """See `ObjectStore.head`."""
        started = time.monotonic()
        session = await self._get_session()
        if session.quick_reads:
            with suppress(AskBoto):
                return await session.quick_reads.head(key)
        return await _run_in(
            session,
            "HeadObject",
            lambda session: session.head(key),
            failure=S3DownloadFailed,
            seconds=_remaining(session, started),
        )

    async def get(self, key: str, byte_range: ByteRange | None = None) -> ObjectStream:
        """See `ObjectStore.get`. The store's time for the whole object, not the reader's, counts towards the total."""
        started = time.monotonic()
        session = await self._get_session()
        if session.quick_reads:
            with suppress(AskBoto):
                return await session.quick_reads.get(key, byte_range)
        return await self._get_by_boto(session, key, byte_range, started)

    async def _get_by_boto(
        self, session: S3Session, key: str, byte_range: ByteRange | None, started: float
    ) -> ObjectStream:
        opened: list[StreamingBody] = []

        def read_head(session: S3Session) -> tuple[StoredObject, int]:
            stored, body, length = session.open(key, byte_range)
            opened.append(body)
            return stored, length

        def undo(_: S3Session) -> None:
            opened[0].close()

        stored, length = await _run_in(
            session,
            "GetObject",
            read_head,
            failure=S3DownloadFailed,
            undo=undo,
            seconds=_remaining(session, started),
        )
        chunks = _chunks(session, opened[0], length, _remaining(session, started))
        # A generator that was never begun would not free the connection when it is closed.
        await anext(chunks)
        return ObjectStream(stored, chunks)

    async def delete(self, key: str) -> None:
        """See `ObjectStore.delete`."""
        await self._run("DeleteObject", lambda session: session.delete(key), failure=S3DeleteFailed)

    async def list(self, prefix: str, *, start_after: str = "", limit: int = MAX_LIST_KEYS) -> list[ListedObject]:
        """See `ObjectStore.list`."""
        return await self._run(
            "ListObjectsV2", lambda session: session.list(prefix, start_after, limit), failure=S3ListFailed
        )

    async def check_bucket(self) -> None:
        """See `ObjectStore.check_bucket`. Asked by a listing of one key: unlike HeadBucket its refusals have a body."""
        await self.list("", limit=1)

    def close(self) -> None:
        """Frees threads and connections, after the calls under way; the next call opens new ones."""
        with self._lock:
            session, self._session = self._session, None
        if session and session.process_id == os.getpid():
            session.close()

    async def _run(
        self,
        operation: str,
        function: Callable[[S3Session], Result],
        *,
        failure: type[S3Error],
        undo: Callable[[S3Session], object] | None = None,
    ) -> Result:
        session = await self._get_session()
        return await _run_in(session, operation, function, failure=failure, undo=undo)

    async def _get_session(self) -> S3Session:
        # Making the session may start a store: not on the event loop.
        session = self._ready_session()
        return session if session else await asyncio.to_thread(self._open_session)

    def _ready_session(self) -> S3Session | None:
        session = self._session
        return session if session and session.process_id == os.getpid() else None

    def _open_session(self) -> S3Session:
        with self._lock:
            session = self._ready_session()
            if session is None:
                session = self._session = S3Session(self._connect)
            return session


def _remaining(session: S3Session, started: float) -> float:
    return max(0.0, session.connection.total_timeout_seconds - (time.monotonic() - started))


async def _run_in(
    session: S3Session,
    operation: str,
    function: Callable[[S3Session], Result],
    *,
    failure: type[S3Error],
    undo: Callable[[S3Session], object] | None = None,
    seconds: float | None = None,
) -> Result:
    def attempt() -> Result:
        with translating(operation, failure=failure):
            return function(session)

    try:
        return await session.calls.run(attempt, undo=partial(undo, session) if undo else None, seconds=seconds)
    except TimeoutError as error:
        raise S3ConnectionFailed(cause={"operation": operation, "exception": "total time-out"}) from error
    except CallsClosed as error:
        raise S3ConnectionFailed(cause={"operation": operation, "exception": "closed meanwhile"}) from error


async def _chunks(
    session: S3Session, body: StreamingBody, length: int, remaining_seconds: float
) -> AsyncGenerator[bytes, None]:
    """First an empty chunk, then the body; every wait for the store shortens the time that remains for the others."""
    missing_bytes = length
    try:
        yield b""
        while True:
            started = time.monotonic()
            chunk = await _run_in(
                session,
                "GetObject",
                lambda _: body.read(READ_CHUNK_BYTES),
                failure=S3DownloadFailed,
                seconds=max(0.0, remaining_seconds),
            )
            remaining_seconds -= time.monotonic() - started
            # The empty read at the end is the one that compares the checksum.
            if not chunk:
                break
            missing_bytes -= len(chunk)
            yield chunk
        if missing_bytes:
            raise S3ConnectionFailed(cause={"operation": "GetObject", "missing_bytes": str(missing_bytes)})
    finally:
        # Closing waits for a read that was given up and still hangs: not on the event loop.
        session.calls.run_unattended(body.close)
