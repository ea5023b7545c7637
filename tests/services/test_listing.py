"""Listings: complete, in order, page by page, whatever is added or deleted between two pages."""

from __future__ import annotations

import asyncio
import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.exceptions import InvalidCursor
from app.images.keys import ImageKey
from app.services.image_service import ImageService
from app.services.memory_store import MemoryStore
from app.services.protocols import NewObject
from app.services.s3_connection import S3Connection
from tests.conftest import make_image_service

START = datetime(2024, 12, 1, 14, 30, 22, tzinfo=UTC)
PREFIXES = ("users", "properties", "rooms", "documents")
ROOTS = ("users", "private/users", "properties", "private/properties", "rooms", "private/rooms", "documents")
TYPES = {"user": "users", "property": "properties", "room": "rooms", "document": "documents"}


def key_of(
    second: int,
    *,
    prefix: str = "users",
    user_id: str | None = "1",
    token: str = "aaaaaaaa",
    extension: str = "jpg",
    is_private: bool = False,
) -> str:
    # Images of a private type have no second place.
    is_apart = is_private and prefix != "documents"
    return str(ImageKey(prefix, user_id, START + timedelta(seconds=second), token, extension, is_apart))


async def put(service: ImageService, *keys: str) -> None:
    for key in keys:
        await service.parts.store.create(NewObject(key, key.encode(), "image/jpeg", "no-cache"))


async def walk(
    service: ImageService, *, limit: int, image_type: str | None = None, user_id: str | None = "1"
) -> list[str]:
    """All keys of a listing, page after page; no page but the last is short."""
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = await service.list_images(image_type, user_id, limit=limit, cursor=cursor)
        seen += [image["s3_key"] for image in page["images"]]
        cursor = page["next_cursor"]
        if cursor is None:
            return seen
        assert len(page["images"]) == limit


def new_service() -> ImageService:
    return make_image_service(MemoryStore(), S3Connection("photos", "eu-central-1"))


async def test_newest_last_across_types(memory_image_service: ImageService) -> None:
    """The images of a user come in the order in which they were taken in, whatever their type."""
    keys = [key_of(second, prefix=PREFIXES[second % 4]) for second in range(10)]
    await put(memory_image_service, *reversed(keys))
    for limit in (1, 3, 10, 100):
        assert await walk(memory_image_service, limit=limit) == keys


async def test_one_type(memory_image_service: ImageService) -> None:
    """A listing of one type holds that type alone."""
    keys = [key_of(second, prefix=PREFIXES[second % 4]) for second in range(10)]
    await put(memory_image_service, *keys)
    assert await walk(memory_image_service, limit=2, image_type="room") == [keys[2], keys[6]]


async def test_one_user(memory_image_service: ImageService) -> None:
    """The images of user 1 are not those of user 10, nor those of nobody."""
    mine, others = key_of(0), [key_of(1, user_id="10"), key_of(2, user_id="1-1"), key_of(3, user_id=None)]
    await put(memory_image_service, mine, *others)
    assert await walk(memory_image_service, limit=2) == [mine]
    assert await walk(memory_image_service, limit=2, user_id="10") == [others[0]]
    assert sorted(await walk(memory_image_service, limit=2, user_id=None)) == sorted([mine, *others])


async def test_what_is_no_image_is_passed_over(memory_image_service: ImageService) -> None:
    """Foreign objects, variants and staged uploads are never listed, and hide nothing."""
    keys = [key_of(second) for second in range(3)]
    foreign = ["users/1/README.txt", "users/1/20241201_143022_short.jpg", "users/1/2/3/a.jpg", "incoming/x"]
    await put(memory_image_service, *keys, *foreign, "variants/users/1/20241201_143022_aaaaaaaa/w320.webp")
    assert await walk(memory_image_service, limit=1) == keys
    assert await walk(memory_image_service, limit=1, user_id=None) == keys


async def test_folder_with_thousands_of_foreign_objects(memory_image_service: ImageService) -> None:
    """An image behind more than a thousand other objects is found."""
    await put(memory_image_service, *(f"users/1/0{number:04}.txt" for number in range(1500)), key_of(0))
    assert await walk(memory_image_service, limit=5) == [key_of(0)]


async def test_cursor_survives_additions_and_deletions(memory_image_service: ImageService) -> None:
    """Between two pages images may come and go, the last one seen included: nothing else is missed or repeated."""
    service = memory_image_service
    keys = [key_of(second * 10, prefix=PREFIXES[second % 3]) for second in range(9)]
    await put(service, *keys)
    first = await service.list_images(None, "1", limit=4)
    await service.delete_image(keys[3])
    await service.delete_image(keys[5])
    earlier, later = key_of(5), key_of(65, prefix="rooms")
    await put(service, earlier, later)

    rest = await service.list_images(None, "1", limit=100, cursor=first["next_cursor"])

    assert [image["s3_key"] for image in rest["images"]] == [keys[4], keys[6], later, keys[7], keys[8]]


async def test_same_name_in_several_types(memory_image_service: ImageService) -> None:
    """Images whose names are equal, or differ in the extension alone, are each listed once."""
    keys = [key_of(0, prefix=prefix, extension=kind) for prefix in PREFIXES for kind in ("jpg", "png", "webp")]
    await put(memory_image_service, *keys)
    for limit in range(1, 13):
        assert sorted(await walk(memory_image_service, limit=limit)) == sorted(keys)


