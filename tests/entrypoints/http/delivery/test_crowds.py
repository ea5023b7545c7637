"""Many clients at once, a killed service, a store that is down: nothing is made twice, nothing broken is shown."""

from __future__ import annotations

import asyncio
import contextlib
import io
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from PIL import Image

from app.core.exceptions import ImageNotFound, ProcessingOverloaded
from app.entrypoints.http.app import create_app
from app.images.recipes import Recipe, TransformedImage
from app.images.records import Structure
from app.services.decoder.thread_processor import ThreadProcessor
from app.services.embedded_s3 import EmbeddedS3
from app.services.image_service import ImageService
from app.services.memory_store import MemoryStore
from app.services.s3_connection import S3Connection, make_client
from app.services.s3_service import S3Service
from app.services.slots import Slots
from tests.conftest import BucketFactory, connection_to
from tests.entrypoints.cli.program import eventually, serving, variables_of
from tests.entrypoints.http.conftest import ServicesOf, make_settings
from tests.entrypoints.http.delivery.delivering import KEYS, PHOTO, SIGNED, make_service
from tests.pictures import make_jpeg
from tests.running_service import run_service

CLIENTS, TRANSFORMS = 200, 20


class CountingProcessor(ThreadProcessor):
    """Counts what it was asked to render and says when it has begun; with `gate` it waits for that to open."""

    def __init__(self, *, gate: asyncio.Event | None = None) -> None:
        super().__init__(threads=2)
        self.rendered: Counter[tuple[int, int]] = Counter()
        self.has_begun = asyncio.Event()
        self._gate = gate

    def open_gate(self) -> None:
        """Nobody waits any more."""
        assert self._gate
        self._gate.set()

    async def transform(self, structure: Structure, recipe: Recipe, **options: Any) -> TransformedImage:
        self.rendered[recipe.size] += 1
        self.has_begun.set()
        if self._gate:
            await self._gate.wait()
        return await super().transform(structure, recipe, **options)


@pytest.fixture
def counted(make_bucket: BucketFactory) -> Iterator[tuple[ImageService, CountingProcessor]]:
    """An image service on SeaweedFS whose renderings are counted."""
    connection = make_bucket()
    store, processor = S3Service(lambda: connection), CountingProcessor()
    yield make_service(store=store, processor=processor), processor
    processor.close()
    store.close()


async def test_two_hundred_clients_and_twenty_new_transforms(
    counted: tuple[ImageService, CountingProcessor],
) -> None:
    """Two hundred clients who ask for twenty new pictures of one image at once all get them, each made once."""
    service, processor = counted
    key = (await service.upload_image(PHOTO, "user", 1))["s3_key"]
    urls = [service.img_url(key, f"w:{100 + number},f:webp") for number in range(TRANSFORMS)]
    app = create_app(ServicesOf(service, make_settings()))
    with run_service(app) as running:
        limits = httpx2.Limits(max_connections=CLIENTS)
        async with httpx2.AsyncClient(base_url=running.url, limits=limits, timeout=60) as client:
            answers = await asyncio.gather(*(client.get(urls[number % TRANSFORMS]) for number in range(CLIENTS)))
    assert {answer.status_code for answer in answers} == {200}
    widths = {Image.open(io.BytesIO(answer.content)).width for answer in answers}
    assert widths == set(range(100, 100 + TRANSFORMS))
    assert list(processor.rendered.values()) == [1] * TRANSFORMS


async def test_stored_pictures_are_sent_while_rendering_is_saturated() -> None:
    """With every slot taken new pictures are refused quickly, and stored ones still sent."""
    gate = asyncio.Event()
    processor = CountingProcessor(gate=gate)
    service = make_service(store=MemoryStore(), processor=processor, slots=Slots(1, max_wait_seconds=0.05))
    gate.set()
    key = (await service.upload_image(PHOTO, "user", 1))["s3_key"]
    await service.transform_image(key, "w:200,f:webp")
    gate.clear()
    processor.has_begun.clear()
    first = asyncio.create_task(service.transform_image(key, "w:201,f:webp"))
    await processor.has_begun.wait()
    waiting = [service.transform_image(key, f"w:{width},f:webp") for width in range(202, 206)]
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {ProcessingOverloaded}
    assert len((await service.transform_image(key, "w:200,f:webp"))[1]) > 0
    gate.set()
    await first


