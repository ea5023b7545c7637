"""Image services on a store in memory, and what lies in it."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from app.services.image_service import ImageService
from app.services.protocols import NewObject, ObjectStore
from app.services.s3_connection import S3Connection
from tests.conftest import make_image_service
from tests.pictures import make_jpeg

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


SENT = make_jpeg(64, 48)


def closed_file() -> BinaryIO:
    file = io.BytesIO(SENT)
    file.close()
    return file
