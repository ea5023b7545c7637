"""Deleting an image with everything made from it, a bounded number of objects at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from app.images.facts import Facts
from app.images.keys import ImageKey, encode_key
from app.services.cdn_protocols import CdnInvalidator
from app.services.protocols import MAX_LIST_KEYS, ObjectStore

_AT_ONCE = 16


async def delete_image_objects(store: ObjectStore, key: ImageKey, *, invalidator: CdnInvalidator | None = None) -> bool:
    """True: the original was there and is gone, its variants too. False: there was none; leftover variants go even so.

    Another image with the same name but another extension, which chance alone makes, keeps what is its own. What the
    CDN may hold of the image is written down for its invalidator before anything goes.

    Raises:
        S3Error: the invalidator could not write that down; nothing is deleted.
        S3DeleteFailed, S3ListFailed: the store refused; what is left goes when it is repeated.
    """
    # Asked first, so that a store that does not let us list refuses before anything is gone.
    listed = await store.list(f"{key.stem}.")
    stored = await store.head(str(key))
    facts = Facts.from_metadata(stored.metadata if stored else {})
    # Also for what an earlier attempt has left: the CDN may have fetched it again since that was written down.
    if invalidator is not None and (stored is not None or await store.list(key.variants_prefix, limit=1)):
        await invalidator.remember(cdn_paths_of(key, facts))
    if stored is not None:
        await store.delete(str(key))
    if any(entry.key != str(key) for entry in listed):
        await delete_each(store, _listed_variants(key, facts))
    else:
        await delete_prefix(store, key.variants_prefix)
    return stored is not None


def cdn_paths_of(key: ImageKey, facts: Facts) -> list[str]:
    """What a CDN may hold of an image, as URL paths: original, listed variants, and all else that was made of it."""
    paths = [f"/{encode_key(each)}" for each in (str(key), *_listed_variants(key, facts))]
    return [*paths, f"/{encode_key(key.variants_prefix)}*"]


def _listed_variants(key: ImageKey, facts: Facts) -> list[str]:
    return [f"{key.variants_prefix}{variant.file_name}" for variant in facts.variants or ()]


async def delete_prefix(store: ObjectStore, prefix: str) -> None:
    """Every object that was under the prefix when this began is gone; `prefix` ends with `/`.

    Raises:
        S3DeleteFailed, S3ListFailed: the store refused; what is left goes when it is repeated.
    """
    last = ""
    while True:
        listed = await store.list(prefix, start_after=last)
        await delete_each(store, [entry.key for entry in listed])
        if len(listed) < MAX_LIST_KEYS:
            return
        last = listed[-1].key


async def delete_each(store: ObjectStore, keys: Sequence[str]) -> None:
    """All these objects are gone. One that cannot be deleted keeps none of those begun with it from going.

    Raises:
        S3DeleteFailed: the store refused one; those that came later were not tried.
    """
    for start in range(0, len(keys), _AT_ONCE):
        outcomes = await asyncio.gather(
            *(store.delete(key) for key in keys[start : start + _AT_ONCE]), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
