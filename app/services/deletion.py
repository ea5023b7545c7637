"""Deleting everything under a prefix, a bounded number of objects at a time."""

from __future__ import annotations

import asyncio

from app.services.protocols import MAX_LIST_KEYS, ObjectStore

_AT_ONCE = 16


async def delete_prefix(store: ObjectStore, prefix: str) -> None:
    """Every object that was under the prefix when this began is gone; `prefix` ends with `/`.

    Raises:
        S3DeleteFailed, S3ListFailed: the store refused; what is left goes when it is repeated.
    """
    last = ""
    while True:
        listed = await store.list(prefix, start_after=last)
        for start in range(0, len(listed), _AT_ONCE):
            await asyncio.gather(*(store.delete(entry.key) for entry in listed[start : start + _AT_ONCE]))
        if len(listed) < MAX_LIST_KEYS:
            return
        last = listed[-1].key
