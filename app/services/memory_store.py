"""An object store in memory, for tests and trials; it passes the same contract as S3."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime

from app.core.exceptions import ImageNotFound, RangeNotSatisfiable
from app.services.protocols import (
    MAX_LIST_KEYS,
    ByteRange,
    KeyTaken,
    ListedObject,
    NewObject,
    ObjectStream,
    StoredObject,
)


@dataclass(frozen=True, slots=True)
class _Entry:
    stored: StoredObject
    body: bytes


class MemoryStore:
    """Implements `ObjectStore`. Everything is lost with the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry] = {}

    async def create(self, new: NewObject) -> str:
        """See `ObjectStore.create`."""
        stored = StoredObject(
            key=new.key,
            size=len(new.body),
            etag=f'"{hashlib.sha256(new.body).hexdigest()[:32]}"',
            content_type=new.content_type,
            cache_control=new.cache_control,
            last_modified=datetime.now(UTC).replace(microsecond=0),
            metadata=dict(new.metadata),
        )
        with self._lock:
            if new.key in self._entries:
                raise KeyTaken(new.key)
            self._entries[new.key] = _Entry(stored, bytes(new.body))
        return stored.etag

    async def head(self, key: str) -> StoredObject | None:
        """See `ObjectStore.head`."""
        entry = self._entries.get(key)
        return entry.stored if entry else None

    async def get(self, key: str, byte_range: ByteRange | None = None) -> ObjectStream:
        """See `ObjectStore.get`."""
        entry = self._entries.get(key)
        if not entry:
            raise ImageNotFound
        if byte_range and byte_range.first >= entry.stored.size:
            raise RangeNotSatisfiable(size=entry.stored.size)
        body = entry.body[byte_range.first : byte_range.last + 1] if byte_range else entry.body
        return ObjectStream(entry.stored, _one_chunk(body))

    async def delete(self, key: str) -> None:
        """See `ObjectStore.delete`."""
        with self._lock:
            self._entries.pop(key, None)

    async def list(self, prefix: str, *, start_after: str = "", limit: int = MAX_LIST_KEYS) -> list[ListedObject]:
        """See `ObjectStore.list`."""
        with self._lock:
            keys = sorted(key for key in self._entries if key.startswith(prefix) and key > start_after)
            entries = [self._entries[key].stored for key in keys[: min(limit, MAX_LIST_KEYS)]]
        return [ListedObject(entry.key, entry.size, entry.etag, entry.last_modified) for entry in entries]

    async def check_bucket(self) -> None:
        """See `ObjectStore.check_bucket`."""


async def _one_chunk(body: bytes) -> AsyncGenerator[bytes, None]:
    if body:
        yield body
