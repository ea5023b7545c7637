"""From a deleted image to CloudFront: the use case, the queue in a real bucket, and what is invalidated."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.bootstrap import Services
from app.core.config import Settings
from app.core.exceptions import S3Unavailable
from app.services.image_service import ImageService
from app.services.memory_store import MemoryStore
from app.services.s3_service import S3Service
from tests.conftest import BucketFactory, make_image_service
from tests.entrypoints.cli.program import variables_of
from tests.entrypoints.http.delivery.delivering import make_service
from tests.pictures import make_jpeg
from tests.services.cloudfront.stub_cloudfront import StubCloudFront


class Unwritable:
    """An invalidator whose store is down."""

    async def remember(self, paths: object) -> None:
        raise S3Unavailable


async def test_a_deleted_image_is_forgotten(
    make_bucket: BucketFactory, cloudfront: StubCloudFront, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The CDN is told of the original and of everything made from it, when both are gone."""
    for name, value in (variables_of(make_bucket()) | {"SANDBOX": "off"}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDFRONT", cloudfront.url)
    settings = Settings.load(cloudfront_distribution_id="D1", cdn_base_url="https://example.com/media")
    services = Services(settings)
    try:
        key = (await services.image_service.upload_image(make_jpeg(64, 48), "user", "7"))["s3_key"]
        assert await services.image_service.delete_image(key)
        assert services.cdn_invalidation is not None
        await services.cdn_invalidation.settle(settle_seconds=0)
        assert await services.store.list("") == []
    finally:
        await asyncio.to_thread(services.close)
    stem = key.rpartition(".")[0]
    assert cloudfront.paths == [f"/media/{key}", f"/media/variants/{stem}/*"]


async def test_what_cannot_be_remembered_is_not_deleted(make_bucket: BucketFactory) -> None:
    """A picture that the CDN would go on showing is not half deleted: it stays, and the caller is told."""
    connection = make_bucket()
    store = S3Service(lambda: connection)
    service: ImageService = make_image_service(store, connection, invalidator=Unwritable())
    key = (await service.upload_image(make_jpeg(64, 48), "user", "7"))["s3_key"]
    with pytest.raises(S3Unavailable):
        await service.delete_image(key)
    assert await service.image_exists(key)
    store.close()


class Recorder:
    """Remembers what it was told to."""

    def __init__(self) -> None:
        self.told: list[list[str]] = []

    async def remember(self, paths: Iterable[str]) -> None:
        self.told.append(list(paths))


class FailingOnce(MemoryStore):
    """A store whose first delete under `variants/` fails."""

    has_failed = False

    async def delete(self, key: str) -> None:
        if key.startswith("variants/") and not self.has_failed:
            self.has_failed = True
            raise S3Unavailable
        await super().delete(key)


@pytest.mark.parametrize("change", ["delete", "make private"])
async def test_what_is_ended_by_a_second_attempt_is_told_again(change: str) -> None:
    """The CDN may have fetched again what a first attempt left, so it is told once more before that goes."""
    store, recorder = FailingOnce(), Recorder()
    service = make_service(store=store, invalidator=recorder)
    key = (await service.upload_image(make_jpeg(640, 480), "user", "7"))["s3_key"]

    async def attempt() -> None:
        await (service.delete_image(key) if change == "delete" else service.set_visibility(key, "private"))

    with pytest.raises(S3Unavailable):
        await attempt()
    await attempt()
    folder = f"/variants/{key.rpartition('.')[0]}/*"
    assert [folder in paths for paths in recorder.told] == [True, True]
    assert await store.list(folder[1:-1]) == []


async def test_a_sweep_tells_of_what_it_removes() -> None:
    """Variants that a sweep finds without their image are forgotten by the CDN as well."""
    store, recorder = MemoryStore(), Recorder()
    service = make_service(store=store, invalidator=recorder)
    key = (await service.upload_image(make_jpeg(640, 480), "user", "7"))["s3_key"]
    await store.delete(key)
    later = make_service(store=store, invalidator=recorder, now=lambda: datetime.now(UTC) + timedelta(days=2))
    await later.sweep_variants()
    assert recorder.told == [[f"/variants/{key.rpartition('.')[0]}/*"]]
    assert await store.list("") == []
