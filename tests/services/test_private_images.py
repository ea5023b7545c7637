"""Single private images on a real bucket, with the policy that `bucket init` and the embedded store give it."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import pytest

from app.core.exceptions import InvalidRequest
from app.core.image_types import ImageTypes
from app.services.bucket_setup import prepare_embedded_bucket
from app.services.delivery_policy import DeliveryPolicy
from app.services.image_service import ImageService
from app.services.protocols import NewObject
from app.services.s3_connection import S3Connection
from app.services.s3_presign import S3UrlSigner
from app.services.s3_service import S3Service
from tests.conftest import IMAGE_TYPES, BucketFactory, make_image_service
from tests.fetching import fetch
from tests.services.buckets import settings_with
from tests.services.emitting import PLANS, EmittingProcessor
from tests.services.image_services import SENT, service_on

VISIBILITIES = [
    ("user", None, "public"),
    ("user", "public", "public"),
    ("user", "private", "private"),
    ("document", None, "private"),
    ("document", "private", "private"),
]


def prepared(make_bucket: BucketFactory, types: ImageTypes = IMAGE_TYPES) -> tuple[ImageService, S3Connection]:
    connection = make_bucket()
    prepare_embedded_bucket(connection, settings_with(image_types=dict(types)))
    store = S3Service(lambda: connection)
    return make_image_service(store, connection, processor=EmittingProcessor(), plans=PLANS), connection


async def statuses_of(connection: S3Connection, keys: list[str]) -> set[int]:
    """What a stranger gets for these objects."""
    urls = S3UrlSigner(lambda: connection)
    answers = await asyncio.gather(*(asyncio.to_thread(fetch, urls.public_url(key)) for key in keys))
    return {status for status, _ in answers}


@pytest.mark.parametrize("user_id", ["rené 7", None])
@pytest.mark.parametrize(("image_type", "visibility", "expected"), VISIBILITIES)
async def test_strangers_get_what_is_public_and_nothing_else(
    make_bucket: BucketFactory, image_type: str, visibility: str | None, expected: str, user_id: str | None
) -> None:
    """The store itself refuses strangers a private image, its variants and every result made of it."""
    service, connection = prepared(make_bucket)
    image = await service.upload_image(SENT, image_type, user_id, visibility=visibility)
    key = service.parse_key(image["s3_key"])
    result = f"{key.variants_prefix}t{secrets.token_hex(8)}.webp"
    await service.parts.store.create(NewObject(result, b"result", "image/webp", "no-cache"))
    objects = [image["s3_key"], *(variant["s3_key"] for variant in image["variants"]), result]

    described = await service.get_image_metadata(image["s3_key"])

    assert len(objects) > 3
    assert described["visibility"] == expected
    assert (described["image_type"], described["owner"]) == (image_type, user_id)
    assert await statuses_of(connection, objects) == {200 if expected == "public" else 403}
    cached = {(await service.parts.store.head(name)).cache_control for name in objects[:-1]}  # type: ignore[union-attr]
    assert cached == {"public, max-age=31536000, immutable" if expected == "public" else "private, no-store"}


async def test_change_of_visibility_is_seen_by_strangers(make_bucket: BucketFactory) -> None:
    """An image that was made private is closed at both of its addresses; made public, it is open again."""
    service, connection = prepared(make_bucket)
    public = await service.upload_image(SENT, "user", 1)
    objects = [public["s3_key"], *(variant["s3_key"] for variant in public["variants"])]
    moved = [name.replace("users/", "private/users/") for name in objects]

    private = await service.set_visibility(public["s3_key"], "private")

    assert [private["s3_key"], *(variant["s3_key"] for variant in private["variants"])] == moved
    assert 200 not in await statuses_of(connection, [*objects, *moved])
    assert {(await service.parts.store.head(name)).cache_control for name in moved} == {"private, no-store"}  # type: ignore[union-attr]
    opened = await service.set_visibility(private["s3_key"], "public")
    assert opened["s3_key"] == public["s3_key"]
    assert await statuses_of(connection, objects) == {200}
    assert (await service.find_object(opened["s3_key"])).cache_control == "public, max-age=31536000, immutable"


async def test_life_of_a_private_image(make_bucket: BucketFactory) -> None:
    """A private image is stored, read, presigned, listed, swept around and deleted as any other."""
    service, _ = prepared(make_bucket)
    image = await service.upload_image(SENT, "user", 1, visibility="private")
    key = image["s3_key"]

    assert key.startswith("private/users/1/")
    assert await service.image_exists(key)
    assert (await asyncio.to_thread(fetch, service.get_presigned_url(key)))[0] == 200
    assert [each["s3_key"] for each in (await service.list_images("user", 1))["images"]] == [key]
    assert (await service.list_images("user", 1, visibility="public"))["images"] == []
    assert await service.delete_image(key)
    assert await service.parts.store.list("") == []


async def test_private_type_has_no_public_image(memory_image_service: ImageService) -> None:
    """What the bucket's policy cannot do is refused: nothing is stored, nothing moves."""
    service = memory_image_service
    with pytest.raises(InvalidRequest, match="policy"):
        await service.upload_image(SENT, "document", 1, visibility="public")
    assert await service.parts.store.list("") == []
    image = await service.upload_image(SENT, "document", 1)
    with pytest.raises(InvalidRequest, match="policy"):
        await service.set_visibility(image["s3_key"], "public")
    assert (await service.set_visibility(image["s3_key"], "private"))["s3_key"] == image["s3_key"]


@pytest.mark.parametrize("visibility", ["", "Private", "secret", "public "])
async def test_unknown_visibility(memory_image_service: ImageService, visibility: str) -> None:
    """A visibility that does not exist is refused rather than read as public."""
    with pytest.raises(InvalidRequest, match="public, private"):
        await memory_image_service.upload_image(SENT, "user", 1, visibility=visibility)
    with pytest.raises(InvalidRequest, match="public, private"):
        await memory_image_service.list_images(visibility=visibility)


@pytest.mark.parametrize(("seconds", "expected"), [(0, "private, no-store"), (90, "private, max-age=90")])
async def test_how_long_private_images_are_cached(
    memory_image_service: ImageService, seconds: int, expected: str
) -> None:
    """Browsers keep private images for as long as the setting says; by default not at all."""
    store = memory_image_service.parts.store
    changes: dict[str, Any] = {"delivery": DeliveryPolicy(private_cache_seconds=seconds)}
    service = service_on(store, **changes)
    image = await service.upload_image(SENT, "user", 1, visibility="private")
    assert (await service.find_object(image["s3_key"])).cache_control == expected


async def test_private_image_in_a_folder_is_its_users(memory_image_service: ImageService) -> None:
    """Whose a private image in a folder is needs no look-up: no other owner can be given, at once or later."""
    service = memory_image_service
    for image_type, visibility in [("document", None), ("user", "private")]:
        with pytest.raises(InvalidRequest, match="folder"):
            await service.upload_image(SENT, image_type, 1, owner="9", visibility=visibility)
    public = await service.upload_image(SENT, "user", 1, owner="9")
    with pytest.raises(InvalidRequest, match="folder"):
        await service.set_visibility(public["s3_key"], "private")
    general = await service.upload_image(SENT, "user", None, owner="9", visibility="private")
    assert (await service.get_image_metadata(general["s3_key"]))["owner"] == "9"
    assert len(await service.parts.store.list("")) == 2
