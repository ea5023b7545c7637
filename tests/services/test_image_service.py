"""The use cases on the store in memory: what callers send, what they get back, and what stays in the store."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest
from fastapi import UploadFile

from app.core.exceptions import (
    ImageEmpty,
    ImageFormatUnsupported,
    ImageNotFound,
    ImageServiceError,
    ImageTooLarge,
    ImageTruncated,
    InvalidImageKey,
    InvalidImageType,
    InvalidRequest,
    InvalidUserId,
    S3AccessDenied,
    S3ConnectionFailed,
    S3UploadFailed,
)
from app.core.image_types import ImageType
from app.images.keys import parse_image_key
from app.services.image_service import ImageService
from app.services.memory_store import MemoryStore
from app.services.protocols import NewObject, ObjectStore, StoredObject
from app.services.s3_connection import S3Connection
from app.services.upload_sources import UploadSource
from tests.conftest import IMAGE_TYPES, make_image_service
from tests.pictures import decode, make_jpeg, make_png, make_webp

REPOSITORY = Path(__file__).parents[2]
NOW = datetime(2024, 12, 1, 14, 30, 22, 123456, tzinfo=UTC)
KEY = "users/123/20241201_143022_a1b2c3d4.jpg"
CONNECTION = S3Connection("photos", "eu-central-1", access_key_id="AKIAEXAMPLE", secret_access_key="example")

EVIL_KEYS = [
    "",
    "/",
    "users",
    "users/",
    "users/123/",
    "incoming/20241201_143022_a1b2c3d4.jpg",
    "variants/users/123/20241201_143022_a1b2c3d4/w320.webp",
    "secrets/20241201_143022_a1b2c3d4.jpg",
    "/users/123/20241201_143022_a1b2c3d4.jpg",
    "users//20241201_143022_a1b2c3d4.jpg",
    "users/../rooms/20241201_143022_a1b2c3d4.jpg",
    "users/./20241201_143022_a1b2c3d4.jpg",
    "users/1/2/20241201_143022_a1b2c3d4.jpg",
    "users/123/20241201_143022_a1b2c3d4.jpg/",
    "users/123/20241201_143022_a1b2c3d4.jpg\n",
    "users/123/20241201_143022_a1b2c3d4.jpg\0",
    "users/123/20241201_143022_a1b2c3d4.exe",
    "users/123/20241201_143022_A1B2C3D4.jpg",
    "users/123/20241301_143022_a1b2c3d4.jpg",
    "users/123/20241201_143022_a1b2c3d.jpg",
    "users\\123\\20241201_143022_a1b2c3d4.jpg",
    "USERS/123/20241201_143022_a1b2c3d4.jpg",
    "users/1\u202e23/20241201_143022_a1b2c3d4.jpg",
    "users/%2e%2e/20241201_143022_a1b2c3d4.jpg?x=../",
    "https://photos.s3.amazonaws.com/users/123/20241201_143022_a1b2c3d4.jpg",
    "users/" + "x" * 2000 + "/20241201_143022_a1b2c3d4.jpg",
    None,
    7,
    b"users/123/20241201_143022_a1b2c3d4.jpg",
]


def service_on(store: ObjectStore, **changes: Any) -> ImageService:
    return make_image_service(store, CONNECTION, **({"now": lambda: NOW} | changes))


async def keys_in(service: ImageService) -> list[str]:
    return [listed.key for listed in await service.parts.store.list("")]


async def put(service: ImageService, key: str, body: bytes = b"x") -> None:
    await service.parts.store.create(NewObject(key, body, "image/jpeg", "no-cache"))


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
            "sha256": hashlib.sha256(stored).hexdigest(),
            "bytes_saved": len(sent) - len(stored),
            "source": {"width": 3000, "height": 2000, "format": "jpeg", "file_size": len(sent), "frames": 1},
        },
    }
    assert re.fullmatch(r'"[^"]+"', result["etag"])
    assert decode(stored).size == (2560, 1707)


async def test_metadata_repeats_the_result(memory_image_service: ImageService) -> None:
    """What the upload answered can be asked for at any time, with who owns it and who may see it."""
    result = await memory_image_service.upload_image(make_png(40, 30), "property", owner="host-1", file_name="é.png")
    facts = await memory_image_service.get_image_metadata(result["s3_key"])
    more = {"content_type": "image/png", "owner": "host-1", "visibility": "public"}
    assert facts == cast(dict[str, Any], result) | more


async def test_metadata_of_a_foreign_object(memory_image_service: ImageService) -> None:
    """An object that something else put at an image's key is described as far as it can be."""
    await put(memory_image_service, KEY, b"12345")
    facts = await memory_image_service.get_image_metadata(KEY)
    assert (facts["file_size"], facts["file_name"], facts["owner"]) == (5, KEY.rpartition("/")[2], "123")
    assert facts["metadata"]["width"] is None
    assert facts["uploaded_at"] == "2024-12-01T14:30:22.000000"


