"""Manifests of stored images: how often the store is asked, what is signed, and what is told of images that are not."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from app.core.exceptions import (
    ImageNotFound,
    InvalidImageKey,
    InvalidRequest,
    S3AccessDenied,
    S3ConnectionFailed,
    TooManyFiles,
)
from app.core.image_types import Visibility
from app.services.image_service import ImageService
from app.services.memory_store import MemoryStore
from app.services.protocols import StoredObject
from app.services.results import Manifest
from tests.services.emitting import FACTS, PLANS, SPECS, EmittingProcessor
from tests.services.image_services import KEY, NOW, SENT, put, service_on

URL = re.compile(r"https://[^\s\"'&]+")


class CountingStore(MemoryStore):
    """Counts what it is asked, and how much of it at once."""

    def __init__(self) -> None:
        super().__init__()
        self.heads: list[str] = []
        self.most_at_once = 0
        self._under_way = 0

    async def head(self, key: str) -> StoredObject | None:
        """See `ObjectStore.head`."""
        self.heads.append(key)
        self._under_way += 1
        self.most_at_once = max(self.most_at_once, self._under_way)
        await asyncio.sleep(0)
        self._under_way -= 1
        return await super().head(key)


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.moment = NOW

    def __call__(self) -> datetime:
        return self.moment


@pytest.fixture
def store() -> CountingStore:
    return CountingStore()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def service(store: CountingStore, clock: Clock) -> ImageService:
    """Uploads have all the variants of `SPECS`, of which nothing is decoded."""
    return service_on(store, processor=EmittingProcessor(), plans=PLANS, now=clock)


def urls_of(manifest: Manifest) -> list[str]:
    """Every URL, wherever it stands in it, up to its first `&`."""
    return URL.findall(str(manifest))


async def test_one_question_for_all_of_an_image(service: ImageService, store: CountingStore) -> None:
    """However many variants an image has, the store is asked once, and for the result of an upload not at all."""
    stored = await service.upload_image(SENT, "user", 123)
    assert store.heads == []
    manifest = await service.get_manifest(stored["s3_key"])
    assert store.heads == [stored["s3_key"]]
    assert manifest == stored["manifest"] == (await service.get_image_metadata(stored["s3_key"]))["manifest"]
    assert set(manifest["presets"]) == {"thumb", "card", "cover"}
    assert manifest["placeholder"]["thumbhash"] == FACTS.thumbhash
    assert str(manifest["placeholder"]["data_uri"]).startswith("data:image/png;base64,")


async def test_public_urls_are_those_of_the_variants(service: ImageService) -> None:
    """The URLs of a public image are its ordinary ones, without an end."""
    stored = await service.upload_image(SENT, "user", 123)
    manifest = stored["manifest"]
    assert (manifest["visibility"], manifest["expires_at"]) == ("public", None)
    known = {stored["url"], *(variant["url"] for variant in stored["variants"])}
    assert len(known) == len(SPECS) + 1
    assert {url.rstrip(",") for url in urls_of(manifest)} <= known


@pytest.mark.parametrize(("image_type", "visibility"), [("document", None), ("user", "private")])
async def test_every_url_of_a_private_image_is_signed(
    service: ImageService, image_type: str, visibility: str | None
) -> None:
    """Nothing in the manifest of a private image can be opened without a signature, and it says when that ends."""
    stored = await service.upload_image(SENT, image_type, 123, visibility=visibility)
    manifest = stored["manifest"]
    assert manifest["visibility"] == "private"
    found = urls_of(manifest)
    assert len(found) > len(SPECS)
    assert all("?X-Amz-" in url for url in found)
    assert str(manifest).count("X-Amz-Signature=") == len(found)
    assert manifest["expires_at"] == "2024-12-01T16:00:00.000000"


async def test_private_urls_stay_the_same_within_a_window(service: ImageService, clock: Clock) -> None:
    """Browsers keep what they fetched: for an hour the URLs are the same; new ones come before the old ones end."""
    key = (await service.upload_image(SENT, "document", 123))["s3_key"]
    first = await service.get_manifest(key)
    clock.moment = NOW + timedelta(minutes=29)
    assert await service.get_manifest(key) == first
    clock.moment = NOW + timedelta(minutes=31)
    later = await service.get_manifest(key)
    assert later["src"] != first["src"]
    assert (first["expires_at"], later["expires_at"]) == ("2024-12-01T16:00:00.000000", "2024-12-01T17:00:00.000000")
    assert parse_qs(urlsplit(first["src"]).query)["X-Amz-Expires"] == ["7200"]


async def test_many_images_at_once(service: ImageService, store: CountingStore) -> None:
    """A hundred images are described in the order they were asked for; one that is missing is None."""
    stored = [await service.upload_image(SENT, kind, 123) for kind in ("user", "document") for _ in range(20)]
    missing = KEY.replace("a1b2", "zzzz")
    keys = [image["s3_key"] for image in stored]
    keys.insert(7, missing)
    manifests = await service.get_manifests(keys, sizes="50vw")
    assert list(manifests) == keys
    assert manifests[missing] is None
    assert all(found["s3_key"] == key for key, found in manifests.items() if found)
    assert {found["sizes"] for found in manifests.values() if found} == {"50vw"}
    assert sum("X-Amz-Signature" in str(found) for found in manifests.values()) == 20
    assert sorted(store.heads) == sorted(keys)
    assert 1 < store.most_at_once <= 16


async def test_none_of_what_nobody_may_see(service: ImageService) -> None:
    """Who serves several people says who may see what; the rest looks as if it were not there."""
    own, other = [await service.upload_image(SENT, "document", user) for user in (1, 2)]
    open_one = await service.upload_image(SENT, "user", 2)
    asked: list[tuple[Visibility, str | None]] = []

    def may_see(visibility: Visibility, owner: str | None) -> bool:
        asked.append((visibility, owner))
        return visibility is Visibility.PUBLIC or owner == "1"

    found = await service.get_manifests([image["s3_key"] for image in (own, other, open_one)], may_see=may_see)
    assert [manifest is not None for manifest in found.values()] == [True, False, True]
    assert sorted(asked) == [("private", "1"), ("private", "2"), ("public", "2")]


async def test_bounds(service: ImageService, store: CountingStore) -> None:
    """More than a hundred keys, a text that is no key or no `sizes`: refused before the store is asked."""
    with pytest.raises(TooManyFiles, match="100"):
        await service.get_manifests([KEY] * 101)
    with pytest.raises(InvalidImageKey):
        await service.get_manifests([KEY, "users/../secret.jpg"])
    with pytest.raises(InvalidRequest):
        await service.get_manifest(KEY, sizes="x" * 501)
    assert store.heads == []
    assert await service.get_manifests([]) == {}
    with pytest.raises(ImageNotFound):
        await service.get_manifest(KEY)


async def test_foreign_object(service: ImageService) -> None:
    """What something else put there has a manifest too: of itself alone."""
    await put(service, KEY)
    manifest = await service.get_manifest(KEY)
    assert (manifest["width"], manifest["sources"], manifest["presets"]) == (None, [], {})
    assert manifest["src"].endswith(KEY)


class FailingStore(CountingStore):
    """Refuses one key, and never answers for another."""

    def __init__(self, refused: str, silent: str) -> None:
        super().__init__()
        self._refused = refused
        self._silent = silent

    async def head(self, key: str) -> StoredObject | None:
        """See `ObjectStore.head`."""
        if key == self._refused:
            raise S3AccessDenied
        if key == self._silent:
            await asyncio.Event().wait()
        return await super().head(key)


async def test_store_that_fails_is_never_none() -> None:
    """None means that there is no image: a store that refuses, or is silent, is an error in bounded time."""
    refused, silent = KEY, KEY.replace("a1", "b1")
    service = service_on(FailingStore(refused, silent), store_timeout_seconds=0.2)
    with pytest.raises(S3AccessDenied):
        await service.get_manifests([silent, refused])
    with pytest.raises(S3ConnectionFailed):
        async with asyncio.timeout(10):
            await service.get_manifests([silent])


async def test_upload_whose_urls_cannot_be_signed_leaves_nothing(
    service: ImageService, store: CountingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upload answers with its manifest or not at all: what cannot be answered is not kept."""

    def refuse(*_: object, **__: object) -> None:
        raise S3AccessDenied

    monkeypatch.setattr(type(service.parts.urls), "presigned_urls", refuse)
    with pytest.raises(S3AccessDenied):
        await service.upload_image(SENT, "document", 1)
    assert await store.list("") == []
