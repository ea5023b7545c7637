"""The queue of invalidations, kept in the bucket itself: entries that wait, and batches that are being sent.

    pending/invalidations/20261201_143022_5f0c….json     {"paths": [...]}
    pending/batches/heaven-9b1e….json                    {"paths": [...], "entries": [keys]}

A batch is written before it is sent, so that whoever goes on after a crash sends the very same one.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from app.core.exceptions import ImageNotFound
from app.images.keys import PENDING_PREFIX
from app.services.protocols import KeyTaken, NewObject, ObjectStore

ENTRIES_PREFIX = f"{PENDING_PREFIX}invalidations/"
BATCHES_PREFIX = f"{PENDING_PREFIX}batches/"
MAX_PATHS_OF_ENTRY = 1000

_TIME_FORMAT = "%Y%m%d_%H%M%S"
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Entry:
    """Paths that were written down together, at a time by the writer's clock."""

    key: str
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """One invalidation, and the entries that it settles. `reference` depends on both alone."""

    reference: str
    paths: tuple[str, ...]
    entries: tuple[str, ...]

    @classmethod
    def of(cls, paths: Iterable[str], entries: Iterable[str]) -> Batch:
        """The batch of these paths and entries; the same ones give the same reference."""
        path_list, entry_list = tuple(sorted(paths)), tuple(sorted(entries))
        digest = hashlib.sha256(json.dumps([path_list, entry_list]).encode()).hexdigest()
        return cls(f"heaven-{digest[:48]}", path_list, entry_list)

    @property
    def key(self) -> str:
        return f"{BATCHES_PREFIX}{self.reference}.json"


class InvalidationQueue:
    """Entries and batches in an object store. Several processes may use it at once."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def add(self, paths: Sequence[str], *, moment: datetime) -> None:
        """The paths are written down; as a rule by one write.

        Raises:
            S3Error: they are not, or not all of them.
        """
        for start in range(0, len(paths), MAX_PATHS_OF_ENTRY):
            name = f"{moment.astimezone(UTC):{_TIME_FORMAT}}_{secrets.token_hex(8)}"
            await self._write(f"{ENTRIES_PREFIX}{name}.json", {"paths": paths[start : start + MAX_PATHS_OF_ENTRY]})

    async def list_entries(self) -> list[tuple[str, datetime]]:
        """Up to 1,000 keys of entries with the times of their writing, oldest first.

        Raises:
            S3Error: the store failed.
        """
        listed = await self._store.list(ENTRIES_PREFIX)
        return [(entry.key, _time_of(entry.key) or entry.last_modified) for entry in listed]

    async def read_entries(self, keys: Sequence[str]) -> list[Entry]:
        """These entries, without those that another process has settled meanwhile or that are not ours.

        Raises:
            S3Error: the store failed.
        """
        gate = asyncio.Semaphore(_AT_ONCE)

        async def read(key: str) -> Entry | None:
            async with gate:
                content = await self._read(key)
                return None if content is None or "paths" not in content else Entry(key, tuple(content["paths"]))

        return [entry for entry in await asyncio.gather(*map(read, keys)) if entry is not None]

    async def open_batch(self, batch: Batch) -> None:
        """The batch is written down. Another process may have written the same one.

        Raises:
            S3Error: it is not.
        """
        try:
            await self._write(batch.key, {"paths": batch.paths, "entries": batch.entries})
        except KeyTaken:
            return

    async def list_batches(self) -> list[Batch]:
        """The batches that were written down and not yet closed.

        Raises:
            S3Error: the store failed.
        """
        keys = [entry.key for entry in await self._store.list(BATCHES_PREFIX)]
        contents = await asyncio.gather(*map(self._read, keys))
        return [Batch.of(each["paths"], each["entries"]) for each in contents if each is not None]

    async def close_batch(self, batch: Batch) -> None:
        """The batch is settled: its entries go, and itself at last, so that nobody makes another one of them.

        Raises:
            S3Error: the store failed; the batch is still there.
        """
        gate = asyncio.Semaphore(_AT_ONCE)

        async def delete(key: str) -> None:
            async with gate:
                await self._store.delete(key)

        await asyncio.gather(*map(delete, batch.entries))
        await self._store.delete(batch.key)

    async def _write(self, key: str, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        await self._store.create(NewObject(key, body, "application/json", "private, no-store"))

    async def _read(self, key: str) -> dict[str, Any] | None:
        try:
            stream = await self._store.get(key)
        except ImageNotFound:
            return None
        body = b"".join([chunk async for chunk in stream.chunks])
        try:
            content: dict[str, Any] = json.loads(body)
        except ValueError:
            # Nothing of ours: what is written here is written whole or not at all.
            return None
        return content


def _time_of(key: str) -> datetime | None:
    try:
        return datetime.strptime(key.removeprefix(ENTRIES_PREFIX)[:15], _TIME_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None
