"""Uploads through the image service: results, keys, batches, collisions, cancellation."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import re
from pathlib import Path
from typing import Any, Literal, cast

import pytest
from fastapi import UploadFile

from app.core.exceptions import (
    ImageEmpty,
    ImageTruncated,
    InvalidImageType,
    InvalidRequest,
    InvalidUserId,
    S3UploadFailed,
)
from app.services.image_service import ImageService
from app.services.memory_store import MemoryStore
from app.services.protocols import NewObject
from app.services.upload_sources import UploadSource
from tests.pictures import decode, make_jpeg, make_png
from tests.services.image_services import (
    KEY,
    SENT,
    closed_file,
    keys_in,
    service_on,
)

PLACEHOLDERS: tuple[Literal["dhash", "dominant_color", "thumbhash"], ...] = ("dhash", "dominant_color", "thumbhash")


async def test_result_of_an_upload() -> None:
    """An upload answers with everything that a caller keeps or shows."""
    sent = make_jpeg(3000, 2000)
    service = service_on(MemoryStore(), new_token=lambda: "a1b2c3d4")

    result = await service.upload_image(UploadFile(io.BytesIO(sent), filename="holiday.jpeg"), "user", 123)

    stored = await service.download_image(KEY)
    assert result == {
        "s3_key": KEY,
        "file_name": "holiday.jpeg",
        "file_size": len(stored),
        "file_type": "jpg",
        "image_type": "user",
        "user_id": "123",
        "url": f"https://photos.s3.eu-central-1.amazonaws.com/{KEY}",
        "uploaded_at": "2024-12-01T14:30:22.123456",
        "etag": result["etag"],
        "metadata": {
            "width": 2560,
            "height": 1707,
            "format": "jpeg",
            "has_alpha": False,
            "is_animated": False,
            "sha256": hashlib.sha256(stored).hexdigest(),
            "dhash": result["metadata"]["dhash"],
            "thumbhash": result["metadata"]["thumbhash"],
            "blurhash": result["metadata"]["blurhash"],
            "dominant_color": result["metadata"]["dominant_color"],
            "focal_point": None,
            "privacy": {"removed": [], "kept": []},
            "bytes_saved": len(sent) - len(stored),
            "source": {"width": 3000, "height": 2000, "format": "jpeg", "file_size": len(sent), "frames": 1},
        },
        "variants": [],
        "manifest": await service.get_manifest(KEY),
    }
    placeholders = " ".join(str(result["metadata"][name]) for name in PLACEHOLDERS)
    assert re.fullmatch(r"[0-9a-f]{16} #[0-9a-f]{6} [A-Za-z0-9+/]{20,40}", placeholders)
    assert re.fullmatch(r'"[^"]+"', result["etag"])
    assert decode(stored).size == (2560, 1707)


async def test_metadata_repeats_the_result(memory_image_service: ImageService) -> None:
    """What the upload answered can be asked for at any time, with who owns it and who may see it."""
    result = await memory_image_service.upload_image(make_png(40, 30), "property", owner="host-1", file_name="é.png")
    facts = await memory_image_service.get_image_metadata(result["s3_key"])
    more = {"content_type": "image/png", "owner": "host-1", "visibility": "public"}
    assert facts == cast(dict[str, Any], result) | more


async def test_key_of_each_type(memory_image_service: ImageService) -> None:
    """The key says type, user, second and format, and general uploads have no user part."""
    for image_type, prefix in (("user", "users"), ("property", "properties"), ("room", "rooms")):
        for user_id, folder in ((None, ""), (7, "7/"), ("ann b", "ann b/")):
            result = await memory_image_service.upload_image(make_png(8, 8), image_type, user_id)
            pattern = rf"{prefix}/{re.escape(folder)}\d{{8}}_\d{{6}}_[a-z0-9]{{8}}\.png"
            assert re.fullmatch(pattern, result["s3_key"])


@pytest.mark.parametrize("user_id", ["", "a/b", "..", "a..b", "a\\b", "x" * 65, "a\nb", "a\0b", "\u202eab", " a", True])
async def test_invalid_user_id(memory_image_service: ImageService, user_id: str) -> None:
    """A user id that could be read as a path, or not be read at all, is refused before anything is done."""
    with pytest.raises(InvalidUserId):
        await memory_image_service.upload_image(SENT, "user", user_id)


@pytest.mark.parametrize("image_type", ["", "users", "User", "avatar", "../user"])
async def test_unknown_type(memory_image_service: ImageService, image_type: str) -> None:
    """Types come from the table, by their names."""
    with pytest.raises(InvalidImageType):
        await memory_image_service.upload_image(SENT, image_type, 1)
    with pytest.raises(InvalidImageType):
        await memory_image_service.list_images(image_type)


async def test_who_may_cache(memory_image_service: ImageService) -> None:
    """Public pictures may be cached for ever, private ones not at all."""
    for image_type, expected in (
        ("room", "public, max-age=31536000, immutable"),
        ("document", "private, no-store"),
    ):
        result = await memory_image_service.upload_image(SENT, image_type, 1)
        assert (await memory_image_service.find_object(result["s3_key"])).cache_control == expected


async def test_batch(memory_image_service: ImageService, tmp_path: Path) -> None:
    """Each file of a batch has its own outcome, in the order of the files; one failure costs no other."""
    files: list[UploadSource] = [SENT, b"", tmp_path / "none.jpg", closed_file(), make_png(9, 9), SENT[:-200]]
    outcomes = await memory_image_service.upload_images(files, "room", 5, concurrency=2)
    assert [type(outcome.error) for outcome in outcomes] == [
        type(None),
        ImageEmpty,
        InvalidRequest,
        InvalidRequest,
        type(None),
        ImageTruncated,
    ]
    assert [outcome.result is None for outcome in outcomes] == [False, True, True, True, False, True]
    assert outcomes[2].file_name == "none.jpg"
    assert len(await keys_in(memory_image_service)) == 2


async def test_empty_batch(memory_image_service: ImageService) -> None:
    """No files, no outcomes."""
    assert await memory_image_service.upload_images([], "room") == []


async def test_batch_is_bounded() -> None:
    """No more files are worked on at once than asked for; the least is one."""
    under_way: list[int] = [0, 0]

    class Counting(MemoryStore):
        async def create(self, new: NewObject) -> str:
            under_way[0] += 1
            under_way[1] = max(under_way)
            await asyncio.sleep(0.002)
            under_way[0] -= 1
            return await super().create(new)

    service = service_on(Counting())
    for concurrency, most in ((2, 2), (0, 1)):
        under_way[1] = 0
        outcomes = await service.upload_images([SENT] * 6, "room", concurrency=concurrency)
        assert all(outcome.result for outcome in outcomes)
        assert under_way[1] <= most


async def test_taken_key_is_drawn_again() -> None:
    """When the drawn key is taken another one is drawn; the picture that has it is not touched."""
    tokens = iter(["a1b2c3d4", "a1b2c3d4", "a1b2c3d4", "zzzzzzzz"])
    service = service_on(MemoryStore(), new_token=lambda: next(tokens))
    first = await service.upload_image(make_jpeg(20, 20, quality=90), "user", 123)
    second = await service.upload_image(make_jpeg(30, 30, quality=90), "user", 123)
    assert first["s3_key"] == KEY
    assert second["s3_key"] == KEY.replace("a1b2c3d4", "zzzzzzzz")
    assert decode(await service.download_image(KEY)).size == (20, 20)


async def test_keys_that_stay_taken() -> None:
    """A source of randomness that repeats itself ends in an error, not in a loop."""
    service = service_on(MemoryStore(), new_token=lambda: "a1b2c3d4")
    await service.upload_image(SENT, "user", 123)
    with pytest.raises(S3UploadFailed):
        await service.upload_image(SENT, "user", 123)


async def test_cancelled_upload_leaves_nothing(memory_image_service: ImageService) -> None:
    """Whenever an upload is cancelled, before, while or after rendering, nothing is left of it."""
    finished = []
    for turns in range(0, 30, 3):
        task = asyncio.create_task(memory_image_service.upload_image(make_jpeg(200, 200), "user", 1))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            finished.append((await task)["s3_key"])
    assert len(finished) < 10
    assert await keys_in(memory_image_service) == sorted(finished)