async def test_key_of_each_type(memory_image_service: ImageService) -> None:
    """The key says type, user, second and format, and general uploads have no user part."""
    for image_type, prefix in (("user", "users"), ("property", "properties"), ("room", "rooms")):
        for user_id, folder in ((None, ""), (7, "7/"), ("ann b", "ann b/")):
            result = await memory_image_service.upload_image(make_png(8, 8), image_type, user_id)
            pattern = rf"{prefix}/{re.escape(folder)}\d{{8}}_\d{{6}}_[a-z0-9]{{8}}\.png"
            assert re.fullmatch(pattern, result["s3_key"])


class ShortReads(io.RawIOBase):
    """A raw file, as of a pipe or a socket: it gives less than it is asked for."""

    def __init__(self, content: bytes) -> None:
        self._rest = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._rest.read(min(len(buffer), 700))
        buffer[: len(piece)] = piece
        return len(piece)


class AsyncShortReads:
    filename: str | None = "a.jpg"

    def __init__(self, content: bytes) -> None:
        self._rest = io.BytesIO(content)

    async def read(self, size: int = -1) -> bytes:
        return self._rest.read(min(size, 700))


SENT = make_jpeg(64, 48)


@pytest.fixture
def sources(tmp_path: Path) -> Iterator[dict[str, tuple[UploadSource, str | None]]]:
    path = tmp_path / "photo.jpg"
    path.write_bytes(SENT)
    with path.open("rb") as opened, path.open("rb", buffering=0) as unbuffered:
        yield {
            "UploadFile": (UploadFile(io.BytesIO(SENT), filename="photo.jpg"), "photo.jpg"),
            "bytes": (SENT, None),
            "bytearray": (bytearray(SENT), None),
            "memoryview": (memoryview(SENT), None),
            "path": (path, "photo.jpg"),
            "path as text": (str(path), "photo.jpg"),
            "open file": (opened, "photo.jpg"),
            "unbuffered file": (cast(BinaryIO, unbuffered), "photo.jpg"),
            "in memory": (io.BytesIO(SENT), None),
            "short reads": (cast(BinaryIO, ShortReads(SENT)), None),
            "asynchronous short reads": (AsyncShortReads(SENT), "a.jpg"),
        }


async def test_every_kind_of_source(
    memory_image_service: ImageService, sources: dict[str, tuple[UploadSource, str | None]]
) -> None:
    """A picture may come as an upload, bytes, a path or a file: the stored picture is the same."""
    digests = set()
    for source, name in sources.values():
        result = await memory_image_service.upload_image(source, "user", 1)
        assert result["file_name"] == (name or result["s3_key"].rpartition("/")[2])
        digests.add(result["metadata"]["sha256"])
    assert len(digests) == 1


def closed_file() -> BinaryIO:
    file = io.BytesIO(SENT)
    file.close()
    return file


@pytest.mark.parametrize(
    ("source", "error"),
    [
        (b"", ImageEmpty),
        (io.BytesIO(), ImageEmpty),
        (b"GIF89a" + bytes(50), ImageFormatUnsupported),
        (b"%PDF-1.7", ImageFormatUnsupported),
        (SENT[:-200], ImageTruncated),
        ("/no/such/file.jpg", InvalidRequest),
        ("bad\0name.jpg", InvalidRequest),
        (Path("/"), InvalidRequest),
        (io.StringIO("text"), InvalidRequest),
        (closed_file(), InvalidRequest),
        (42, InvalidRequest),
        (None, InvalidRequest),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else repr(value)[:20],
)
async def test_what_cannot_be_stored(memory_image_service: ImageService, source: Any, error: type[Exception]) -> None:
    """What is no whole picture, or cannot be read, is refused by name, and nothing is stored."""
    with pytest.raises(error):
        await memory_image_service.upload_image(source, "user", 1)
    assert await keys_in(memory_image_service) == []


async def test_limit_in_bytes() -> None:
    """A file of exactly the limit is taken, one byte more is refused, and a type may have its own limit."""
    types = {**IMAGE_TYPES, "avatar": ImageType(prefix="avatars", max_upload_bytes=len(SENT) - 1)}
    service = service_on(MemoryStore(), max_upload_bytes=len(SENT), types=types)
    await service.upload_image(io.BytesIO(SENT), "user", 1)
    for source, image_type in ((SENT + b"\0", "user"), (SENT, "avatar")):
        with pytest.raises(ImageTooLarge):
            await service.upload_image(io.BytesIO(source), image_type, 1)


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


async def test_format_is_that_of_the_bytes(memory_image_service: ImageService) -> None:
    """Neither the file's name nor its claimed type decides how it is stored and served."""
    result = await memory_image_service.upload_image(make_webp(16, 16), "user", 1, file_name="script.html")
    stored = await memory_image_service.find_object(result["s3_key"])
    assert (result["file_type"], stored.content_type) == ("webp", "image/webp")


async def test_who_may_cache(memory_image_service: ImageService) -> None:
    """Public pictures may be cached for ever, private ones never without asking."""
    for image_type, expected in (
        ("room", "public, max-age=31536000, immutable"),
        ("document", "private, no-cache"),
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


async def test_every_error_is_ours(memory_image_service: ImageService) -> None:
    """Whatever bytes come, they are stored or refused by name."""
    for length in range(0, len(SENT), 97):
        with pytest.raises(ImageServiceError):
            await memory_image_service.upload_image(SENT[:length], "user", 1)


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
