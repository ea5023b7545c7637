"""Uploads that fail anywhere between the first variant and the original: nothing is told, nothing remains."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from app.core.exceptions import ImageCorrupt, S3ConnectionFailed, S3DeleteFailed, S3UploadFailed
from app.images.formats import ImageFormat
from app.images.records import Rendition
from app.images.variants import variant_key
from app.services.memory_store import MemoryStore
from app.services.protocols import NewObject, ignore_variant
from tests.services.emitting import (
    PLANS,
    SPECS,
    EmittingProcessor,
    WatchedStore,
    emitting_service,
    rendition_of,
    until,
)
from tests.services.image_services import SENT, service_on


def failing_at(number: int, error: Exception) -> Callable[[NewObject], Awaitable[None]]:
    """Fails the create of this number, counted from 0, and every later one."""
    begun = 0

    async def fail(_: NewObject) -> None:
        nonlocal begun
        begun += 1
        await asyncio.sleep(0)
        if begun > number:
            raise error

    return fail


@pytest.mark.parametrize("number", range(len(SPECS) + 1))
@pytest.mark.parametrize("error", [S3ConnectionFailed(), S3UploadFailed(), ZeroDivisionError()], ids=repr)
async def test_store_that_fails_in_the_middle(number: int, error: Exception) -> None:
    """Whichever of the writes fails, the upload fails with that error and nothing of it is left in the store."""
    store = WatchedStore(failing_at(number, error))
    with pytest.raises(type(error)):
        await emitting_service(store).upload_image(SENT, "user", 123)
    assert await store.keys() == []
    assert not any(new.key.startswith("users/") for new in store.created)


@pytest.mark.parametrize("emitted", range(len(SPECS) + 1))
async def test_picture_that_breaks_while_it_is_rendered(emitted: int) -> None:
    """A picture that turns out corrupt after some variants are stored leaves none of them."""
    store = WatchedStore()

    async def break_there(number: int) -> None:
        await asyncio.sleep(0.001)
        if number == emitted:
            raise ImageCorrupt

    with pytest.raises(ImageCorrupt):
        await emitting_service(store, processor=EmittingProcessor(pause=break_there)).upload_image(SENT, "user", 123)
    assert len(store.created) == emitted
    assert await store.keys() == []


@pytest.mark.parametrize("number", [0, 1, len(SPECS) - 1, len(SPECS)])
async def test_cancelled_while_a_write_is_under_way(number: int) -> None:
    """A client that leaves while any of the objects is being written leaves nothing behind."""
    reached = asyncio.Event()

    async def hang(_: NewObject) -> None:
        if len(store.created) == number:
            reached.set()
            await asyncio.Event().wait()

    store = WatchedStore(hang)
    task = asyncio.create_task(emitting_service(store).upload_image(SENT, "user", 123))
    await asyncio.wait_for(reached.wait(), 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await store.keys() == []


@pytest.mark.parametrize("number", [0, 3, len(SPECS)])
async def test_cancelled_while_rendering(number: int) -> None:
    """A client that leaves while the picture is rendered leaves none of the variants that were stored already."""
    reached = asyncio.Event()

    async def hang(at: int) -> None:
        await asyncio.sleep(0.001)
        if at == number:
            reached.set()
            await asyncio.Event().wait()

    store = WatchedStore()
    service = emitting_service(store, processor=EmittingProcessor(pause=hang))
    task = asyncio.create_task(service.upload_image(SENT, "user", 123))
    await asyncio.wait_for(reached.wait(), 5)
    assert len(store.created) == number
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await store.keys() == []


async def test_cancelled_at_any_turn() -> None:
    """Whenever an upload is cancelled, it is stored whole and answered for, or not at all."""
    store = MemoryStore()
    service = emitting_service(store)
    finished: set[str] = set()
    for turns in range(0, 120, 2):
        task = asyncio.create_task(service.upload_image(SENT, "user", 1))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            result = await task
            finished |= {result["s3_key"], *(variant["s3_key"] for variant in result["variants"])}
    assert {listed.key for listed in await store.list("")} == finished


async def test_write_under_way_when_another_fails() -> None:
    """A write that is still under way when another one fails never arrives later."""
    goes_on = asyncio.Event()

    async def hang_or_fail(new: NewObject) -> None:
        if new.key.endswith(SPECS[0].file_name):
            await goes_on.wait()
        elif new.key.endswith(SPECS[1].file_name):
            raise S3UploadFailed

    store = WatchedStore(hang_or_fail)
    with pytest.raises(S3UploadFailed):
        await emitting_service(store).upload_image(SENT, "user", 123)
    goes_on.set()
    await asyncio.sleep(0.01)
    assert await store.keys() == []


async def test_cancelled_batch() -> None:
    """Whoever cancels a batch and waits for its end finds nothing left of the uploads that were under way."""
    reached = asyncio.Event()

    async def hang(number: int) -> None:
        await asyncio.sleep(0.001)
        if number == 3:
            reached.set()
            await asyncio.Event().wait()

    class SlowlyDeleting(WatchedStore):
        async def delete(self, key: str) -> None:
            await asyncio.sleep(0.01)
            await super().delete(key)

    store = SlowlyDeleting()
    service = emitting_service(store, processor=EmittingProcessor(pause=hang))
    task = asyncio.create_task(service.upload_images([SENT] * 5, "user", 123, concurrency=2))
    await asyncio.wait_for(reached.wait(), 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(store.created) >= 3
    assert await store.keys() == []


async def test_cancelled_again_while_taking_back() -> None:
    """A second cancellation ends the waiting, not the clean-up."""
    deleting, gate = asyncio.Event(), asyncio.Event()

    class SlowlyDeleting(WatchedStore):
        deleted = 0

        async def delete(self, key: str) -> None:
            deleting.set()
            await gate.wait()
            await super().delete(key)
            self.deleted += 1

    store = SlowlyDeleting(failing_at(3, S3UploadFailed()))
    task = asyncio.create_task(emitting_service(store).upload_image(SENT, "user", 123))
    await asyncio.wait_for(deleting.wait(), 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(await store.keys()) == 3
    gate.set()
    await until(lambda: store.deleted == 3)
    assert await store.keys() == []


async def test_renderer_that_goes_on_after_a_failure() -> None:
    """A renderer that cannot be stopped and finishes more variants later has nothing more stored."""
    later: list[Callable[[Rendition], None]] = []

    class Unstoppable(EmittingProcessor):
        async def render(self, *_: Any, on_variant: Callable[[Rendition], None] = ignore_variant, **__: Any) -> Any:
            later.append(on_variant)
            on_variant(rendition_of(SPECS[0]))
            raise ImageCorrupt

    store = WatchedStore()
    with pytest.raises(ImageCorrupt):
        await emitting_service(store, processor=Unstoppable()).upload_image(SENT, "user", 123)
    later[0](rendition_of(SPECS[1]))
    await asyncio.sleep(0.01)
    assert await store.keys() == []


async def test_original_that_appears_after_all() -> None:
    """A write whose answer never came, and which was carried out nevertheless, is taken back like the rest."""

    class Forgetful(WatchedStore):
        async def create(self, new: NewObject) -> str:
            etag = await super().create(new)
            if new.key.startswith("users/"):
                raise S3ConnectionFailed
            return etag

    store = Forgetful()
    with pytest.raises(S3ConnectionFailed):
        await emitting_service(store).upload_image(SENT, "user", 123)
    assert len(store.created) == len(SPECS) + 1
    assert await store.keys() == []


async def test_what_cannot_be_deleted_is_left_for_the_sweep(caplog: pytest.LogCaptureFixture) -> None:
    """A store that refuses deletions keeps variants, never an original; the caller hears of the first failure."""

    class Undeletable(WatchedStore):
        async def delete(self, key: str) -> None:
            raise S3DeleteFailed

    store = Undeletable(failing_at(4, S3UploadFailed()))
    with caplog.at_level(logging.WARNING), pytest.raises(S3UploadFailed):
        await emitting_service(store).upload_image(SENT, "user", 123)
    left = await store.keys()
    assert len(left) == 4
    assert all(key.startswith("variants/users/123/") for key in left)
    [record] = [record for record in caplog.records if record.getMessage() == "variants_left_to_the_sweep"]
    assert vars(record)["code"] == "S3_DELETE_FAILED"


async def test_time_for_storing_is_bounded() -> None:
    """A store that hangs ends the upload when the time for storing is over, and is not asked for ever to clean up."""

    class Hanging(WatchedStore):
        async def delete(self, key: str) -> None:
            await asyncio.Event().wait()

    async def hang_later(_: NewObject) -> None:
        if len(store.created) == 4:
            await asyncio.Event().wait()

    store = Hanging(hang_later)
    service = service_on(store, processor=EmittingProcessor(), plans=PLANS, store_timeout_seconds=0.05)
    async with asyncio.timeout(2):
        with pytest.raises(S3ConnectionFailed):
            await service.upload_image(SENT, "user", 123)
    assert len(await store.keys()) == 4


async def test_failure_of_one_upload_touches_no_other() -> None:
    """Another image of the same second whose key differs in its last letter keeps everything."""
    store = MemoryStore()
    service = emitting_service(store, tokens=["a1b2c3d5"])
    other = await service.upload_image(SENT, "user", 123)
    before = [listed.key for listed in await store.list("")]
    processor = EmittingProcessor(image_format=ImageFormat.PNG, pause=_break_at_the_end)
    with pytest.raises(ImageCorrupt):
        await emitting_service(store, processor=processor, tokens=["a1b2c3d4"]).upload_image(SENT, "user", 123)
    assert [listed.key for listed in await store.list("")] == before
    assert other["s3_key"] in before
    key = service.parse_key(other["s3_key"])
    assert all(variant_key(key, spec) in before for spec in SPECS)


async def _break_at_the_end(number: int) -> None:
    await asyncio.sleep(0)
    if number == len(SPECS):
        raise ImageCorrupt
