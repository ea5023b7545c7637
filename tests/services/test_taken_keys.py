"""Drawn keys that are taken: another is drawn, all is stored under that, and whose key it was keeps everything."""

from __future__ import annotations

import pytest

from app.core.exceptions import S3UploadFailed
from app.services.protocols import KeyTaken, NewObject
from tests.services.emitting import SPECS, WatchedStore, emitting_service
from tests.services.image_services import KEY, SENT, put

FIRST, SECOND = "a1b2c3d4", "zzzzzzzz"
TAKEN_STEM = f"variants/users/123/20241201_143022_{FIRST}"


@pytest.mark.parametrize("taken", [*range(len(SPECS)), None])
async def test_key_that_is_taken_is_drawn_again(taken: int | None) -> None:
    """When any object of the drawn key is another's, all goes to another key and what was there stays as it was."""
    store = WatchedStore()
    service = emitting_service(store, tokens=[FIRST, SECOND])
    there = KEY if taken is None else f"{TAKEN_STEM}/{SPECS[taken].file_name}"
    await put(service, there, b"another's")
    store.created.clear()

    result = await service.upload_image(SENT, "user", 123)

    assert result["s3_key"] == KEY.replace(FIRST, SECOND)
    ours = {result["s3_key"], *(variant["s3_key"] for variant in result["variants"])}
    assert len(ours) == len(SPECS) + 1
    assert all(SECOND in key for key in ours)
    assert set(await store.keys()) == {there, *ours}
    stream = await store.get(there)
    assert b"".join([chunk async for chunk in stream.chunks]) == b"another's"
    described = await service.get_image_metadata(result["s3_key"])
    assert described["variants"] == result["variants"]
    assert described["uploaded_at"] == result["uploaded_at"]


async def test_keys_that_stay_taken_leave_nothing() -> None:
    """A source of randomness that repeats itself ends in an error, and only what was there before remains."""
    store = WatchedStore()
    service = emitting_service(store, tokens=[FIRST] * 9)
    await put(service, f"{TAKEN_STEM}/{SPECS[2].file_name}")
    with pytest.raises(S3UploadFailed):
        await service.upload_image(SENT, "user", 123)
    assert await store.keys() == [f"{TAKEN_STEM}/{SPECS[2].file_name}"]


async def test_failure_after_the_key_was_drawn_again() -> None:
    """An upload that fails under its second key leaves nothing under either."""

    async def refuse_the_second(new: NewObject) -> None:
        if SECOND in new.key and new.key.startswith("users/"):
            raise S3UploadFailed
        if FIRST in new.key and new.key.startswith("users/"):
            raise KeyTaken

    store = WatchedStore(refuse_the_second)
    with pytest.raises(S3UploadFailed):
        await emitting_service(store, tokens=[FIRST, SECOND]).upload_image(SENT, "user", 123)
    assert len(store.created) == 2 * len(SPECS)
    assert await store.keys() == []
