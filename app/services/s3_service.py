"""Object operations on S3, behind the `ObjectStore` protocol: boto3 in a bounded thread pool."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import secrets
import threading
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import ClientError
from botocore.response import StreamingBody

from app.core.exceptions import (
    S3BucketNotFound,
    S3ConnectionFailed,
    S3DeleteFailed,
    S3DownloadFailed,
    S3Error,
    S3ListFailed,
    S3Unavailable,
    S3UploadFailed,
)
from app.services.bounded_calls import BoundedCalls, current_deadline
from app.services.protocols import (
    MAX_LIST_KEYS,
    ByteRange,
    KeyTaken,
    ListedObject,
    NewObject,
    ObjectStream,
    StoredObject,
)
from app.services.s3_connection import S3Connection, make_client
from app.services.s3_errors import DeadlinePassed, translating

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Result = TypeVar("Result")

READ_CHUNK_BYTES = 256 * 1024
# Tells our own write from another one of the same bytes under the same key.
_WRITE_ID = "write-id"


class S3Service:
    """Implements `ObjectStore` on one bucket: one client per process, made at the first use; thread- and task-safe.

    `connect` is asked once per process; it may start the embedded store.
    """

    def __init__(self, connect: Callable[[], S3Connection]) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._session: _Session | None = None

    async def create(self, new: NewObject) -> str:
        """See `ObjectStore.create`."""
        write_id = secrets.token_hex(16)

        def write(session: _Session) -> str:
            return _create(session, new, write_id)

        def undo(session: _Session) -> None:
            _delete_own(session, new.key, write_id)

        return await self._run("PutObject", write, failure=S3UploadFailed, undo=undo)

    async def head(self, key: str) -> StoredObject | None:
        """See `ObjectStore.head`."""
        return await self._run("HeadObject", lambda session: _head(session, key), failure=S3DownloadFailed)

    async def get(self, key: str, byte_range: ByteRange | None = None) -> ObjectStream:
        """See `ObjectStore.get`."""

        def opened(session: _Session) -> tuple[StoredObject, StreamingBody, int]:
            return _open(session, key, byte_range)

        stored, body, length = await self._run("GetObject", opened, failure=S3DownloadFailed)
        return ObjectStream(stored, self._chunks(body, length))

    async def delete(self, key: str) -> None:
        """See `ObjectStore.delete`."""

        def remove(session: _Session) -> None:
            session.client.delete_object(Bucket=session.bucket, Key=key)

        await self._run("DeleteObject", remove, failure=S3DeleteFailed)

    async def list(self, prefix: str, *, start_after: str = "", limit: int = MAX_LIST_KEYS) -> list[ListedObject]:
        """See `ObjectStore.list`."""
        return await self._run(
            "ListObjectsV2", lambda session: _list(session, prefix, start_after, limit), failure=S3ListFailed
        )

    async def check_bucket(self) -> None:
        """See `ObjectStore.check_bucket`. Asked by a listing of one key: unlike HeadBucket its refusals have a body."""
        await self._run("ListObjectsV2", lambda session: _list(session, "", "", 1), failure=S3ListFailed)

    def close(self) -> None:
        """Frees threads and connections; the next call opens new ones."""
        with self._lock:
            session, self._session = self._session, None
        if session:
            session.close()

    async def _chunks(self, body: StreamingBody, length: int) -> AsyncGenerator[bytes, None]:
        remaining = length
        try:
            while remaining:
                chunk = await self._run("GetObject", lambda _: body.read(READ_CHUNK_BYTES), failure=S3DownloadFailed)
                if not chunk:
                    raise S3ConnectionFailed(cause={"operation": "GetObject", "missing_bytes": str(remaining)})
                remaining -= len(chunk)
                yield chunk
        finally:
            body.close()

    async def _run(
        self,
        operation: str,
        function: Callable[[_Session], Result],
        *,
        failure: type[S3Error],
        undo: Callable[[_Session], object] | None = None,
    ) -> Result:
        session = await self._get_session()

        def attempt() -> Result:
            with translating(operation, failure=failure):
                return function(session)

        try:
            return await session.calls.run(attempt, undo=(lambda: undo(session)) if undo else None)
        except TimeoutError as error:
            raise S3ConnectionFailed(cause={"operation": operation, "exception": "total time-out"}) from error

    async def _get_session(self) -> _Session:
        # Making the session reads files and may start a store: not on the event loop.
        session = self._ready_session()
        return session if session else await asyncio.to_thread(self._open_session)

    def _ready_session(self) -> _Session | None:
        session = self._session
        return session if session and session.process_id == os.getpid() else None

    def _open_session(self) -> _Session:
        with self._lock:
            session = self._ready_session()
            if session is None:
                session = self._session = _Session(self._connect)
            return session


class _Session:
    """The client, threads and knowledge about the bucket of one process."""

    def __init__(self, connect: Callable[[], S3Connection]) -> None:
        connection = connect()
        self.process_id = os.getpid()
        self.connection = connection
        self.bucket = connection.bucket
        self.bucket_was_seen = False
        self.calls = BoundedCalls(
            threads=connection.pool_size, total_seconds=connection.total_timeout_seconds, name="s3"
        )
        with translating("CreateClient", failure=S3UploadFailed):
            self.client: S3Client = make_client(connection)
        self.client.meta.events.register("before-send.s3", _stop_after_deadline)

    def close(self) -> None:
        self.calls.close()
        self.client.close()


def _stop_after_deadline(**_: Any) -> None:
    """No attempt, retries included, begins after the operation's time is over."""
    deadline = current_deadline()
    if deadline and deadline.has_passed:
        raise DeadlinePassed


