"""Invalidation from the queue in the bucket: told once, in bounds, repeated until accepted, and never lost."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from app.core.exceptions import S3ConnectionFailed
from app.services.cloudfront.control_api import CloudFrontFailed, ControlApi, make_client
from app.services.cloudfront.invalidation import QueuedInvalidator
from app.services.cloudfront.queue import BATCHES_PREFIX, ENTRIES_PREFIX, InvalidationQueue
from app.services.cloudfront.worker import InvalidationWorker
from app.services.memory_store import MemoryStore
from app.services.protocols import NewObject, ObjectStore
from app.services.s3_connection import S3Connection
from app.services.s3_service import S3Service
from tests.conftest import BucketFactory, Eventually
from tests.services.cloudfront.stub_cloudfront import StubCloudFront
from tests.services.doctor.moto_store import MotoStore

CONNECTION = S3Connection(
    bucket="", region="us-east-1", access_key_id="AKIAEXAMPLE", secret_access_key="secret", max_attempts=1
)


class Side:
    """One process's part: its invalidator and worker, on a queue that it may share with others."""

    def __init__(
        self,
        store: ObjectStore,
        endpoint_url: str,
        *,
        distribution: str = "D1",
        settle: float = 0,
        cdn: str | None = None,
    ) -> None:
        self.moment = datetime(2026, 12, 1, tzinfo=UTC)
        self.queue = InvalidationQueue(store)
        self.api = ControlApi(CONNECTION, distribution, endpoint_url=endpoint_url)
        self.worker = InvalidationWorker(self.queue, self.api, settle_seconds=settle, now=lambda: self.moment)
        self.invalidator = QueuedInvalidator(
            self.queue, cdn_base_url=cdn, now=lambda: self.moment, on_added=self.worker.notice
        )


@pytest.fixture
def side(s3_store: S3Service, cloudfront: StubCloudFront) -> Iterator[Side]:
    made = Side(s3_store, cloudfront.url)
    yield made
    made.api.close()


async def left_in(store: ObjectStore) -> list[str]:
    return [entry.key for entry in await store.list("")]


async def test_paths_are_written_down_and_told_once(
    side: Side, s3_store: S3Service, cloudfront: StubCloudFront
) -> None:
    """What is deleted is forgotten by the CDN: one write at the request, one invalidation later, nothing left."""
    await side.invalidator.remember(["/users/1/a.jpg", "/variants/users/1/a/w320.avif", "/variants/users/1/a/*"])
    await side.invalidator.remember(["/users/1/a.jpg", "/users/1/b.jpg"])
    written = await left_in(s3_store)
    assert len(written) == 2
    assert all(key.startswith(ENTRIES_PREFIX) for key in written)

    made = await side.worker.settle()

    assert (made.sent_paths, made.left_entries, made.is_full) == (3, 0, False)
    assert cloudfront.paths == ["/users/1/a.jpg", "/users/1/b.jpg", "/variants/users/1/a/*"]
    assert await left_in(s3_store) == []
    assert (await side.worker.settle()).sent_paths == 0
    assert len(cloudfront.accepted) == 1


async def test_moto_has_the_invalidation(s3_store: S3Service) -> None:
    """An implementation of AWS's API that is not ours reads our requests as they are meant."""
    origin = {"Id": "o", "DomainName": "a.s3.amazonaws.com", "S3OriginConfig": {"OriginAccessIdentity": ""}}
    behaviour = {"TargetOriginId": "o", "ViewerProtocolPolicy": "https-only"}
    description = {
        "CallerReference": "1",
        "Comment": "",
        "Enabled": True,
        "Origins": {"Quantity": 1, "Items": [origin]},
        "DefaultCacheBehavior": behaviour,
    }
    with MotoStore() as moto:
        url = str(moto.connection("x").endpoint_url)
        with contextlib.closing(make_client(CONNECTION, endpoint_url=url)) as client:
            identity = client.create_distribution(DistributionConfig=description)["Distribution"]["Id"]
            side = Side(s3_store, url, distribution=identity)
            await side.invalidator.remember(["/a/%C3%A9.jpg", "/b/*"])
            assert (await side.worker.settle()).sent_paths == 2
            listed = client.list_invalidations(DistributionId=identity)["InvalidationList"]["Items"]
            told = client.get_invalidation(DistributionId=identity, Id=listed[0]["Id"])["Invalidation"]
            unknown = Side(s3_store, url, distribution="E0")
            await unknown.invalidator.remember(["/c"])
            with pytest.raises(CloudFrontFailed, match="NoSuchDistribution"):
                await unknown.worker.settle()
        side.api.close()
        unknown.api.close()
    assert told["InvalidationBatch"]["Paths"]["Items"] == ["/a/%C3%A9.jpg", "/b/*"]
    assert len(listed) == 1


