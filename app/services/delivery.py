"""Delivery of pictures in any size: found in the bucket where they are stored, otherwise made once and kept there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from app.core.exceptions import ImageNotFound
from app.core.image_types import Visibility
from app.images.facts import Facts
from app.images.keys import ImageKey
from app.images.negotiation import Accepted
from app.images.transforms import Transform
from app.services.delivery_candidates import Candidate, KnownImage, check_restricted, find_candidates
from app.services.protocols import ByteRange, ObjectStream, StoredObject
from app.services.result_making import MadeResult, complete_facts, make_result
from app.services.short_memory import ShortMemory
from app.services.single_flight import SingleFlight
from app.services.wiring import Wiring

Found = TypeVar("Found")

_REMEMBERED = 10_000
# Where a picture lies does not change. That its image is there is asked of the store anew after this time, in case a
# delete was cut short before its results went.
_CHOICE_SECONDS = 60.0
_CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class PictureRequest:
    """What is asked for: an image of a type, transformed, for a client that takes these formats."""

    key: ImageKey
    type_name: str
    visibility: Visibility
    transform: Transform
    accepted: Accepted

    @property
    def name(self) -> tuple[object, ...]:
        """Equal for requests that are answered alike."""
        return str(self.key), self.transform, self.accepted if self.transform.format is None else None


class Delivery:
    """Safe for threads and tasks. The store is asked for each picture; only where pictures lie is remembered."""

    def __init__(self, parts: Wiring) -> None:
        self._parts = parts
        self._choices: ShortMemory[str] = ShortMemory(size=_REMEMBERED, seconds=_CHOICE_SECONDS)
        self._images: ShortMemory[KnownImage] = ShortMemory(size=_REMEMBERED, seconds=parts.delivery.memory_seconds)
        self._stored: ShortMemory[StoredObject] = ShortMemory(size=_REMEMBERED, seconds=parts.delivery.memory_seconds)
        self._making: SingleFlight[MadeResult] = SingleFlight()

    def check_allowed(self, request: PictureRequest) -> None:
        """Returns when strangers may ask for this.

        Raises:
            InvalidTransform: it is no preset and no width of the variants.
        """
        check_restricted(request.transform, self._parts.plans[request.type_name])

    async def open_part(self, stored: StoredObject, byte_range: ByteRange) -> ObjectStream | None:
        """A range of the very object that was located, as a stream that the caller closes; None: it is another now."""
        try:
            stream = await self._parts.store.get(stored.key, byte_range)
        except ImageNotFound:
            self._stored.forget(stored.key)
            return None
        if stream.object.etag != stored.etag:
            self._stored.tell(stored.key, stream.object)
            await stream.chunks.aclose()
            return None
        return stream

    async def open(self, request: PictureRequest) -> ObjectStream:
        """The picture as a stream that the caller closes.

        Raises:
            ImageNotFound: there is no such image.
            InvalidTransform: the image cannot be transformed so.
            ProcessingOverloaded: it is not made yet, and too many are waiting; repeat later.
            S3Error: the store failed.
        """

        async def fetch(object_key: str) -> ObjectStream | None:
            try:
                stream = await self._parts.store.get(object_key)
            except ImageNotFound:
                self._stored.forget(object_key)
                return None
            self._stored.tell(object_key, stream.object)
            return stream

        return await self._resolve(request, fetch, _stream_of)

    async def locate(self, request: PictureRequest) -> StoredObject:
        """The description of the stored picture; it is made where it was not. May be `memory_seconds` old.

        Raises: as `open`.
        """

        async def fetch(object_key: str) -> StoredObject | None:
            if known := self._stored.find(object_key):
                return known
            found = await self._parts.store.head(object_key)
            if found:
                self._stored.tell(object_key, found)
            return found

        return await self._resolve(request, fetch, lambda made: made.object)

    def forget(self, key: ImageKey) -> None:
        """The image is gone, or elsewhere: nothing of it is remembered here any more."""
        self._images.forget(str(key))
        self._stored.forget_where(lambda name: name == str(key) or str(name).startswith(key.variants_prefix))

    async def _resolve(
        self,
        request: PictureRequest,
        fetch: Callable[[str], Awaitable[Found | None]],
        present: Callable[[MadeResult], Found],
    ) -> Found:
        chosen = self._choices.find(request.name)
        if chosen and (found := await fetch(chosen)):
            return found
        image = await self._known(request)
        for candidate in find_candidates(image, request.transform, request.accepted, self._parts.delivery):
            if found := await fetch(candidate.object_key):
                self._choices.tell(request.name, candidate.object_key)
                return found
            if candidate.may_be_made:
                made = await self._make(image, request.transform, candidate)
                self._choices.tell(request.name, candidate.object_key)
                self._stored.tell(candidate.object_key, made.object)
                return present(made)
        raise ImageNotFound

    async def _known(self, request: PictureRequest) -> KnownImage:
        """The image as it was `memory_seconds` ago at most; whoever makes something of it asks whether it is there."""
        if known := self._images.find(str(request.key)):
            return known
        stored = await self._parts.store.head(str(request.key))
        if stored is None:
            raise ImageNotFound
        facts = await complete_facts(self._parts, request.key, Facts.from_metadata(stored.metadata))
        image = KnownImage(request.key, facts, self._parts.plans[request.type_name], request.visibility)
        self._images.tell(str(request.key), image)
        return image

    async def _make(self, image: KnownImage, transform: Transform, candidate: Candidate) -> MadeResult:
        return await self._making.run(
            candidate.object_key, partial(make_result, self._parts, image, transform, candidate)
        )


def _stream_of(made: MadeResult) -> ObjectStream:
    return ObjectStream(made.object, _chunks(made.body))


async def _chunks(body: bytes) -> AsyncGenerator[bytes, None]:
    for start in range(0, len(body), _CHUNK_BYTES):
        yield body[start : start + _CHUNK_BYTES]
        await asyncio.sleep(0)
