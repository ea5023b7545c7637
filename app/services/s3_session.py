"""The requests that the S3 store sends, blocking, and how their answers are read."""

from __future__ import annotations

import base64
import hashlib
import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from botocore.response import StreamingBody

from app.core.exceptions import S3ConnectionFailed, S3DeleteFailed, S3Unavailable, S3UploadFailed
from app.services.bounded_calls import BoundedCalls, current_deadline, fresh_deadline
from app.services.protocols import MAX_LIST_KEYS, WRITE_ID, ByteRange, KeyTaken, ListedObject, NewObject, StoredObject
from app.services.s3_connection import S3Connection, make_client
from app.services.s3_errors import DeadlinePassed, NotS3, translating
from app.services.s3_quick_get import QuickReads
from app.services.s3_quick_put import QuickPut
from app.services.s3_route import RouteFinder

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class S3Session:
    """The client and the threads of one process. Its methods block: call them in `calls`."""

    def __init__(self, connect: Callable[[], S3Connection]) -> None:
        self.process_id = os.getpid()
        self.connection = connect()
        self.calls = BoundedCalls(
            threads=self.connection.pool_size, total_seconds=self.connection.total_timeout_seconds, name="s3"
        )
        self._bucket = self.connection.bucket
        self._lock = threading.Lock()
        self._made_client: S3Client | None = None
        self._made_routes: RouteFinder | None = None
        self._made_quick_put: QuickPut | None = None
        self.quick_reads: QuickReads | None = None

    def close(self) -> None:
        """Frees threads and connections, after the calls under way."""
        self.calls.close()
        with self._lock:
            if self._made_client:
                self._made_client.close()
            if self.quick_reads:
                self.quick_reads.close()

    @property
    def _client(self) -> S3Client:
        # Made by the first call in its thread: looking for credentials may ask the network or run a program.
        with self._lock:
            if self._made_client is None:
                self._made_client = make_client(self.connection)
                self._made_client.meta.events.register("before-send.s3", _stop_after_deadline)
                self._made_routes = RouteFinder(self._made_client)
                self._made_quick_put = QuickPut(self._made_routes, sends_checksums=self.connection.sends_checksums)
                self.quick_reads = QuickReads(self._made_routes, self.connection)
            return self._made_client

    @property
    def _quick_put(self) -> QuickPut:
        assert self._made_quick_put is not None  # noqa: S101 - made with the client
        return self._made_quick_put

    @property
    def _routes(self) -> RouteFinder:
        assert self._made_routes is not None  # noqa: S101 - made with the client
        return self._made_routes

    def create(self, new: NewObject, write_id: str) -> str:
        """One conditional write; an answer that was lost is looked for in the bucket. The object's ETag."""
        metadata = {**new.metadata, WRITE_ID: write_id}
        try:
            with translating("PutObject", failure=S3UploadFailed):
                client, quick_put = self._client, self._quick_put
                return quick_put.create(new, metadata) or self._put(client, new, metadata)
        except (KeyTaken, S3ConnectionFailed, S3Unavailable):
            # Also when the caller's time is over: a write that did arrive is then found here and undone.
            with fresh_deadline(self.connection.total_timeout_seconds):
                own = self._find_own(new.key, write_id)
            if own is None:
                raise
            return own.etag

    def _put(self, client: S3Client, new: NewObject, metadata: dict[str, str]) -> str:
        with self._routes.learning(new.key):
            answer = client.put_object(
                Bucket=self._bucket,
                Key=new.key,
                Body=new.body,
                ContentType=new.content_type,
                CacheControl=new.cache_control,
                Metadata=metadata,
                IfNoneMatch="*",
                **content_digest(self.connection, new.body),  # type: ignore[arg-type]
            )
            return str(_field_of(answer, "ETag"))

    def delete(self, key: str) -> None:
        self._client.delete_object(Bucket=self._bucket, Key=key)

    def delete_own(self, key: str, write_id: str) -> None:
        """Deletes the object that the write of this id made, and no other."""
        with translating("DeleteObject", failure=S3DeleteFailed):
            if self._find_own(key, write_id):
                self.delete(key)

    def head(self, key: str) -> StoredObject | None:
        """HEAD, whose refusals have no body: a 404 may be a missing bucket, a 403 anything that a GET would name."""
        try:
            client = self._client
            with self._routes.learning(key):
                answer = client.head_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            status = _status_of(error)
            if status not in {400, 403, 404}:
                raise
            if not self._get_finds(key):
                return None
            if status == 404:
                return self.head(key)
            raise
        return _stored_object(key, answer, size=_field_of(answer, "ContentLength"))

    def open(self, key: str, byte_range: ByteRange | None) -> tuple[StoredObject, StreamingBody, int]:
        """An object, its unread body, and how many bytes that has. The caller closes the body."""
        arguments: dict[str, Any] = {"Bucket": self._bucket, "Key": key}
        if byte_range:
            arguments["Range"] = f"bytes={byte_range.first}-{byte_range.last}"
        client = self._client
        with self._routes.learning(key):
            answer = client.get_object(**arguments)
        body = answer["Body"]
        try:
            length = _field_of(answer, "ContentLength")
            size = _whole_size(answer.get("ContentRange", "")) if byte_range else length
            return _stored_object(key, answer, size=size), body, length
        except NotS3:
            body.close()
            raise

    def list(self, prefix: str, start_after: str, limit: int) -> list[ListedObject]:
        answer = self._client.list_objects_v2(
            Bucket=self._bucket, Prefix=prefix, StartAfter=start_after, MaxKeys=min(limit, MAX_LIST_KEYS)
        )
        # Another server's page, if it happens to be well-formed, would read as an empty bucket.
        if "IsTruncated" not in answer:
            raise NotS3
        return [
            ListedObject(entry["Key"], entry["Size"], entry["ETag"], entry["LastModified"])
            for entry in answer.get("Contents", [])
        ]

    def _find_own(self, key: str, write_id: str) -> StoredObject | None:
        stored = self.head(key)
        return stored if stored and stored.metadata.get(WRITE_ID) == write_id else None

    def _get_finds(self, key: str) -> bool:
        """Whether a GET finds the object; False only when the store says that the key, not the bucket, is missing."""
        try:
            self._client.get_object(Bucket=self._bucket, Key=key, Range="bytes=0-0")["Body"].close()
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "NoSuchKey":
                return False
            # An empty object has no first byte.
            if _status_of(error) != 416:
                raise
        return True


