"""The contract of every object store: what `ObjectStore` promises, asked of the memory store and of S3 alike.

These tests also run on the oldest supported boto3.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import urllib.request
from collections.abc import AsyncIterator

import boto3
import pytest

from app.core.config import ChecksumMode
from app.core.exceptions import ImageNotFound, RangeNotSatisfiable
from app.services.image_service import ImageService
from app.services.memory_store import MemoryStore
from app.services.protocols import ByteRange, KeyTaken, NewObject, ObjectStore
from app.services.s3_presign import S3UrlSigner
from app.services.s3_service import S3Service
from tests.conftest import BucketFactory, Eventually
from tests.pictures import make_jpeg

pytestmark = pytest.mark.store_contract

ODD_NAMES = (
    "users/a b/c d.jpg",
    "users/a+b/1+1=2.jpg",
    "users/100%/%20%2F%.jpg",
    "users/rené/é.jpg",
    "users/🏡/🌊🐚.jpg",
    "users/#1/a#b.jpg",
    "users/who?/a?b=c.jpg",
    "users/you&me/a&b=c&d.jpg",
    "users/a=b/==.jpg",
    'users/o\'neill/"a".jpg',
    "users/[1]{2}<3>/(4).jpg",
    "users/~!@$^*,;:|`/-._~.jpg",
    "users/שלום/مرحبا.jpg",
    "users/" + "long-" * 12 + "/" + "x" * 160 + ".jpg",
)


@pytest.fixture(params=["memory", "s3", "s3 in use"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[ObjectStore]:
    if request.param == "memory":
        yield MemoryStore()
        return
    store: S3Service = request.getfixturevalue("s3_store")
    if request.param == "s3 in use":
        # Later writes take a shorter way than a client's first one.
        await store.create(an_object("earlier/1.jpg"))
        await store.delete("earlier/1.jpg")
    yield store


def an_object(key: str = "users/1/a.jpg", body: bytes = b"body") -> NewObject:
    return NewObject(key, body, "image/jpeg", "private, no-cache", {"owner": "1"})


async def read(store: ObjectStore, key: str, byte_range: ByteRange | None = None) -> bytes:
    stream = await store.get(key, byte_range)
    async with contextlib.aclosing(stream.chunks):
        return b"".join([chunk async for chunk in stream.chunks])


async def keys_of(store: ObjectStore, prefix: str = "") -> list[str]:
    return [listed.key for listed in await store.list(prefix)]


async def test_absent_key(store: ObjectStore) -> None:
    """What was never stored is absent, and nothing pretends otherwise."""
    assert await store.head("users/1/absent.jpg") is None
    with pytest.raises(ImageNotFound):
        await store.get("users/1/absent.jpg")
    assert await store.list("users/") == []


async def test_stored_object_reads_back(store: ObjectStore) -> None:
    """An object comes back byte for byte, with its type, cache control, metadata and size."""
    body = bytes(range(256)) * 5000
    metadata = {"owner": "1", "file-name": "caf%C3%A9 'x' = \"y\";", "sha256": hashlib.sha256(body).hexdigest()}
    new = NewObject("rooms/a.png", body, "image/png", "public, max-age=31536000, immutable", metadata)

    etag = await store.create(new)

    stored = await store.head(new.key)
    assert stored is not None
    assert (stored.key, stored.size, stored.etag) == (new.key, len(body), etag)
    assert (stored.content_type, stored.cache_control) == (new.content_type, new.cache_control)
    assert metadata.items() <= dict(stored.metadata).items()
    assert stored.last_modified.tzinfo is not None
    assert await read(store, new.key) == body
    assert (await store.get(new.key)).object == stored


async def test_overwrite_is_refused(store: ObjectStore) -> None:
    """A key is written once: another write is refused and changes nothing."""
    await store.create(an_object(body=b"first"))

    with pytest.raises(KeyTaken):
        await store.create(an_object(body=b"second"))

    assert await read(store, "users/1/a.jpg") == b"first"


async def test_overwrite_with_the_same_bytes_is_refused(store: ObjectStore) -> None:
    """Equal bytes are no excuse: the second writer did not make this object."""
    await store.create(an_object())
    with pytest.raises(KeyTaken):
        await store.create(an_object())


async def test_empty_object(store: ObjectStore) -> None:
    """An object of 0 bytes exists like any other."""
    await store.create(an_object(body=b""))
    stored = await store.head("users/1/a.jpg")
    assert stored is not None
    assert stored.size == 0
    assert await read(store, "users/1/a.jpg") == b""


async def test_odd_names(store: ObjectStore) -> None:
    """A key is a name and nothing else: no character of it is taken for syntax anywhere."""
    for key in ODD_NAMES:
        await store.create(an_object(key, key.encode()))
    assert sorted(await keys_of(store)) == sorted(ODD_NAMES)
    for key in ODD_NAMES:
        assert await store.head(key) is not None, key
        assert await read(store, key) == key.encode()
        assert await keys_of(store, key[:-2]) == [key]
        await store.delete(key)
        assert await store.head(key) is None, key


async def test_range(store: ObjectStore) -> None:
    """A range gives exactly its bytes, both ends included, and still tells the size of the whole."""
    body = hashlib.sha512(b"x").digest() * 15_625
    await store.create(an_object(body=body))
    for first, last in [(0, 0), (500_000, 500_099), (999_999, 999_999), (0, 999_999), (999_990, 2_000_000)]:
        stream = await store.get("users/1/a.jpg", ByteRange(first, last))
        assert b"".join([chunk async for chunk in stream.chunks]) == body[first : last + 1]
        assert stream.object.size == len(body)


async def test_range_that_begins_behind_the_end(store: ObjectStore) -> None:
    """There is no byte number ten in ten bytes."""
    await store.create(an_object(body=b"0123456789"))
    with pytest.raises(RangeNotSatisfiable):
        await store.get("users/1/a.jpg", ByteRange(10, 12))


async def test_listing_of_more_than_one_page(store: ObjectStore) -> None:
    """1,050 objects are listed completely, in order, without repetition, a page of up to 1,000 at a time."""
    keys = [f"users/1/{number:05}.jpg" for number in range(1050)]
    for start in range(0, len(keys), 150):
        await asyncio.gather(*(store.create(an_object(key, key.encode())) for key in keys[start : start + 150]))
    await store.create(an_object("users/10/00000.jpg"))
    await store.create(an_object("rooms/00000.jpg"))

    first = await store.list("users/1/")
    second = await store.list("users/1/", start_after=first[-1].key)

    assert [listed.key for listed in first] == keys[:1000]
    assert [listed.key for listed in second] == keys[1000:]
    assert [listed.size for listed in second] == [len(key) for key in keys[1000:]]
    assert [listed.key for listed in await store.list("users/1/", start_after=keys[0][:-4], limit=2)] == keys[:2]
    head = await store.head(keys[7])
    assert head is not None
    assert first[7].etag == head.etag


async def test_folder_never_matches_a_longer_name(store: ObjectStore) -> None:
    """The images of user 1 are not those of users 10 and 11."""
    keys = ["users/1/a.jpg", "users/10/a.jpg", "users/11/a.jpg", "users/1-a/a.jpg"]
    for key in keys:
        await store.create(an_object(key))
    assert await keys_of(store, "users/1/") == ["users/1/a.jpg"]
    assert sorted(await keys_of(store, "users/")) == sorted(keys)


async def test_pages_of_many_folders(store: ObjectStore) -> None:
    """Going on after the last key of a page meets every object once, whatever the folders are called."""
    folders = ["1", "1-2", "1.2", "1 2", "1+2", "10", "2", "A", "a", "é", "~", "!"]
    keys = [f"users/{folder}/{name}.jpg" for folder in folders for name in "ab"] + ["users/a.jpg", "users/1.jpg"]
    for key in keys:
        await store.create(an_object(key))

    seen: list[str] = []
    while page := await store.list("users/", start_after=seen[-1] if seen else "", limit=3):
        seen += [listed.key for listed in page]

    assert sorted(seen) == sorted(keys)


async def test_delete_twice(store: ObjectStore) -> None:
    """After a delete the object is gone; deleting what is gone is no error."""
    await store.create(an_object())
    await store.delete("users/1/a.jpg")
    await store.delete("users/1/a.jpg")
    assert await store.head("users/1/a.jpg") is None
    assert await store.list("") == []


async def test_delete_leaves_the_neighbours(store: ObjectStore) -> None:
    """Deleting `a` deletes neither what begins with `a` nor what lies under it."""
    for key in ("users/1/a", "users/1/ab", "users/1/a.jpg", "users/1/a-/x"):
        await store.create(an_object(key))
    await store.delete("users/1/a")
    assert sorted(await keys_of(store)) == ["users/1/a-/x", "users/1/a.jpg", "users/1/ab"]


async def test_create_after_delete(store: ObjectStore) -> None:
    """A key that was deleted is free again."""
    await store.create(an_object(body=b"first"))
    await store.delete("users/1/a.jpg")
    await store.create(an_object(body=b"second"))
    assert await read(store, "users/1/a.jpg") == b"second"


async def test_one_winner_among_concurrent_creators(store: ObjectStore) -> None:
    """Of several writers of one key exactly one succeeds, even when all write the same bytes."""

    async def create(key: str, body: bytes) -> str | KeyTaken:
        try:
            return await store.create(an_object(key, body))
        except KeyTaken as taken:
            return taken

    for number in range(2):
        key = f"users/1/{number}.jpg"
        bodies = [b"same"] * 4 if number % 2 else [b"%d" % writer for writer in range(4)]
        outcomes = await asyncio.gather(*(create(key, body) for body in bodies))
        winners = [body for body, outcome in zip(bodies, outcomes, strict=True) if isinstance(outcome, str)]
        assert len(winners) == 1
        assert await read(store, key) == winners[0]


async def test_sixteen_megabytes(store: ObjectStore) -> None:
    """The largest pictures come back whole, in chunks."""
    body = b"".join(hashlib.sha256(b"%d" % block).digest() for block in range(16 * 1024 * 32))
    await store.create(an_object(body=body))
    assert await read(store, "users/1/a.jpg") == body


async def test_reading_may_end_early(store: ObjectStore) -> None:
    """Readers that leave after the first chunk, or before it, cost nothing: the next ones are served as ever."""
    await store.create(an_object(body=b"x" * 3_000_000))
    for _ in range(40):
        stream = await store.get("users/1/a.jpg")
        await stream.chunks.aclose()
        stream = await store.get("users/1/a.jpg")
        assert await anext(stream.chunks)
        await stream.chunks.aclose()
    assert len(await read(store, "users/1/a.jpg")) == 3_000_000


async def test_cancelled_create_leaves_nothing(store: ObjectStore, eventually: Eventually) -> None:
    """Whoever is cancelled while storing leaves no object behind, whenever it happens."""
    finished = set()
    for number in range(12):
        key = f"users/1/{number}.jpg"
        task = asyncio.create_task(store.create(an_object(key, b"x" * 400_000)))
        await asyncio.sleep(number * 0.001)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
            finished.add(key)

    async def only_finished_are_there() -> bool:
        return set(await keys_of(store)) == finished

    await eventually(only_finished_are_there)


async def test_bucket_answers(store: ObjectStore) -> None:
    """A store that works says so."""
    await store.check_bucket()


def test_boto3_is_a_supported_version() -> None:
    """Any boto3 from the one of the specification on will do."""
    major, minor, patch = (int(part) for part in boto3.__version__.split("."))
    print(f"boto3 {boto3.__version__}")
    assert (major, minor, patch) >= (1, 35, 36)


@pytest.mark.parametrize("mode", ChecksumMode)
async def test_checksum_modes(make_bucket: BucketFactory, mode: ChecksumMode) -> None:
    """Whatever the checksum mode, what is stored is what was sent: no trailer, no encoding, nothing refused."""
    connection = make_bucket(checksum_mode=mode)
    store = S3Service(lambda: connection)
    await store.create(an_object(body=b"exactly this"))
    assert await read(store, "users/1/a.jpg") == b"exactly this"
    assert await read(store, "users/1/a.jpg", ByteRange(8, 11)) == b"this"
    store.close()


async def test_upload_and_download(s3_image_service: ImageService) -> None:
    """A picture goes in and comes out as it was stored, with its facts."""
    uploaded = await s3_image_service.upload_image(make_jpeg(320, 200), "user", 7, file_name="café 1.jpg")
    content = await s3_image_service.download_image(uploaded["s3_key"])
    assert hashlib.sha256(content).hexdigest() == uploaded["metadata"]["sha256"]
    facts = await s3_image_service.get_image_metadata(uploaded["s3_key"])
    assert facts["file_name"] == "café 1.jpg"
    assert await s3_image_service.delete_image(uploaded["s3_key"])
    assert not await s3_image_service.image_exists(uploaded["s3_key"])


@pytest.mark.parametrize("key", ["users/a b+c%é/x.jpg", "users/1/a.jpg"])
async def test_presigned_url_fetches(make_bucket: BucketFactory, key: str) -> None:
    """Whoever has the presigned URL gets the picture, without any other secret."""
    connection = make_bucket()
    store = S3Service(lambda: connection)
    await store.create(an_object(key, b"picture"))
    url = S3UrlSigner(lambda: connection).presigned_url(key, expires_in=60)
    with await asyncio.to_thread(urllib.request.urlopen, url, timeout=5) as answer:
        assert answer.read() == b"picture"
        assert answer.headers["Content-Type"] == "image/jpeg"
    store.close()