async def test_an_image_deleted_while_its_result_is_made_leaves_nothing() -> None:
    """A result that is finished after its image was deleted is taken back, and the client is told there is none."""
    gate, store = asyncio.Event(), MemoryStore()
    processor = CountingProcessor(gate=gate)
    service = make_service(store=store, processor=processor)
    key = (await service.upload_image(PHOTO, "user", 1))["s3_key"]
    making = asyncio.create_task(service.transform_image(key, "w:200,f:webp"))
    await processor.has_begun.wait()
    await service.delete_image(key)
    gate.set()
    with pytest.raises(ImageNotFound):
        await making
    assert await store.list("") == []


def results_in(bucket: S3Connection) -> dict[str, bytes]:
    """The results of transforms that lie in the bucket."""
    with contextlib.closing(make_client(bucket)) as client:
        listed = client.list_objects_v2(Bucket=bucket.bucket, Prefix="variants/").get("Contents", [])
        keys = [entry["Key"] for entry in listed if "/t-" in entry["Key"]]
        return {key: client.get_object(Bucket=bucket.bucket, Key=key)["Body"].read() for key in keys}


def test_a_killed_service_leaves_no_broken_result(make_bucket: BucketFactory, tmp_path: Path) -> None:
    """Killed while it makes pictures it leaves whole ones only, and the next service makes the others."""
    bucket = make_bucket()
    variables = variables_of(bucket) | {"DELIVERY_KEYS": KEYS[0].decode(), "VARIANT_WIDTHS": "none"}
    urls: list[str] = []

    async def ask(base: str) -> list[httpx2.Response | BaseException]:
        async with httpx2.AsyncClient(base_url=base, timeout=60) as client:
            return await asyncio.gather(*(client.get(url) for url in urls), return_exceptions=True)

    async def ask_and_kill(process: Any, base: str) -> None:
        asking = asyncio.create_task(ask(base))
        assert await asyncio.to_thread(eventually, lambda: results_in(bucket))
        process.kill()
        process.wait()
        answers = await asking
        whole = [answer for answer in answers if isinstance(answer, httpx2.Response)]
        assert {answer.status_code for answer in whole} <= {200, 503}
        for answer in whole:
            if answer.status_code == 200:
                Image.open(io.BytesIO(answer.content)).load()
        assert len(whole) < len(answers), "it was killed too late"

    service = make_service(store=MemoryStore())
    with serving(tmp_path, variables=variables) as first:
        photo = {"file": ("a.jpg", make_jpeg(1600, 1200))}
        uploaded = httpx2.post(f"{first.url}/api/v1/images", files=photo, data={"image_type": "user"}, timeout=60)
        key = uploaded.json()["s3_key"]
        urls += [service.img_url(key, f"w:{900 + width},f:webp") for width in range(40)]
        asyncio.run(ask_and_kill(first.process, first.url))
    left = results_in(bucket)
    assert left
    for body in left.values():
        Image.open(io.BytesIO(body)).load()
    with serving(tmp_path, variables=variables) as second:
        for url in urls[:8] + urls[-8:]:
            answer = httpx2.get(f"{second.url}{url}", timeout=60)
            assert answer.status_code == 200
            Image.open(io.BytesIO(answer.content)).load()


async def test_a_store_that_is_down_is_said_to_be(tmp_path: Path) -> None:
    """Without its store the service shows nothing from memory: 503 with a code, within the store's time."""
    server = EmbeddedS3(tmp_path / "s3")
    connection = connection_to(await asyncio.to_thread(server.start), "photos", total_timeout_seconds=4.0)
    with contextlib.closing(make_client(connection)) as client:
        client.create_bucket(Bucket="photos")
    store = S3Service(lambda: connection)
    service = make_service(replace(SIGNED, memory_seconds=0), store=store)
    key = (await service.upload_image(PHOTO, "user", 1))["s3_key"]
    url = service.img_url(key, "w:200,f:webp")
    app = create_app(ServicesOf(service, make_settings()))
    with run_service(app) as running:
        async with httpx2.AsyncClient(base_url=running.url, timeout=30) as client:
            shown = await client.get(url)
            assert shown.status_code == 200
            await asyncio.to_thread(server.stop)
            asked_at = time.monotonic()
            new = service.img_url(key, "w:201,f:webp")
            conditional = client.get(url, headers={"if-none-match": shown.headers["etag"]})
            answers = await asyncio.gather(client.get(url), client.get(new), client.head(url), conditional)
            assert time.monotonic() - asked_at < 8
    assert [answer.status_code for answer in answers] == [503] * 4
    assert answers[0].json()["code"] == "S3_CONNECTION_FAILED"
    store.close()
