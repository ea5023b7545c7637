"""From a deleted image to CloudFront: the use case, the queue in a real bucket, and what is invalidated."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from app.bootstrap import Services
from app.core.config import Settings
from app.core.exceptions import S3Unavailable
from app.services.image_service import ImageService
from app.services.s3_service import S3Service
from tests.conftest import BucketFactory, make_image_service
from tests.entrypoints.cli.program import variables_of
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
