"""Changes of visibility that are cut short: a whole image at every moment, and nothing that the sweep does not find."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from app.core.exceptions import ImageNotFound, S3ConnectionFailed, S3UploadFailed
from app.images.facts import Facts
from app.services.image_service import ImageService
from app.services.memory_store import MemoryStore
from app.services.protocols import ListedObject, NewObject
from tests.services.emitting import PLANS, EmittingProcessor
from tests.services.image_services import NOW, SENT, keys_in, service_on

TOKENS = iter(f"{number:08}" for number in range(10_000))


class FailingStore(MemoryStore):
    """Writes and deletes fail from the `left`-th on; every change that was made is written down."""

    def __init__(self) -> None:
        super().__init__()
        self.left: int | None = None
        self.changes: list[tuple[str, str]] = []

    def _spend(self, change: str, key: str) -> None:
        if self.left is not None:
            if not self.left:
                raise S3ConnectionFailed
            self.left -= 1
        self.changes.append((change, key))

    async def create(self, new: NewObject) -> str:
        self._spend("create", new.key)
        return await super().create(new)

    async def delete(self, key: str) -> None:
        self._spend("delete", key)
        await super().delete(key)


class Invalidator:
    """Implements `CdnInvalidator`; writes down what it was told, and what lay in the store then."""

    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.told: list[list[str]] = []
        self.stored: list[set[str]] = []
        self.fails = False

    async def remember(self, paths: Iterable[str]) -> None:
        if self.fails:
            raise S3ConnectionFailed
        self.told.append(list(paths))
        self.stored.append({listed.key for listed in await self.store.list("")})


def service_of(store: MemoryStore, **changes: Any) -> ImageService:
    return service_on(
        store, **({"processor": EmittingProcessor(), "plans": PLANS, "new_token": lambda: next(TOKENS)} | changes)
    )


async def objects_of(service: ImageService, key: str) -> set[str]:
    """What an image consists of, as its facts tell; nothing where it is not there."""
    stored = await service.parts.store.head(key)
    listed = Facts.from_metadata(stored.metadata).variants if stored else None
    return {key, *(f"{service.parse_key(key).variants_prefix}{each.file_name}" for each in listed)} if listed else set()


async def is_whole(service: ImageService, key: str) -> bool:
    """The original is there with everything that its facts list."""
    objects = await objects_of(service, key)
    return bool(objects) and objects <= set(await keys_in(service))


@pytest.mark.parametrize("visibility", ["private", "public"])
async def test_crash_at_any_moment(visibility: str) -> None:
    """However early it ends, a whole image is left; repeated, with either key, one image is left and no garbage."""
    store = FailingStore()
    service = service_of(store)
    other = "public" if visibility == "private" else "private"
    for repeat_with in ("old", "new"):
        for left in range(1000):
            old = (await service.upload_image(SENT, "user", 1, visibility=other))["s3_key"]
            new = old.replace("users/", "private/users/") if other == "public" else old.removeprefix("private/")
            before = await keys_in(service)
            store.left = left
            try:
                await service.set_visibility(old, visibility)
                ended = False
            except S3ConnectionFailed:
                ended = True
            store.left = None
            assert await is_whole(service, old) or await is_whole(service, new)
            if repeat_with == "old" or await service.image_exists(new):
                moved = await service.set_visibility(old if repeat_with == "old" else new, visibility)
                assert (moved["s3_key"], moved["visibility"]) == (new, visibility)
                assert await is_whole(service, new)
                assert len(await keys_in(service)) == len(before)
                assert not await service.image_exists(old)
            for key in (old, new):
                await service.delete_image(key)
            assert await keys_in(service) == []
            if not ended:
                break
        assert left > 2 * 5


async def test_sweep_finds_what_a_crash_left() -> None:
    """What a broken move leaves belongs to no image: the sweep takes it, and the image stays whole."""
    for left in range(1, 40):
        store = FailingStore()
        old = (await service_of(store).upload_image(SENT, "user", 1))["s3_key"]
        new = f"private/{old}"
        store.left = left
        try:
            await service_of(store).set_visibility(old, "private")
        except S3ConnectionFailed:
            store.left = None
        else:
            break
        # The store in memory has the time of today, the image's key another one.
        later = datetime.now(UTC) + timedelta(days=2)
        sweeper = service_of(store, now=partial(lambda moment: moment, later))
        await sweeper.sweep_variants(older_than=timedelta(hours=1))
        there = [await objects_of(sweeper, key) for key in (old, new) if await is_whole(sweeper, key)]
        assert there
        assert set(await keys_in(sweeper)) == set[str]().union(*there)


async def test_sweep_leaves_alone_what_is_arriving() -> None:
    """A sweep while an old image moves does not take the copies that are there before their original."""
    store = FailingStore()
    service = service_of(store, now=lambda: NOW)
    old = (await service.upload_image(SENT, "user", 1))["s3_key"]
    store.left = 3
    with pytest.raises(S3ConnectionFailed):
        await service.set_visibility(old, "private")
    store.left = None
    before = await keys_in(service)
    assert any(key.startswith("variants/private/") for key in before)

    swept = await service_of(store, now=lambda: NOW + timedelta(days=30)).sweep_variants()

    assert swept.orphans.count == 0
    assert await keys_in(service) == before


async def test_repeating_changes_nothing() -> None:
    """A visibility that an image already has is answered, and nothing is written or deleted."""
    store = FailingStore()
    service = service_of(store)
    image = await service.upload_image(SENT, "user", 1)
    moved = await service.set_visibility(image["s3_key"], "private")
    store.changes.clear()
    for key in (image["s3_key"], moved["s3_key"]):
        assert (await service.set_visibility(key, "private"))["s3_key"] == moved["s3_key"]
    assert store.changes == []
    assert moved["etag"] == (await service.get_image_metadata(moved["s3_key"]))["etag"]
    assert moved["metadata"] == image["metadata"]


async def test_results_of_transforms_are_not_copied_and_do_not_stay() -> None:
    """What was made of an image at its old place is gone with it."""
    store = FailingStore()
    service = service_of(store)
    key = (await service.upload_image(SENT, "user", 1))["s3_key"]
    result = f"{service.parse_key(key).variants_prefix}t123.webp"
    await store.create(NewObject(result, b"x", "image/webp", "no-cache"))
    await service.set_visibility(key, "private")
    assert not [name for name in await keys_in(service) if name.endswith("t123.webp")]


async def test_order_of_a_move() -> None:
    """The original is copied last and deleted first: whoever sees it sees a whole image."""
    store = FailingStore()
    service = service_of(store)
    key = (await service.upload_image(SENT, "user", 1))["s3_key"]
    store.changes.clear()
    await service.set_visibility(key, "private")
    created = [name for change, name in store.changes if change == "create"]
    deleted = [name for change, name in store.changes if change == "delete"]
    assert [change for change, _ in store.changes] == ["create"] * len(created) + ["delete"] * len(deleted)
    assert (created[-1], deleted[0]) == (f"private/{key}", key)


async def test_chance_twin_stays_as_it_is() -> None:
    """Another image that chance put at the other key is neither replaced nor deleted."""
    store = MemoryStore()
    public = await service_of(store, new_token=lambda: "same0000").upload_image(SENT, "user", 1)
    other = service_of(store, new_token=lambda: "same0000", now=lambda: NOW + timedelta(milliseconds=1))
    private = await other.upload_image(SENT, "user", 1, visibility="private", focal_point=(0.1, 0.2))
    assert private["s3_key"] == f"private/{public['s3_key']}"
    before = await keys_in(service_of(store))
    with pytest.raises(S3UploadFailed):
        await service_of(store).set_visibility(public["s3_key"], "private")
    kept = await service_of(store).set_visibility(private["s3_key"], "private")
    assert kept["metadata"]["focal_point"] == {"x": 0.1, "y": 0.2}
    assert await keys_in(service_of(store)) == before


async def test_missing_image() -> None:
    """An image that is nowhere has no visibility."""
    with pytest.raises(ImageNotFound):
        await service_of(MemoryStore()).set_visibility("users/1/20241201_143022_a1b2c3d4.jpg", "private")


@pytest.mark.parametrize("change", ["delete", "private"])
async def test_cdn_is_told_before_anything_goes(change: str) -> None:
    """The CDN's old copies are written down, encoded as in URLs, while everything is still there."""
    store = MemoryStore()
    invalidator = Invalidator(store)
    service = service_of(store, invalidator=invalidator)
    image = await service.upload_image(SENT, "user", "rené 7")
    await (
        service.delete_image(image["s3_key"]) if change == "delete" else service.set_visibility(image["s3_key"], change)
    )

    (told,) = invalidator.told
    name = image["s3_key"].rpartition("/")[2]
    stem = name.partition(".")[0]
    assert told[0] == f"/users/ren%C3%A9%207/{name}"
    assert told[-1] == f"/variants/users/ren%C3%A9%207/{stem}/*"
    assert len(told) == 2 + len(image["variants"])
    assert {image["s3_key"], *(variant["s3_key"] for variant in image["variants"])} <= invalidator.stored[0]


async def test_nothing_goes_that_the_cdn_cannot_be_told_of() -> None:
    """Where the old copies cannot be written down nothing is deleted; repeated, it is."""
    store = MemoryStore()
    invalidator = Invalidator(store)
    service = service_of(store, invalidator=invalidator)
    key = (await service.upload_image(SENT, "user", 1))["s3_key"]
    before: list[ListedObject] = await store.list("")
    invalidator.fails = True
    with pytest.raises(S3ConnectionFailed):
        await service.delete_image(key)
    assert await store.list("") == before
    invalidator.fails = False
    assert await service.delete_image(key)
    assert await store.list("") == []
