"""Images that are stored: found, read, deleted, and nothing else reached."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.core.exceptions import (
    ImageNotFound,
    InvalidImageKey,
    S3AccessDenied,
    S3ConnectionFailed,
)
from app.images.formats import ImageFormat
from app.images.keys import parse_image_key
from app.images.records import RenderPlan
from app.services.image_service import ImageService
from app.services.memory_store import MemoryStore
from app.services.protocols import NewObject, StoredObject
from tests.services.emitting import SPECS, EmittingProcessor, emitting_service
from tests.services.image_services import (
    EVIL_KEYS,
    KEY,
    REPOSITORY,
    SENT,
    keys_in,
    put,
    service_on,
)


async def test_metadata_of_a_foreign_object(memory_image_service: ImageService) -> None:
    """An object that something else put at an image's key is described as far as it can be."""
    await put(memory_image_service, KEY, b"12345")
    facts = await memory_image_service.get_image_metadata(KEY)
    assert (facts["file_size"], facts["file_name"], facts["owner"]) == (5, KEY.rpartition("/")[2], "123")
    assert facts["metadata"]["width"] is None
    assert facts["uploaded_at"] == "2024-12-01T14:30:22.000000"


class Refusing(MemoryStore):
    """A store that refuses to tell whether anything is there."""

    async def head(self, key: str) -> StoredObject | None:
        raise S3AccessDenied


async def test_exists_only_as_the_store_says(memory_image_service: ImageService) -> None:
    """False means that the store says so: a refusal is an error, never False."""
    await put(memory_image_service, KEY)
    assert await memory_image_service.image_exists(KEY) is True
    assert await memory_image_service.image_exists(KEY.replace("a1", "b1")) is False
    with pytest.raises(S3AccessDenied):
        await service_on(Refusing()).image_exists(KEY)
    with pytest.raises(S3AccessDenied):
        await service_on(Refusing()).delete_image(KEY)


async def test_missing_image(memory_image_service: ImageService) -> None:
    """What is asked for by name and is not there is an error; deleting it is False."""
    with pytest.raises(ImageNotFound):
        await memory_image_service.download_image(KEY)
    with pytest.raises(ImageNotFound):
        await memory_image_service.get_image_metadata(KEY)
    assert await memory_image_service.delete_image(KEY) is False


async def test_delete_takes_the_variants_too(memory_image_service: ImageService) -> None:
    """True: it was there and is gone with all its variants. Neighbours and their variants stay."""
    variants = parse_image_key(KEY, prefixes={"users"}).variants_prefix
    neighbours = [
        KEY.replace("/123/", "/1234/"),
        KEY.replace("a1b2c3d4", "a1b2c3d5"),
        variants.replace("a1b2c3d4/", "a1b2c3d5/") + "w320.webp",
        variants.replace("/123/", "/12/") + "w320.webp",
    ]
    for key in (KEY, f"{variants}w320.webp", f"{variants}w640.avif", *neighbours):
        await put(memory_image_service, key)

    assert await memory_image_service.delete_image(KEY) is True
    assert await keys_in(memory_image_service) == sorted(neighbours)
    assert await memory_image_service.delete_image(KEY) is False


