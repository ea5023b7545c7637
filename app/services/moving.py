"""An image moving between its public and its private place: copied whole, then deleted where it was.

The variants go first and the original with its facts last, as in an upload: at every moment one whole image is there,
and what a crash leaves lies under `variants/`, where the sweep finds it. Repeating ends what was begun.
"""

from __future__ import annotations

import asyncio
import hashlib

from app.core.exceptions import ImageNotFound, S3UploadFailed
from app.core.image_types import Visibility
from app.images.facts import Facts
from app.images.keys import ImageKey
from app.services.deletion import delete_image_objects
from app.services.placing import check_owner_of_place, sibling_of
from app.services.protocols import WRITE_ID, KeyTaken, NewObject, ObjectStore, StoredObject
from app.services.store_time import store_time
from app.services.stored_images import owner_of
from app.services.wiring import Wiring

_COPIES_AT_ONCE = 4
_OCCUPIED = "Another image is in the place to which this one should move."


async def move_image(parts: Wiring, key: ImageKey, target: ImageKey, visibility: Visibility) -> StoredObject:
    """The image of `key`, at `target` from now on: the same key or its sibling. Nothing of it is left at the other.

    Listed variants are copied, results of transforms are not: they are made again. Two images that by chance have
    sibling keys both stay as they are. Ended early, it is to be repeated.

    Raises:
        ImageNotFound: there is neither.
        InvalidRequest: it would be private in the folder of another than its owner.
        S3UploadFailed: another image is at `target`, or the store refused.
        S3Error: the store failed; the image is whole, at one of its keys or at both.
    """
    source = sibling_of(target)
    async with store_time(parts.store_timeout_seconds):
        there, here = await parts.store.head(str(target)), await parts.store.head(str(source))
        if here is None and there is None:
            raise ImageNotFound
        if there is not None and here is not None and not _are_one(there, here):
            if key == target:
                return there
            raise S3UploadFailed(_OCCUPIED)
        if there is None and here is not None:
            check_owner_of_place(visibility, target.user_id, owner_of(source, here))
            there = await _copy_image(parts.store, here, source, target, parts.delivery.cache_control(visibility))
    assert there is not None  # noqa: S101 - it was there, or was copied
    async with store_time(parts.store_timeout_seconds):
        await delete_image_objects(parts.store, source, invalidator=parts.invalidator)
    return there


async def _copy_image(
    store: ObjectStore, original: StoredObject, source: ImageKey, target: ImageKey, cache_control: str
) -> StoredObject:
    gate = asyncio.Semaphore(_COPIES_AT_ONCE)

    async def copy_variant(file_name: str) -> None:
        async with gate:
            source_key, target_key = (f"{key.variants_prefix}{file_name}" for key in (source, target))
            await _copy(store, source_key, target_key, cache_control)

    listed = Facts.from_metadata(original.metadata).variants or ()
    await asyncio.gather(*(copy_variant(variant.file_name) for variant in listed))
    if await _copy(store, str(source), str(target), cache_control) is None:
        raise ImageNotFound
    stored = await store.head(str(target))
    if stored is None or not _are_one(stored, original):
        raise S3UploadFailed(_OCCUPIED)
    return stored


async def _copy(store: ObjectStore, source: str, target: str, cache_control: str) -> StoredObject | None:
    """The object that was copied, or None where there is none, as when a variant was lost before."""
    try:
        stream = await store.get(source)
    except ImageNotFound:
        return None
    body = b"".join([chunk async for chunk in stream.chunks])
    copied = stream.object
    # The id of a write is that write's own.
    metadata = {name: value for name, value in copied.metadata.items() if name != WRITE_ID}
    try:
        await store.create(NewObject(target, body, copied.content_type, cache_control, metadata))
    except KeyTaken:
        # By an earlier attempt, as a rule, which wrote the same.
        taken_by = await store.head(target)
        digest = hashlib.sha256(body).hexdigest()
        if taken_by is None or taken_by.size != len(body) or taken_by.metadata.get("sha256", digest) != digest:
            raise S3UploadFailed(_OCCUPIED) from None
    return copied


def _are_one(one: StoredObject, other: StoredObject) -> bool:
    """Whether two originals are copies of one: the time of the upload, to the microsecond, is among the facts."""
    return one.size == other.size and Facts.from_metadata(one.metadata) == Facts.from_metadata(other.metadata)