@pytest.mark.parametrize(
    "cursor",
    ["x", "!!!", "é", "=" * 9, "a" * 5000, base64.urlsafe_b64encode(b"incoming/a").decode(), "\0", "../"],
)
async def test_forged_cursor(memory_image_service: ImageService, cursor: str) -> None:
    """A cursor that this service did not give is refused by name."""
    with pytest.raises(InvalidCursor):
        await memory_image_service.list_images(None, "1", cursor=cursor)


async def test_cursor_of_another_listing(memory_image_service: ImageService) -> None:
    """The cursor of another user's listing, or of another type's, is none of this one."""
    await put(memory_image_service, key_of(0), key_of(1), key_of(0, user_id="2"), key_of(1, user_id="2"))
    cursor = (await memory_image_service.list_images(None, "2", limit=1))["next_cursor"]
    assert cursor
    with pytest.raises(InvalidCursor):
        await memory_image_service.list_images(None, "1", cursor=cursor)
    with pytest.raises(InvalidCursor):
        await memory_image_service.list_images("room", "2", cursor=cursor)


KEYS = st.builds(
    key_of,
    st.integers(0, 5),
    prefix=st.sampled_from(PREFIXES),
    user_id=st.sampled_from(["1", "10", "1-1", "a b", None]),
    token=st.sampled_from(["aaaaaaaa", "bbbbbbbb", "00000000"]),
    extension=st.sampled_from(["jpg", "png", "webp"]),
    is_private=st.booleans(),
)


def root_of(key: str) -> str:
    return next(root for root in ROOTS if key.startswith(f"{root}/"))


@settings(max_examples=120, deadline=None)
@given(keys=st.sets(KEYS, max_size=40), limit=st.integers(1, 12), user_id=st.sampled_from(["1", "10", "nobody"]))
def test_one_user_as_a_sorted_list(keys: set[str], limit: int, user_id: str) -> None:
    """Any images, in pages of any size: a user's listing is that of a sorted list."""
    service = new_service()
    mine = [key for key in keys if f"/{user_id}/" in key]
    expected = sorted(mine, key=lambda key: (key.rpartition("/")[2], ROOTS.index(root_of(key))))

    async def listed() -> list[str]:
        await put(service, *keys)
        return await walk(service, limit=limit, user_id=user_id)

    assert asyncio.run(listed()) == expected


@settings(max_examples=80, deadline=None)
@given(keys=st.sets(KEYS, max_size=40), limit=st.integers(1, 12))
def test_everyone_as_a_sorted_list(keys: set[str], limit: int) -> None:
    """Any images, in pages of any size: everyone's listing goes type by type, single private ones after public ones."""
    service = new_service()
    expected = sorted(keys, key=lambda key: (ROOTS.index(root_of(key)), key))

    async def listed() -> list[str]:
        await put(service, *keys)
        return await walk(service, limit=limit, user_id=None)

    assert asyncio.run(listed()) == expected


@settings(max_examples=80, deadline=None)
@given(
    before=st.sets(KEYS, min_size=2, max_size=30),
    added=st.sets(KEYS, max_size=10),
    deleted=st.sets(st.integers(0, 30), max_size=10),
    limit=st.integers(1, 8),
)
def test_pages_while_images_come_and_go(before: set[str], added: set[str], deleted: set[int], limit: int) -> None:
    """What is there during the whole walk is listed exactly once; what was added meanwhile at most once."""
    service = new_service()
    gone = {key for number, key in enumerate(sorted(before)) if number in deleted}

    async def walk_with_changes() -> list[str]:
        await put(service, *before)
        page = await service.list_images(None, "1", limit=limit)
        seen = [image["s3_key"] for image in page["images"]]
        await put(service, *(added - before))
        for key in gone:
            await service.delete_image(key)
        while page["next_cursor"]:
            page = await service.list_images(None, "1", limit=limit, cursor=page["next_cursor"])
            seen += [image["s3_key"] for image in page["images"]]
        return seen

    seen = asyncio.run(walk_with_changes())
    assert len(seen) == len(set(seen))
    mine = {key for key in before | added if "/1/" in key}
    assert {key for key in before - gone if "/1/" in key} <= set(seen) <= mine


async def test_pages_on_s3(s3_image_service: ImageService) -> None:
    """The real store pages as the one in memory does, oddly named users included."""
    users = ["1", "1-1", "a b", None]
    keys = [key_of(n % 5, prefix=PREFIXES[n % 3], user_id=user, token=f"{n:08}") for n in range(7) for user in users]
    store = s3_image_service.parts.store
    await asyncio.gather(*(store.create(NewObject(key, b"x", "image/jpeg", "no-cache")) for key in keys))
    for user in users:
        mine = [key for key in keys if f"/{user}/" in key] if user else keys
        listed = await walk(s3_image_service, limit=5, user_id=user)
        assert sorted(listed) == sorted(mine)
        assert user is None or listed == sorted(mine, key=lambda key: key.rpartition("/")[2])


@pytest.mark.parametrize(
    ("visibility", "expected"),
    [
        ("public", ["users"]),
        ("private", ["private/users", "documents"]),
        (None, ["users", "private/users", "documents"]),
    ],
)
async def test_listing_of_one_visibility(
    memory_image_service: ImageService, visibility: str | None, expected: list[str]
) -> None:
    """Who may see public images only gets a listing of these; its order is that of the time whatever it holds."""
    keys = [key_of(0), key_of(1, is_private=True), key_of(2, prefix="documents")]
    await put(memory_image_service, *reversed(keys))
    page = await memory_image_service.list_images(None, "1", visibility=visibility)
    assert [root_of(image["s3_key"]) for image in page["images"]] == expected
    assert {image["image_type"] for image in page["images"]} <= {"user", "document"}