def _status_of(error: ClientError) -> int:
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)


def _stop_after_deadline(**_: Any) -> None:
    """No attempt, retries included, begins after the operation's time is over."""
    deadline = current_deadline()
    if deadline and deadline.has_passed:
        raise DeadlinePassed


def content_digest(connection: S3Connection, body: bytes) -> dict[str, str]:
    """What the store checks the content against, on top of the signed payload hash, which not every store verifies."""
    if connection.sends_checksums:
        return {"ChecksumSHA256": base64.b64encode(hashlib.sha256(body).digest()).decode()}
    digest = hashlib.md5(body, usedforsecurity=False).digest()
    return {"ContentMD5": base64.b64encode(digest).decode()}


def _whole_size(content_range: str) -> int:
    """The size of the object that a range was asked of; an answer that ignores the range does not tell it."""
    size = content_range.rpartition("/")[2]
    if not size.isdigit():
        raise NotS3
    return int(size)


def _field_of(answer: Any, name: str) -> Any:
    """A field that every store sends; what sends none is something else."""
    try:
        return answer[name]
    except KeyError:
        raise NotS3 from None


def _stored_object(key: str, answer: Any, *, size: int) -> StoredObject:
    return StoredObject(
        key=key,
        size=size,
        etag=_field_of(answer, "ETag"),
        content_type=answer.get("ContentType", "application/octet-stream"),
        cache_control=answer.get("CacheControl"),
        last_modified=_field_of(answer, "LastModified"),
        # Some stores answer with other capitals than were sent.
        metadata={name.lower(): value for name, value in answer.get("Metadata", {}).items()},
    )
