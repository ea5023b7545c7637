"""The use cases on SeaweedFS: many at once, from threads and processes, and cancelled at any moment."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import sys
from dataclasses import replace
from pathlib import Path

from PIL import Image

from app.images.keys import parse_image_key
from app.services.image_service import ImageService
from app.services.protocols import NewObject
from app.services.s3_service import S3Service
from tests.conftest import BucketFactory, Eventually, make_image_service, measuring_lag
from tests.fault_proxy import FaultProxy, WithholdAnswer
from tests.pictures import decode, make_jpeg, make_png

REPOSITORY = Path(__file__).parents[2]
UPLOADS = 200


def coloured(number: int) -> Image.Image:
    return Image.new("RGB", (96, 64), colour_of(number))


def colour_of(number: int) -> tuple[int, int, int]:
    """A different colour for each number, the next one far away."""
    return number * 89 % 256, number * 53 % 256, number * 29 % 256


async def keys_in(service: ImageService) -> list[str]:
    return [listed.key for listed in await service.parts.store.list("")]


async def test_two_hundred_uploads_at_once(s3_image_service: ImageService) -> None:
    """200 pictures uploaded at the same time are all there, each under its own key, and none is another's."""
    service = s3_image_service
    files = [make_png(96, 64, picture=coloured(number)) for number in range(UPLOADS)]
    await service.check_ready()

    async with measuring_lag() as delays:
        results = await asyncio.gather(
            *(service.upload_image(file, "room", number % 7) for number, file in enumerate(files))
        )

    contents = await asyncio.gather(*(service.download_image(result["s3_key"]) for result in results))
    for number, (result, content) in enumerate(zip(results, contents, strict=True)):
        assert result["user_id"] == str(number % 7)
        assert result["metadata"]["sha256"] == hashlib.sha256(content).hexdigest()
        assert decode(content).convert("RGB").getpixel((48, 32)) == colour_of(number)
    assert sorted(await keys_in(service)) == sorted(result["s3_key"] for result in results)
    assert len({colour_of(number) for number in range(UPLOADS)}) == UPLOADS
    assert max(delays) < 0.5


async def test_whole_life_of_an_image(s3_image_service: ImageService) -> None:
    """Upload, ask, list, download, delete: the store agrees with itself at every step."""
    service = s3_image_service
    uploaded = await service.upload_image(make_jpeg(300, 200), "document", "rené o'neill", file_name="naïve 🏡.jpg")
    key = uploaded["s3_key"]
    variants = parse_image_key(key, prefixes={"documents"}).variants_prefix
    await service.parts.store.create(NewObject(f"{variants}w320.webp", b"v", "image/webp", "no-cache"))

    facts = await service.get_image_metadata(key)
    assert {name: facts[name] for name in uploaded} == uploaded  # type: ignore[literal-required]
    assert (facts["owner"], facts["visibility"]) == ("rené o'neill", "private")
    assert (await service.find_object(key)).cache_control == "private, no-store"
    listed = await service.list_images("document", "rené o'neill")
    assert [(image["s3_key"], image["etag"]) for image in listed["images"]] == [(key, uploaded["etag"])]

    assert await service.delete_image(key) is True
    assert await keys_in(service) == []
    assert await service.delete_image(key) is False


async def test_upload_cancelled_at_any_moment(s3_image_service: ImageService, eventually: Eventually) -> None:
    """Whenever a client leaves, its picture is stored whole and answered for, or not at all."""
    service = s3_image_service
    sent = make_jpeg(900, 700)
    await service.upload_image(sent, "user", 0)
    known = set(await keys_in(service))
    for number in range(24):
        task = asyncio.create_task(service.upload_image(sent, "user", 1))
        await asyncio.sleep(number * 0.003)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            known.add((await task)["s3_key"])

    async def only_known_are_there() -> bool:
        return set(await keys_in(service)) == known

    await eventually(only_known_are_there)


async def test_upload_cancelled_after_the_store_has_it(make_bucket: BucketFactory, eventually: Eventually) -> None:
    """A client that leaves while the store's answer is on its way leaves nothing behind."""
    connection = make_bucket()
    with FaultProxy(connection.endpoint_url) as proxy:
        behind = replace(connection, endpoint_url=proxy.endpoint_url, read_timeout_seconds=1.0)
        slow, direct = S3Service(lambda: behind), S3Service(lambda: connection)
        proxy.spoil("PUT", WithholdAnswer())
        task = asyncio.create_task(make_image_service(slow, behind).upload_image(make_jpeg(90, 70), "user", 1))

        async def one_is_there() -> bool:
            return len(await direct.list("")) == 1

        async def none_is_there() -> bool:
            return await direct.list("") == []

        await eventually(one_is_there)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await eventually(none_is_there)
        for store in (slow, direct):
            await asyncio.to_thread(store.close)


async def test_several_threads_with_loops_of_their_own(s3_image_service: ImageService) -> None:
    """One service serves any number of threads and event loops at the same time."""
    results: list[str] = []

    async def work(number: int) -> None:
        for part in range(4):
            uploaded = await s3_image_service.upload_image(make_jpeg(40 + number, 40 + part), "user", number)
            content = await s3_image_service.download_image(uploaded["s3_key"])
            assert decode(content).size == (40 + number, 40 + part)
            results.append(uploaded["s3_key"])

    await asyncio.gather(*(asyncio.to_thread(asyncio.run, work(number)) for number in range(6)))
    assert len(results) == 24
    assert sorted(await keys_in(s3_image_service)) == sorted(results)


# In a process of its own: forking the tests' many threads would be a test of something else.
FORKING = """
import asyncio, os, sys, warnings
from app.services.s3_connection import S3Connection
from app.services.protocols import NewObject
from app.services.s3_service import S3Service

# Python warns of forking with threads, which is what servers that load before they fork do.
warnings.simplefilter("ignore", DeprecationWarning)
endpoint, bucket, key_id, secret = sys.stdin.read().split()
store = S3Service(lambda: S3Connection(bucket, "us-east-1", endpoint, access_key_id=key_id, secret_access_key=secret))

async def work(name):
    for number in range(20):
        key = f"users/{name}/{number}.jpg"
        await store.create(NewObject(key, key.encode(), "image/jpeg", "no-cache"))
        stream = await store.get(key)
        assert b"".join([chunk async for chunk in stream.chunks]) == key.encode()

asyncio.run(work("before"))
children = []
for number in range(2):
    child = os.fork()
    if child == 0:
        try:
            asyncio.run(work(f"child{number}"))
            store.close()
        except BaseException as error:
            print(repr(error), flush=True)
            os._exit(1)
        os._exit(0)
    children.append(child)
asyncio.run(work("parent"))
assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
store.close()
print("ok")
"""


async def test_forked_processes(make_bucket: BucketFactory) -> None:
    """Parent and children of a fork go on with connections of their own; no answer reaches the wrong process."""
    connection = make_bucket()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        FORKING,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    told = (connection.endpoint_url, connection.bucket, connection.access_key_id, connection.secret_access_key)
    output, errors = await asyncio.wait_for(process.communicate(" ".join(map(str, told)).encode()), 60)
    assert (output.decode(), process.returncode) == ("ok\n", 0), errors.decode()
    store = S3Service(lambda: connection)
    assert len(await store.list("users/")) == 80
    store.close()