def _create(session: _Session, new: NewObject, write_id: str) -> str:
    """One conditional write; an answer that was lost is looked for in the bucket."""
    arguments: dict[str, Any] = {
        "Bucket": session.bucket,
        "Key": new.key,
        "Body": new.body,
        "ContentType": new.content_type,
        "CacheControl": new.cache_control,
        "Metadata": {**new.metadata, _WRITE_ID: write_id},
        "IfNoneMatch": "*",
    }
    arguments |= _content_digest(session.connection, new.body)
    try:
        with translating("PutObject", failure=S3UploadFailed):
            return session.client.put_object(**arguments)["ETag"]
    except (KeyTaken, S3ConnectionFailed, S3Unavailable):
        own = _find_own(session, new.key, write_id)
        if own is None:
            raise
        return own.etag


def _content_digest(connection: S3Connection, body: bytes) -> dict[str, str]:
    """What the store checks the content against, on top of the signed payload hash, which not every store verifies."""
    if connection.sends_checksums:
        return {"ChecksumSHA256": base64.b64encode(hashlib.sha256(body).digest()).decode()}
    digest = hashlib.md5(body, usedforsecurity=False).digest()
    return {"ContentMD5": base64.b64encode(digest).decode()}


def _find_own(session: _Session, key: str, write_id: str) -> StoredObject | None:
    stored = _head(session, key)
    return stored if stored and stored.metadata.get(_WRITE_ID) == write_id else None


def _delete_own(session: _Session, key: str, write_id: str) -> None:
    with translating("DeleteObject", failure=S3DeleteFailed):
        if _find_own(session, key, write_id):
            session.client.delete_object(Bucket=session.bucket, Key=key)


def _head(session: _Session, key: str) -> StoredObject | None:
    """HEAD, whose refusals have no body: a 404 may be a missing bucket, a 403 anything that a GET would name."""
    try:
        answer = session.client.head_object(Bucket=session.bucket, Key=key)
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        if status == 404:
            _check_bucket_seen(session)
            return None
        if status in {400, 403}:
            with translating("HeadObject", failure=S3DownloadFailed):
                session.client.get_object(Bucket=session.bucket, Key=key, Range="bytes=0-0")["Body"].close()
        raise
    session.bucket_was_seen = True
    return _stored_object(key, answer, size=answer["ContentLength"])


def _check_bucket_seen(session: _Session) -> None:
    if session.bucket_was_seen:
        return
    try:
        session.client.head_bucket(Bucket=session.bucket)
    except ClientError as error:
        if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") == 404:
            raise S3BucketNotFound(cause={"operation": "HeadBucket", "s3_code": "404"}) from error
        raise
    session.bucket_was_seen = True


def _open(session: _Session, key: str, byte_range: ByteRange | None) -> tuple[StoredObject, StreamingBody, int]:
    arguments: dict[str, Any] = {"Bucket": session.bucket, "Key": key}
    if byte_range:
        arguments["Range"] = f"bytes={byte_range.first}-{byte_range.last}"
    answer = session.client.get_object(**arguments)
    length = answer["ContentLength"]
    whole = answer.get("ContentRange", "").rpartition("/")[2]
    return _stored_object(key, answer, size=int(whole) if whole.isdigit() else length), answer["Body"], length


def _list(session: _Session, prefix: str, start_after: str, limit: int) -> list[ListedObject]:
    answer = session.client.list_objects_v2(
        Bucket=session.bucket, Prefix=prefix, StartAfter=start_after, MaxKeys=min(limit, MAX_LIST_KEYS)
    )
    session.bucket_was_seen = True
    return [
        ListedObject(entry["Key"], entry["Size"], entry["ETag"], entry["LastModified"])
        for entry in answer.get("Contents", [])
    ]


def _stored_object(key: str, answer: Any, *, size: int) -> StoredObject:
    return StoredObject(
        key=key,
        size=size,
        etag=answer["ETag"],
        content_type=answer.get("ContentType", "application/octet-stream"),
        cache_control=answer.get("CacheControl"),
        last_modified=answer["LastModified"],
        metadata=answer.get("Metadata", {}),
    )
