"""What callers may hand over for an upload, and what is refused."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest
from fastapi import UploadFile

from app.core.exceptions import (
    ImageEmpty,
    ImageFormatUnsupported,
    ImageServiceError,
    ImageTooLarge,
    ImageTruncated,
    InvalidRequest,
)
from app.core.image_types import ImageType
from app.services.image_service import ImageService
from app.services.memory_store import MemoryStore
from app.services.upload_sources import UploadSource
from tests.conftest import IMAGE_TYPES
from tests.pictures import make_webp
from tests.services.image_services import (
    SENT,
    closed_file,
    keys_in,
    service_on,
)


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


@pytest.mark.parametrize(
    ("source", "error"),
    [
        (b"", ImageEmpty),
        (io.BytesIO(), ImageEmpty),
        (b"BM" + bytes(50), ImageFormatUnsupported),
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


async def test_format_is_that_of_the_bytes(memory_image_service: ImageService) -> None:
    """Neither the file's name nor its claimed type decides how it is stored and served."""
    result = await memory_image_service.upload_image(make_webp(16, 16), "user", 1, file_name="script.html")
    stored = await memory_image_service.find_object(result["s3_key"])
    assert (result["file_type"], stored.content_type) == ("webp", "image/webp")


async def test_every_error_is_ours(memory_image_service: ImageService) -> None:
    """Whatever bytes come, they are stored or refused by name."""
    for length in range(0, len(SENT), 97):
        with pytest.raises(ImageServiceError):
            await memory_image_service.upload_image(SENT[:length], "user", 1)
