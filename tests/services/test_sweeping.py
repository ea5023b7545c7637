"""The sweep: what is garbage goes, whatever is in use or may be stays, on the store in memory and on SeaweedFS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from app.core.exceptions import InvalidRequest, S3AccessDenied, S3DeleteFailed, S3Error, S3ListFailed
from app.images.keys import parse_image_key
from app.images.variants import variant_key
from app.services.image_service import ImageService
from app.services.memory_store import MemoryStore
from app.services.placing import roots_of
from app.services.protocols import ListedObject, ObjectStore
from app.services.s3_service import S3Service
from app.services.sweeping import Garbage, Removal, SweepReport, plan_sweep, sweep_variants
from tests.conftest import IMAGE_TYPES
from tests.services.emitting import PLANS, SPECS, EmittingProcessor
from tests.services.image_services import NOW, keys_in, put, service_on

PREFIXES = roots_of(IMAGE_TYPES.values())
# Users whose folders stores sort in different ways: S3 by bytes, others by folders.
USERS = ("7", "7-a", "7 a", "7!", "70", "rené", "🏡", "a.b", "A", "_")
FORMATS = ("jpg", "png", "webp", "avif")
EVERYTHING = (Garbage.ORPHANS, Garbage.OLD_SPECS)


@pytest.fixture(params=["memory", "seaweedfs"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[ObjectStore]:
    if request.param == "memory":
        yield MemoryStore()
        return
    s3_store: S3Service = request.getfixturevalue("s3_store")
    yield s3_store


def sweeper(store: ObjectStore, *, days_later: float = 2.0) -> ImageService:
    """A service two days after the images of these tests."""
    return service_on(store, processor=EmittingProcessor(), plans=PLANS, now=lambda: NOW + timedelta(days=days_later))


def image(folder: str, token: str, extension: str = "jpg") -> str:
    return f"{folder}/20241201_143022_{token}.{extension}"


def variants_of(key: str, *, count: int = len(SPECS)) -> list[str]:
    parsed = parse_image_key(key, prefixes=PREFIXES)
    return [variant_key(parsed, spec) for spec in SPECS[:count]]


async def put_all(service: ImageService, keys: list[str]) -> None:
    await asyncio.gather(*(put(service, key, b"12345") for key in keys))


def counts(report: SweepReport) -> tuple[int, int, int, int]:
    return report.seen.count, report.orphans.count, report.old_specs.count, report.unknown.count


async def test_what_belongs_to_no_image_goes(store: ObjectStore) -> None:
    """Variants without their original are deleted, in every folder; images and their variants stay as they are."""
    service = sweeper(store)
    living = [
        image(f"users/{user}", "living00", extension) for user, extension in zip(USERS, 9 * FORMATS, strict=False)
    ]
    living += [image("properties", "living00"), image("users", "living00", "png")]
    living += [image("private/users/7", "living01"), image("private/rooms", "living00")]
    dead = [image(f"users/{user}", token) for user in USERS for token in ("aaaaaaaa", "zzzzzzzz")]
    dead += [image("private/users/7", "dead0000"), image("private/properties", "dead0000")]
    dead += [image("properties", "zzzzzzzz"), image("rooms", "zzzzzzzz"), image("documents", "zzzzzzzz")]
    kept = [*living, *(key for each in living for key in variants_of(each, count=2))]
    garbage = [key for each in dead for key in variants_of(each, count=2)]
    await put_all(service, kept + garbage)

    report = await service.sweep_variants()

    assert sorted(await keys_in(service)) == sorted(kept)
    assert counts(report) == (len(kept) - len(living) + len(garbage), len(garbage), 0, 0)
    assert report.orphans.size_bytes == 5 * len(garbage)
    again = await service.sweep_variants()
    assert counts(again) == (len(kept) - len(living), 0, 0, 0)


@pytest.mark.parametrize("page_size", [1, 3])
async def test_pages_break_anywhere(store: ObjectStore, page_size: int) -> None:
    """Wherever one page of the listing ends and the next begins, nothing is missed and nothing is met twice."""
    service = sweeper(store)
    living = [image(f"users/{user}", "living00") for user in USERS[:6]]
    dead = [image(f"users/{user}", "deadbeef") for user in USERS[:6]]
    kept = [*living, *(key for each in living for key in variants_of(each, count=3))]
    await put_all(service, kept + [key for each in dead for key in variants_of(each, count=3)])
    sweep = plan_sweep(service.parts, older_than=timedelta(hours=24), garbage=EVERYTHING, removal=Removal.DELETE)

    report = await sweep_variants(store, sweep, page_size=page_size)

    assert counts(report) == (36, 18, 0, 0)
    assert sorted(await keys_in(service)) == sorted(kept)


async def test_old_specs_go_when_asked(store: ObjectStore) -> None:
    """Variants that no setting of today makes stay until they are asked for; those of today stay even then."""
    service = sweeper(store)
    key = image("users/7", "living00")
    current = variants_of(key)
    old = [variant_key(parse_image_key(key, prefixes=PREFIXES), replace(spec, effort=9)) for spec in SPECS[:3]]
    old.append(current[0].rpartition("/")[0] + "/w320.webp")
    await put_all(service, [key, *current, *old])

    assert counts(await service.sweep_variants()) == (len(current) + 4, 0, 0, 0)
    report = await service.sweep_variants(garbage=EVERYTHING)
    assert counts(report) == (len(current) + 4, 0, 4, 0)
    assert sorted(await keys_in(service)) == sorted([key, *current])


async def test_dry_run_deletes_nothing(store: ObjectStore) -> None:
    """A sweep that only reports counts the same and leaves everything where it is."""
    service = sweeper(store)
    garbage = variants_of(image("users/7", "deadbeef"))
    await put_all(service, garbage)
    report = await service.sweep_variants(removal=Removal.REPORT)
    assert report.orphans.count == len(garbage)
    assert sorted(await keys_in(service)) == sorted(garbage)


async def test_what_is_young_stays() -> None:
    """An upload under way, whose original is not there yet, keeps its variants, whatever else is asked for."""
    key = image("users/7", "underway")
    for days_later, gone in ((0.9, False), (1.1, True), (-3.0, False)):
        service = sweeper(MemoryStore(), days_later=days_later)
        await put_all(service, variants_of(key))
        report = await service.sweep_variants(garbage=EVERYTHING)
        assert (report.orphans.count == len(SPECS)) is gone
        assert (await keys_in(service) == []) is gone


@pytest.mark.parametrize("minutes", [0, -5, 59])
async def test_an_age_that_an_upload_could_have(minutes: int) -> None:
    """Nobody can sweep what may be an upload under way."""
    with pytest.raises(InvalidRequest):
        await sweeper(MemoryStore()).sweep_variants(older_than=timedelta(minutes=minutes))


async def test_foreign_objects_stay() -> None:
    """What lies under `variants/` and names no image of a known type is counted and left alone."""
    service = sweeper(MemoryStore())
    foreign = [
        "variants/readme.txt",
        "variants/users/7/notes/x.jpg",
        "variants/posters/20241201_143022_a1b2c3d4/320-2b9db108.avif",
        "variants/users/7/20241201_143022_a1b2c3d4/deeper/320-2b9db108.avif",
        "variants/users/../20241201_143022_a1b2c3d4/320-2b9db108.avif",
    ]
    await put_all(service, [*foreign, "incoming/x", "users/7/other.txt"])
    report = await service.sweep_variants(garbage=EVERYTHING)
    assert counts(report) == (5, 0, 0, 5)
    assert len(await keys_in(service)) == 7


class Unlistable(MemoryStore):
    """Refuses to list below a prefix."""

    def __init__(self, prefix: str, error: S3Error) -> None:
        super().__init__()
        self._prefix = prefix
        self._error = error

    async def list(self, prefix: str, *, start_after: str = "", limit: int = 1000) -> list[ListedObject]:
        if prefix.startswith(self._prefix):
            raise self._error
        return await super().list(prefix, start_after=start_after, limit=limit)


@pytest.mark.parametrize("prefix", ["variants/", "users/"])
@pytest.mark.parametrize("error", [S3ListFailed(), S3AccessDenied()], ids=lambda error: error.code.value)
async def test_store_that_does_not_let_us_look(prefix: str, error: S3Error) -> None:
    """Without an answer of the store, whether an image is there, nothing of it is deleted."""
    store = Unlistable(prefix, error)
    service = sweeper(store)
    garbage = variants_of(image("users/7", "deadbeef"))
    await put_all(service, garbage)
    with pytest.raises(type(error)):
        await service.sweep_variants()
    assert len(store._entries) == len(garbage)


async def test_sweep_that_is_cut_short_goes_on_when_repeated() -> None:
    """What a sweep could not delete goes with the next one; what it had deleted is no trouble."""

    class Stubborn(MemoryStore):
        refusals = 3

        async def delete(self, key: str) -> None:
            if self.refusals:
                self.refusals -= 1
                raise S3DeleteFailed
            await super().delete(key)

    service = sweeper(Stubborn())
    await put_all(service, [key for at in range(20) for key in variants_of(image("users/7", f"deadbe{at:02}"))])
    with pytest.raises(S3DeleteFailed):
        await service.sweep_variants()
    left = len(await keys_in(service))
    assert 0 < left < 20 * len(SPECS)
    assert (await service.sweep_variants()).orphans.count == left
    assert await keys_in(service) == []


async def test_thousands_of_variants_page_by_page() -> None:
    """However many there are, no more than one page of the listing is held, and no image is asked for twice a page."""
    asked: list[Any] = []

    class Counting(MemoryStore):
        async def list(self, prefix: str, *, start_after: str = "", limit: int = 1000) -> list[ListedObject]:
            listed = await super().list(prefix, start_after=start_after, limit=limit)
            asked.append((prefix, len(listed)))
            return [replace(each, last_modified=NOW) for each in listed]

    service = sweeper(Counting())
    keys = [key for at in range(300) for key in variants_of(image(f"users/{at % 5}", f"dead{at:04}"), count=10)]
    await put_all(service, keys)
    report = await service.sweep_variants()
    assert report.orphans.count == 3000
    pages = [count for prefix, count in asked if prefix == "variants/"]
    assert max(pages) == 1000
    assert len(asked) - len(pages) <= 303
    assert await keys_in(service) == []
