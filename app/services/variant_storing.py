"""An image on its way into the store: variants while they are rendered, the original last, and all taken back if not.

The original is the commit point: before it, what lies in the store is garbage that nobody was told of. What a failure
leaves and cannot delete lies under `variants/`, where the sweep finds it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime

from app.core.exceptions import ImageServiceError, S3UploadFailed
from app.core.image_types import ImageType, Visibility
from app.core.logging import get_logger
from app.images.facts import Facts
from app.images.formats import ImageFormat
from app.images.keys import ImageKey
from app.images.records import RenderedImage, Rendition
from app.images.variants import variant_key
from app.services.deletion import delete_each
from app.services.placing import lies_apart
from app.services.protocols import KeyTaken, NewObject, ObjectStore
from app.services.store_time import store_time
from app.services.wiring import Wiring

WRITES_AT_ONCE = 8
KEY_DRAWS = 5

_log = get_logger("heaven.images")
# Held here so that a clean-up which outlives its caller is not collected before its end.
_taking_back: set[asyncio.Task[None]] = set()


@asynccontextmanager
async def storing_image(
    parts: Wiring, kind: ImageType, user_id: str | None, *, visibility: Visibility
) -> AsyncIterator[ImageStoring]:
    """One upload's place in the store. The block adds variants and commits; on any error all of it is taken back."""
    storing = ImageStoring(parts, kind, user_id, visibility=visibility)
    try:
        yield storing
    except BaseException:
        task = asyncio.create_task(storing.take_back())
        _taking_back.add(task)
        task.add_done_callback(_taking_back.discard)
        # A caller that is cancelled once more stops waiting; the deletions go on.
        await asyncio.shield(task)
        raise


class ImageStoring:
    """The objects of one upload under one key, drawn when the first is there; if it is taken, all again elsewhere."""

    def __init__(self, parts: Wiring, kind: ImageType, user_id: str | None, *, visibility: Visibility) -> None:
        self._parts = parts
        self._kind = kind
        self._user_id = user_id
        self._visibility = visibility
        self._drawn: _ImageObjects | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._is_open = True

    @property
    def created_at(self) -> datetime:
        """The time in the key."""
        return self._objects.key.created_at

    def add(self, finished: Rendition) -> None:
        """Begins to store a variant and returns. How that went is told by `commit`."""
        # A renderer that cannot be stopped may finish more when its caller has gone.
        if self._is_open:
            self._tasks.append(asyncio.create_task(self._objects.store_variant(finished)))

    async def commit(self, picture: RenderedImage, facts: Facts) -> tuple[ImageKey, str]:
        """Key and ETag of the image, stored whole with all its variants. It has `store_timeout_seconds` from here on.

        Raises:
            S3UploadFailed: the store refused, or five keys in a row were taken.
            S3Error: the store failed, also earlier, while variants were added.
        """
        async with store_time(self._parts.store_timeout_seconds):
            await asyncio.gather(*self._tasks)
            for _ in range(KEY_DRAWS):
                etag = await self._objects.store_original(picture, facts)
                if etag is not None:
                    return self._objects.key_of(picture.format), etag
                await self._objects.take_back(self._parts.store_timeout_seconds)
                self._drawn = self._draw(self.created_at)
                await self._objects.store_variants(picture.variants)
        raise S3UploadFailed("No free key was found.")

    async def take_back(self) -> None:
        """Deletes what was stored, for as long as storing may take; what cannot be deleted is left for the sweep."""
        self._is_open = False
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._drawn:
            await self._drawn.take_back(self._parts.store_timeout_seconds)

    @property
    def _objects(self) -> _ImageObjects:
        if self._drawn is None:
            self._drawn = self._draw(self._parts.now())
        return self._drawn

    def _draw(self, created_at: datetime) -> _ImageObjects:
        # What the extension will be is known when the original is: variants lie under the stem, for them any will do.
        extension = ImageFormat.JPEG.extension
        is_private = lies_apart(self._kind, self._visibility)
        key = ImageKey(self._kind.prefix, self._user_id, created_at, self._parts.new_token(), extension, is_private)
        return _ImageObjects(self._parts.store, key, self._parts.delivery.cache_control(self._visibility))


class _ImageObjects:
    """The objects of one image under one key, and which of them are ours."""

    def __init__(self, store: ObjectStore, key: ImageKey, cache_control: str) -> None:
        self.key = key
        self._store = store
        self._cache_control = cache_control
        self._gate = asyncio.Semaphore(WRITES_AT_ONCE)
        self._seen: set[str] = set()
        self._written: list[str] = []
        self._original: NewObject | None = None
        self._is_taken = False
        self._has_failed = False

    def key_of(self, image_format: ImageFormat) -> ImageKey:
        """The original's key."""
        return replace(self.key, extension=image_format.extension)

    async def store_variants(self, renditions: tuple[Rendition, ...]) -> None:
        """Stores them all."""
        await asyncio.gather(*(self.store_variant(rendition) for rendition in renditions))

    async def store_variant(self, rendition: Rendition) -> None:
        """Stores it, once though two specs may end as the same file. Where the key is taken, `store_original` says so.

        Raises:
            S3Error: the store failed; no further variant is begun then.
        """
        key = variant_key(self.key, rendition.spec)
        if key in self._seen:
            return
        self._seen.add(key)
        async with self._gate:
            if self._is_taken or self._has_failed:
                return
            digest = hashlib.sha256(rendition.body).hexdigest()
            try:
                await self._store.create(self._object(key, rendition.body, rendition.spec.format, {"sha256": digest}))
            except KeyTaken:
                self._is_taken = True
            except BaseException:
                self._has_failed = True
                raise
            else:
                self._written.append(key)

    async def store_original(self, picture: RenderedImage, facts: Facts) -> str | None:
        """The ETag of the original, or None where the key is another image's. All variants must have been stored."""
        if self._is_taken:
            return None
        original = self._object(str(self.key_of(picture.format)), picture.body, picture.format, facts.to_metadata())
        self._original = original
        try:
            return await self._store.create(original)
        except KeyTaken:
            self._original = None
            return None

    async def take_back(self, seconds: float) -> None:
        """Deletes what was written here, the original first, and nothing else."""
        try:
            async with store_time(seconds):
                if self._original and await self._is_there(self._original):
                    await self._store.delete(self._original.key)
                await delete_each(self._store, self._written)
        except ImageServiceError as error:
            # The caller hears of the failure that led here; of the garbage only the log can tell.
            _log.warning("variants_left_to_the_sweep", prefix=self.key.variants_prefix, code=error.code.value)

    async def _is_there(self, original: NewObject) -> bool:
        """Whether it is there and ours: a store that failed to answer may have written it nevertheless."""
        stored = await self._store.head(original.key)
        return stored is not None and original.metadata.items() <= stored.metadata.items()

    def _object(self, key: str, body: bytes, image_format: ImageFormat, metadata: dict[str, str]) -> NewObject:
        return NewObject(key, body, image_format.content_type, self._cache_control, metadata)