async def test_nothing_is_told_before_its_object_is_gone(s3_store: S3Service, cloudfront: StubCloudFront) -> None:
    """Told too early, the CDN would fetch again what is just about to be deleted."""
    side = Side(s3_store, cloudfront.url, settle=15)
    await side.invalidator.remember(["/a"])
    side.moment += timedelta(seconds=14)
    assert (await side.worker.settle()).left_entries == 1
    assert cloudfront.requests == []
    side.moment += timedelta(seconds=1)
    assert (await side.worker.settle()).sent_paths == 1
    side.api.close()


async def test_the_path_of_the_cdn_stands_before(s3_store: S3Service, cloudfront: StubCloudFront) -> None:
    """With CDN_BASE_URL=https://example.com/media the CDN knows the objects under /media."""
    side = Side(s3_store, cloudfront.url, cdn="https://example.com/media")
    await side.invalidator.remember(["/users/a", "/variants/*"])
    await side.worker.settle()
    assert cloudfront.paths == ["/media/users/a", "/media/variants/*"]
    side.api.close()


async def test_within_the_limits(side: Side, cloudfront: StubCloudFront) -> None:
    """Never more than 3,000 files and 15 wildcards in progress, those of others counted; the rest waits for them."""
    cloudfront.create("another's", [f"/other/{at}" for at in range(1500)] + [f"/other/{at}*" for at in range(10)])
    cloudfront.create("another's second", ["/other/x"])
    cloudfront.create("another's third", ["/other/y"])
    for part in range(4):
        await side.invalidator.remember([*(f"/{part}/{at}" for at in range(900)), f"/{part}/w/*", f"/{part}/v/*"])
        side.moment += timedelta(seconds=1)

    first = await side.worker.settle()

    assert first.is_full
    assert (first.sent_paths, first.left_entries) == (902, 3)
    assert "POST" not in cloudfront.requests[-1]
    for _ in range(4):
        cloudfront.complete()
        last = await side.worker.settle()
    assert last.left_entries == 0
    assert len(set(cloudfront.paths)) == len(cloudfront.paths)


async def test_a_refusal_keeps_everything(side: Side, s3_store: S3Service, cloudfront: StubCloudFront) -> None:
    """Throttled, denied, or too much in progress by a race: it stays in the queue, and the same batch is sent again."""
    for status, code in ((400, "TooManyInvalidationsInProgress"), (403, "AccessDenied"), (503, "ServiceUnavailable")):
        await side.invalidator.remember([f"/{code}"])
        # The list is answered, the creation is not.
        await side.api.ask_for_room()
        cloudfront.refusals = [(status, code)]
        with pytest.raises(CloudFrontFailed, match=code):
            await side.worker.settle()
        assert await left_in(s3_store)
    assert cloudfront.accepted == []
    await side.worker.settle()
    assert sorted(cloudfront.paths) == ["/AccessDenied", "/ServiceUnavailable", "/TooManyInvalidationsInProgress"]
    assert await left_in(s3_store) == []


async def test_one_bad_batch_holds_up_no_other(side: Side, s3_store: S3Service, cloudfront: StubCloudFront) -> None:
    """What CloudFront will never take stays and is told of; what comes later is invalidated all the same."""
    cloudfront.refused_path = "/bad"
    await side.invalidator.remember(["/bad"])
    for _ in range(2):
        with pytest.raises(CloudFrontFailed, match="InvalidArgument"):
            await side.worker.settle()
    await side.invalidator.remember(["/good"])
    with pytest.raises(CloudFrontFailed, match="InvalidArgument"):
        await side.worker.settle()
    assert cloudfront.paths == ["/good"]
    assert len(await left_in(s3_store)) == 2