@pytest.mark.parametrize("extension", ["png", "webp", "avif"])
async def test_delete_of_one_of_two_images_with_the_same_name(extension: str) -> None:
    """Two images may differ in nothing but the extension; deleting one takes its own variants, and the last one all."""
    store = MemoryStore()
    first = await emitting_service(store, tokens=["a1b2c3d4"]).upload_image(SENT, "user", 123)
    other_format = next(each for each in ImageFormat if each.extension == extension)
    others = [replace(spec, effort=spec.effort + 1) for spec in SPECS[:4]]
    service = service_on(
        store,
        processor=EmittingProcessor(image_format=other_format),
        plans={"user": RenderPlan(variants=tuple(others))},
        new_token=lambda: "a1b2c3d4",
    )
    second = await service.upload_image(SENT, "user", 123)
    assert second["s3_key"] == KEY.replace("jpg", extension)
    leftover = parse_image_key(KEY, prefixes={"users"}).variants_prefix + "w320.webp"
    await put(service, leftover)

    assert await service.delete_image(first["s3_key"]) is True
    kept = {second["s3_key"], *(variant["s3_key"] for variant in second["variants"])}
    assert set(await keys_in(service)) == kept | {leftover}
    assert await service.delete_image(first["s3_key"]) is False
    assert set(await keys_in(service)) == kept | {leftover}
    assert await service.delete_image(second["s3_key"]) is True
    assert await keys_in(service) == []


async def test_delete_finishes_what_a_crash_left(memory_image_service: ImageService) -> None:
    """Variants whose image is already gone are removed, even thousands of them, and the answer is still False."""
    variants = KEY.removesuffix(".jpg")
    for number in range(1200):
        await put(memory_image_service, f"variants/{variants}/w{number}.webp")
    assert await memory_image_service.delete_image(KEY) is False
    assert await keys_in(memory_image_service) == []


@pytest.mark.parametrize("key", EVIL_KEYS, ids=lambda key: repr(key)[:60])
async def test_nothing_else_can_be_reached(memory_image_service: ImageService, key: Any) -> None:
    """Through this service nothing can be read, signed or deleted that is not an image of a known type."""
    service = memory_image_service
    stored = [key] if key and isinstance(key, str) else []
    for present in stored:
        await put(service, present)
    for refused in (service.get_image_url, service.get_presigned_url, service.parse_key):
        with pytest.raises(InvalidImageKey):
            refused(key)
    for method in (service.download_image, service.image_exists, service.get_image_metadata, service.delete_image):
        with pytest.raises(InvalidImageKey):
            await method(key)
    with pytest.raises(InvalidImageKey):
        async with service.open_image(key):
            pass
    assert await keys_in(service) == stored


async def test_damaged_download() -> None:
    """A picture whose bytes are not those that were stored is not handed out."""
    service = service_on(MemoryStore(), new_token=lambda: "a1b2c3d4")
    result = await service.upload_image(SENT, "user", 123)
    stored = await service.find_object(KEY)
    await service.parts.store.delete(KEY)
    await service.parts.store.create(NewObject(KEY, b"other bytes", "image/jpeg", "no-cache", dict(stored.metadata)))
    with pytest.raises(S3ConnectionFailed) as caught:
        await service.download_image(result["s3_key"])
    assert caught.value.retryable


IMPORT_AUDIT = """
import os, sys
seen = []
def audit(event, arguments):
    if event.startswith("socket.") or event in {"subprocess.Popen", "os.posix_spawn"}:
        seen.append(event)
    if event == "open" and isinstance(arguments[0], (str, bytes)):
        path = os.fsdecode(arguments[0])
        if path.rpartition("/")[2] in {".env", "config", "credentials"} or arguments[1] not in ("r", "rb", None):
            seen.append(f"{event} {path}")
sys.addaudithook(audit)
sys.dont_write_bytecode = True
from app.services.image_service import image_service
from app.services import image_service as module
print(type(image_service).__name__, module.ImageService.__name__, sorted(set(seen)), "pyvips" in sys.modules)
print(sorted(name for name in ("boto3", "botocore") if name in sys.modules))
"""


def test_importing_does_nothing(tmp_path: Path) -> None:
    """Importing the service opens no connection, reads no `.env`, starts nothing, and needs no configuration."""
    (tmp_path / ".env").write_text("S3_BUCKET_NAME=INVALID NAME\n")
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "S3_USE_SSL": "not a boolean"}
    command = [sys.executable, "-c", IMPORT_AUDIT]
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout.splitlines() == ["ImageService ImageService [] False", "[]"]
