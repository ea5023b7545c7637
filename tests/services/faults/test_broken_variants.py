"""Uploads with variants over connections that break: whole and answered for, or nothing but garbage for the sweep."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from app.core.exceptions import S3AccessDenied, S3ConnectionFailed
from app.services.image_service import ImageService
from app.services.s3_connection import S3Connection
from app.services.s3_service import S3Service
from tests.conftest import Eventually
from tests.fault_proxy import Answer, DropAnswer, Fault, FaultProxy, Pass, ResetRequest, Stall, WithholdAnswer
from tests.services.emitting import PLANS, SPECS, EmittingProcessor
from tests.services.faults.impatience import impatient
from tests.services.image_services import NOW, SENT, service_on

DENIED = Answer(403, b"<Error><Code>AccessDenied</Code><Message>No.</Message></Error>")
OBJECTS = len(SPECS) + 1
# One in the middle, and the original.
PLACES = (4, OBJECTS - 1)


@pytest.fixture
def store(bucket: S3Connection, proxy: FaultProxy) -> Iterator[S3Service]:
    """The store behind the proxy; an upload's first write and its later ones take their two ways here too."""
    connection = impatient(bucket, proxy.endpoint_url)
    store = S3Service(lambda: connection)
    yield store
    store.close()


@pytest.fixture
def patient_store(bucket: S3Connection, proxy: FaultProxy) -> Iterator[S3Service]:
    """The same with the usual time-outs, for faults that are answers: a machine that pauses is none of the store."""
    connection = replace(bucket, endpoint_url=proxy.endpoint_url)
    store = S3Service(lambda: connection)
    yield store
    store.close()


def uploading(store: S3Service) -> ImageService:
    """A service with patience for one call at a time, and a little more for all of them."""
    return service_on(store, processor=EmittingProcessor(), plans=PLANS, store_timeout_seconds=4.0)


def nothing_in(direct: S3Service) -> Callable[[], Awaitable[bool]]:
    async def is_empty() -> bool:
        return await direct.list("") == []

    return is_empty


@pytest.mark.parametrize("place", PLACES)
async def test_refused_somewhere(
    patient_store: S3Service, direct: S3Service, proxy: FaultProxy, eventually: Eventually, place: int
) -> None:
    """Whichever object the store refuses, the upload fails with its word and nothing of the image remains."""
    proxy.spoil("PUT", *[Pass()] * place, *[DENIED] * 99)
    service = service_on(patient_store, processor=EmittingProcessor(), plans=PLANS)
    with pytest.raises(S3AccessDenied):
        await service.upload_image(SENT, "user", 1)
    await eventually(nothing_in(direct))


@pytest.mark.parametrize("fault", [DropAnswer(), ResetRequest(10), Answer(503)], ids=lambda fault: type(fault).__name__)
async def test_hiccups_nobody_notices(store: S3Service, direct: S3Service, proxy: FaultProxy, fault: Fault) -> None:
    """Lost answers, broken connections and a busy store are got over object by object, and each is there once."""
    # Fewer than the attempts at one write: which objects meet them is chance.
    proxy.spoil("PUT", fault, *[Pass()] * 4, fault)
    service = uploading(store)
    result = await service.upload_image(SENT, "user", 1)
    expected = {result["s3_key"], *(variant["s3_key"] for variant in result["variants"])}
    assert {listed.key for listed in await direct.list("")} == expected
    assert len(expected) == OBJECTS


@pytest.mark.parametrize("place", PLACES)
async def test_store_that_is_gone_in_the_middle(
    store: S3Service, direct: S3Service, proxy: FaultProxy, eventually: Eventually, place: int
) -> None:
    """A store that cannot be reached any more keeps variants without an original, which a later sweep removes."""
    proxy.spoil("PUT", *[Pass()] * place)
    proxy.spoil_all(ResetRequest())
    with pytest.raises(S3ConnectionFailed):
        await uploading(store).upload_image(SENT, "user", 1)
    assert all(listed.key.startswith("variants/users/1/") for listed in await direct.list(""))
    days_later = service_on(direct, now=lambda: NOW + timedelta(days=2))

    async def sweep_leaves_nothing() -> bool:
        # Writes that were under way may still arrive.
        await days_later.sweep_variants()
        return await direct.list("") == []

    await eventually(sweep_leaves_nothing)


@pytest.mark.parametrize("place", PLACES)
async def test_client_that_leaves_while_an_answer_is_on_its_way(
    store: S3Service, direct: S3Service, proxy: FaultProxy, eventually: Eventually, place: int
) -> None:
    """Whichever object was just being stored, a client that leaves then leaves nothing behind."""
    proxy.spoil("PUT", *[Pass()] * place, *[WithholdAnswer()] * 99)
    task = asyncio.create_task(uploading(store).upload_image(SENT, "user", 1))

    async def is_waiting() -> bool:
        return proxy.methods.count("PUT") > place and len(await direct.list("")) > 0

    await eventually(is_waiting)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await eventually(nothing_in(direct))


async def test_store_that_swallows_the_original(
    store: S3Service, direct: S3Service, proxy: FaultProxy, eventually: Eventually
) -> None:
    """A store that never answers for the original ends the upload in time, and nothing remains."""
    proxy.spoil("PUT", *[Pass()] * len(SPECS), *[Stall()] * 99)
    loop = asyncio.get_running_loop()
    started = loop.time()
    with pytest.raises(S3ConnectionFailed):
        await uploading(store).upload_image(SENT, "user", 1)
    assert loop.time() - started < 9
    await eventually(nothing_in(direct))


async def test_store_that_freezes_and_thaws(frozen: tuple[S3Service, int], eventually: Eventually) -> None:
    """A store that hangs at the original and goes on later shows no image that lacks one of its variants."""
    store, pid = frozen
    os.kill(pid, signal.SIGCONT)

    async def all_variants_are_there() -> bool:
        return len(await store.list("variants/rooms/")) == len(SPECS)

    async def freeze_at_the_end(number: int) -> None:
        if number == len(SPECS):
            await eventually(all_variants_are_there)
            os.kill(pid, signal.SIGSTOP)

    processor = EmittingProcessor(pause=freeze_at_the_end)
    service = service_on(store, processor=processor, plans=PLANS, store_timeout_seconds=2.0)
    with pytest.raises(S3ConnectionFailed):
        await service.upload_image(SENT, "room", 1)
    os.kill(pid, signal.SIGCONT)
    await asyncio.to_thread(store.close)

    there = {listed.key for listed in await store.list("variants/rooms/")}
    for image in (await service.list_images("room"))["images"]:
        described = await service.get_image_metadata(image["s3_key"])
        assert {variant["s3_key"] for variant in described["variants"]} <= there
        assert len(described["variants"]) == len(SPECS)
        await service.delete_image(image["s3_key"])
    await service_on(store, now=lambda: NOW + timedelta(days=2)).sweep_variants()
    assert await store.list("variants/rooms/") == []
