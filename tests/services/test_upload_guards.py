"""What must not take other uploads down with it: a broken source, a stalled one, a fork, foreign metadata."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from app.core.exceptions import ErrorCode, InvalidUserId, S3AccessDenied, S3ConnectionFailed, UploadTimedOut
from app.images.facts import Facts
from app.services.image_service import ImageService
from app.services.memory_store import MemoryStore
from app.services.protocols import ListedObject, NewObject, StoredObject
from app.services.upload_sources import UploadSource
from tests.pictures import make_jpeg


class BrokenSource:
    """A file object with a fault of its own."""

    filename: str | None = "broken.jpg"

    async def read(self, size: int = -1) -> bytes:
        raise ZeroDivisionError


class StalledSource:
    """A file object whose bytes never come."""

    filename: str | None = "stalled.jpg"

    async def read(self, size: int = -1) -> bytes:
        await asyncio.Event().wait()
        return b""


def with_parts(service: ImageService, **changes: Any) -> ImageService:
    parts = replace(service.parts, **changes)
    return ImageService(lambda: parts)


async def test_a_fault_in_one_file_loses_no_other(memory_image_service: ImageService) -> None:
    """A batch gives an outcome for every file, also when reading one fails in a way that nobody foresaw."""
    files: list[UploadSource] = [make_jpeg(40, 30), BrokenSource(), make_jpeg(30, 40)]
    outcomes = await memory_image_service.upload_images(files, "user", 1)
    assert [outcome.error.code if outcome.error else None for outcome in outcomes] == [
        None,
        ErrorCode.INTERNAL_ERROR,
        None,
    ]
    assert len((await memory_image_service.list_images("user", 1))["images"]) == 2


async def test_a_stalled_source_gives_its_place_back(memory_image_service: ImageService) -> None:
    """Sources that never deliver end with an error, and ordinary uploads go on."""
    service = with_parts(memory_image_service, source_timeout_seconds=0.05)
    stalled = [service.upload_image(StalledSource(), "user", 1) for _ in range(20)]
    outcomes = await asyncio.gather(*stalled, return_exceptions=True)
    assert all(isinstance(outcome, UploadTimedOut) for outcome in outcomes)
    assert await service.upload_image(make_jpeg(40, 30), "user", 1)


@pytest.mark.parametrize("owner", ["", "a" * 65, "a/b", "line\nbreak"])
async def test_an_owner_is_a_user_id(memory_image_service: ImageService, owner: str) -> None:
    """An owner that could not be a user is refused before anything is stored."""
    with pytest.raises(InvalidUserId):
        await memory_image_service.upload_image(make_jpeg(40, 30), "user", 1, owner=owner)
    assert not (await memory_image_service.list_images("user", 1))["images"]


async def test_every_variant_goes_however_many_there_are(memory_image_service: ImageService) -> None:
    """Deleting an image leaves nothing behind, also past the 1,000 keys of one listing."""
    store = memory_image_service.parts.store
    assert isinstance(store, MemoryStore)
    uploaded = await memory_image_service.upload_image(make_jpeg(40, 30), "user", 1)
    prefix = memory_image_service.parse_key(uploaded["s3_key"]).variants_prefix
    for number in range(1_203):
        await store.create(NewObject(f"{prefix}{number:04d}.webp", b"variant", "image/webp", "no-cache"))
    assert await memory_image_service.delete_image(uploaded["s3_key"])
    assert await store.list("") == []


def test_metadata_of_others_cannot_smuggle_lines() -> None:
    """A file name written by somebody else reaches no header with a line break in it."""
    assert Facts.from_metadata({"file-name": "a%0D%0AX-Evil: 1.jpg"}).file_name == "aX-Evil: 1.jpg"


FORKED = """
import asyncio, os, sys
from app.services.decoder.thread_processor import ThreadProcessor
from app.images.inspection import inspect_image
from app.images.limits import PixelLimits
from app.images.records import RenderPlan
content = bytes.fromhex(sys.stdin.read())
structure = inspect_image(content, PixelLimits(10**6, 10**4))
processor = ThreadProcessor(threads=2)
def render():
    return asyncio.run(processor.render(structure, file_size=len(content), plan=RenderPlan(max_side_pixels=100)))
render()
child = os.fork()
if not child:
    try:
        render()
    except Exception as error:
        os._exit(42 if "forked" in str(error) else 1)
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_fork_after_the_first_picture_is_told() -> None:
    """A forked worker whose parent had processed pictures gets an error that says so; it does not hang."""
    command = [sys.executable, "-W", "ignore", "-c", FORKED]
    done = subprocess.run(command, input=make_jpeg(40, 30).hex(), text=True, timeout=60, check=False)
    assert done.returncode == 42


@pytest.mark.parametrize("user_id", [b"x", [1], 1.5, True, ("a",)], ids=repr)
async def test_a_user_id_is_a_text_or_a_whole_number(memory_image_service: ImageService, user_id: object) -> None:
    """A value of another kind, passed by mistake, becomes no folder."""
    with pytest.raises(InvalidUserId):
        await memory_image_service.upload_image(make_jpeg(40, 30), "user", user_id)  # type: ignore[arg-type]


class SlowStore(MemoryStore):
    """Every answer takes its time, though each is in time by itself."""

    async def head(self, key: str) -> StoredObject | None:
        await asyncio.sleep(0.15)
        return await super().head(key)

    async def list(self, prefix: str, *, start_after: str = "", limit: int = 1000) -> list[ListedObject]:
        await asyncio.sleep(0.15)
        return await super().list(prefix, start_after=start_after, limit=limit)


async def test_the_time_holds_for_all_that_one_call_asks(memory_image_service: ImageService) -> None:
    """A delete that asks a slow store several times ends when the time of one call is over."""
    service = with_parts(memory_image_service, store=SlowStore(), store_timeout_seconds=0.2)
    uploaded = await service.upload_image(make_jpeg(40, 30), "user", 1)
    with pytest.raises(S3ConnectionFailed):
        await service.delete_image(uploaded["s3_key"])


class UnlistableStore(MemoryStore):
    """Credentials without s3:ListBucket."""

    async def list(self, prefix: str, *, start_after: str = "", limit: int = 1000) -> list[ListedObject]:
        raise S3AccessDenied


async def test_a_delete_that_cannot_finish_does_not_begin(memory_image_service: ImageService) -> None:
    """A store that refuses to list variants refuses before the image is gone."""
    service = with_parts(memory_image_service, store=UnlistableStore())
    uploaded = await service.upload_image(make_jpeg(40, 30), "user", 1)
    with pytest.raises(S3AccessDenied):
        await service.delete_image(uploaded["s3_key"])
    assert await service.image_exists(uploaded["s3_key"])
