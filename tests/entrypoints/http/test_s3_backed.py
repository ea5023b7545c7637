"""The API on a real S3 server: what the store in memory cannot show."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from app.entrypoints.http.app import create_app
from app.services.embedded_s3 import EmbeddedS3
from app.services.image_service import ImageService
from app.services.s3_service import S3Service
from tests.conftest import connection_to, make_image_service
from tests.entrypoints.http.conftest import Api, ServicesOf, assert_problem, make_settings, run_api
from tests.pictures import make_jpeg
from tests.running_service import run_service


@pytest.fixture
def s3_api(s3_image_service: ImageService) -> Iterator[Api]:
    yield from run_api(s3_image_service, make_settings())


def test_picture_through_s3(s3_api: Api) -> None:
    """Upload, list, ranges, validators, URLs and deletion agree when a real store is behind them."""
    image = s3_api.upload(make_jpeg(1200, 900), user_id="zoë 1").json()
    path = f"/api/v1/files/{image['s3_key']}"
    whole = s3_api.client.get(path)

    assert hashlib.sha256(whole.content).hexdigest() == image["metadata"]["sha256"]
    assert whole.headers["etag"] == image["etag"]
    assert s3_api.client.get(path, headers={"Range": "bytes=100-199"}).content == whole.content[100:200]
    assert s3_api.client.get(path, headers={"If-None-Match": image["etag"]}).status_code == 304
    assert s3_api.client.head(path).headers["content-length"] == str(image["file_size"])
    urls = s3_api.client.get(f"/api/v1/urls/{image['s3_key']}").json()
    assert httpx2.get(urls["presigned_url"], trust_env=False).content == whole.content
    listed = s3_api.client.get("/api/v1/images", params={"user_id": "zoë 1"}).json()["images"]
    assert [entry["s3_key"] for entry in listed] == [image["s3_key"]]
    assert s3_api.client.delete(f"/api/v1/images/{image['s3_key']}").status_code == 204
    assert_problem(s3_api.client.get(path), 404, "IMAGE_NOT_FOUND")
    assert s3_api.client.get("/readyz").status_code == 200


async def test_many_uploads_at_once(s3_image_service: ImageService) -> None:
    """Uploads from many clients at once are neither lost nor mixed up."""
    pictures = [make_jpeg(40 + at, 30) for at in range(30)]
    with run_service(create_app(ServicesOf(s3_image_service, make_settings()))) as running:
        async with httpx2.AsyncClient(base_url=running.url, timeout=60, trust_env=False) as client:

            async def upload(at: int) -> tuple[int, int]:
                answer = await client.post(
                    "/api/v1/images", files={"file": pictures[at]}, data={"image_type": "user", "user_id": str(at)}
                )
                image = answer.json()
                assert (
                    hashlib.sha256((await client.get(f"/api/v1/files/{image['s3_key']}")).content).hexdigest()
                    == (image["metadata"]["sha256"])
                )
                return int(image["user_id"]), image["metadata"]["width"]

            widths = await asyncio.gather(*(upload(at) for at in range(len(pictures))))

    assert widths == [(at, 40 + at) for at in range(len(pictures))]


def test_bucket_that_does_not_exist(make_bucket: object, embedded: object) -> None:
    """A wrong bucket name answers 502 and readiness 503, without a word of the store's own."""
    connection = connection_to(embedded, "no-such-bucket")  # type: ignore[arg-type]
    store = S3Service(lambda: connection)
    for api in run_api(make_image_service(store, connection), make_settings()):
        uploaded = api.upload(make_jpeg(40, 30))
        ready = api.client.get("/readyz")
    store.close()

    assert_problem(uploaded, 502, "S3_BUCKET_NOT_FOUND")
    assert_problem(ready, 503, "S3_BUCKET_NOT_FOUND")
    assert "no-such-bucket" not in uploaded.text + ready.text


@pytest.mark.parametrize("debug", [False, True])
def test_store_that_is_down(tmp_path: Path, debug: bool) -> None:
    """While the store is down clients are told to repeat; why, they see only with DEBUG."""
    server = EmbeddedS3(tmp_path / "s3")
    connection = connection_to(server.start(), "photos", total_timeout_seconds=5.0, max_attempts=1)
    server.stop()
    store = S3Service(lambda: connection)
    for api in run_api(make_image_service(store, connection), make_settings(debug=debug)):
        answers = [api.upload(make_jpeg(40, 30)), api.client.get("/api/v1/images"), api.client.get("/readyz")]
    store.close()

    for answer in answers:
        problem = assert_problem(answer, 503, "S3_CONNECTION_FAILED")
        assert answer.headers["retry-after"]
        assert ("cause" in problem) == debug
        assert str(connection.secret_access_key) not in answer.text