async def test_a_lost_answer_is_no_second_invalidation(side: Side, cloudfront: StubCloudFront) -> None:
    """Accepted without our hearing of it, the same batch is sent again, and CloudFront knows it by its reference."""
    cloudfront.loses_answers = True
    await side.invalidator.remember(["/a"])
    with pytest.raises(CloudFrontFailed, match="ConnectionClosedError"):
        await side.worker.settle()
    cloudfront.loses_answers = False
    await side.invalidator.remember(["/b"])

    assert (await side.worker.settle()).sent_paths == 2
    assert [each.paths for each in cloudfront.accepted] == [["/a"], ["/b"]]


async def test_the_same_path_again_is_a_new_invalidation(side: Side, cloudfront: StubCloudFront) -> None:
    """An image made private, public and private again is forgotten twice."""
    for _ in range(2):
        await side.invalidator.remember(["/a"])
        await side.worker.settle()
    assert cloudfront.paths == ["/a", "/a"]


async def test_several_replicas_share_a_queue(s3_store: S3Service, cloudfront: StubCloudFront) -> None:
    """Whichever worker is first: everything is told, nothing is left, and none fails."""
    sides = [Side(s3_store, cloudfront.url) for _ in range(3)]
    expected = set()
    for at in range(12):
        await sides[at % 3].invalidator.remember([f"/{at}"])
        expected.add(f"/{at}")
    await asyncio.gather(*(side.worker.settle() for side in sides))
    assert set(cloudfront.paths) == expected
    assert await left_in(s3_store) == []
    for side in sides:
        side.api.close()


async def test_store_down_means_not_remembered(make_bucket: BucketFactory) -> None:
    """Nothing may be deleted whose path could not be written down: the caller is told."""
    gone = dataclasses.replace(make_bucket(), endpoint_url="http://127.0.0.1:9", max_attempts=1)
    store = S3Service(lambda: gone)
    side = Side(store, "http://127.0.0.1:9")
    with pytest.raises(S3ConnectionFailed):
        await side.invalidator.remember(["/a"])
    with pytest.raises(S3ConnectionFailed):
        await side.worker.settle()
    store.close()
    side.api.close()


async def test_bad_paths_write_nothing() -> None:
    """One path that cannot be invalidated is the caller's mistake, seen before anything is written."""
    store = MemoryStore()
    side = Side(store, "http://127.0.0.1:9")
    with pytest.raises(ValueError, match="begins with /"):
        await side.invalidator.remember(["/a", "b"])
    await side.invalidator.remember([])
    assert await left_in(store) == []
    side.api.close()


async def test_what_is_not_ours_in_the_queue_stops_nothing(
    side: Side, s3_store: S3Service, cloudfront: StubCloudFront
) -> None:
    """An object that somebody put among the entries is left alone."""
    for prefix in (ENTRIES_PREFIX, BATCHES_PREFIX):
        await s3_store.create(NewObject(f"{prefix}0.txt", b"hello", "text/plain", "no-store"))
    await side.invalidator.remember(["/a"])
    assert (await side.worker.settle()).sent_paths == 1
    assert cloudfront.paths == ["/a"]


async def test_the_worker_runs_beside_and_tells_failures_once(
    s3_store: S3Service,
    cloudfront: StubCloudFront,
    eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """In the background the queue empties by itself; a failure that repeats is logged once, with its code."""
    monkeypatch.setattr("app.services.cloudfront.worker._FIRST_BACKOFF_SECONDS", 0.001)
    side = Side(s3_store, cloudfront.url, settle=0.01)
    cloudfront.refusals = [(403, "AccessDenied")] * 3
    with caplog.at_level("WARNING", "heaven.cdn"):
        task = asyncio.create_task(side.worker.run())
        await asyncio.sleep(0)
        await side.invalidator.remember(["/a"])
        side.moment += timedelta(minutes=1)

        async def is_told() -> bool:
            return cloudfront.paths == ["/a"] and await left_in(s3_store) == []

        await eventually(is_told)
        await side.invalidator.remember(["/b"])
        side.moment += timedelta(minutes=1)

        async def is_told_too() -> bool:
            return cloudfront.paths == ["/a", "/b"]

        await eventually(is_told_too)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    side.api.close()
    assert [(record.msg, vars(record)["code"]) for record in caplog.records] == [
        ("cdn_invalidation_failed", "AccessDenied")
    ]
