"""A service that is killed in the middle of an upload leaves no image that lacks anything, and the sweep cleans up."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import threading
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

from app.services.s3_connection import S3Connection, make_client
from app.services.s3_service import S3Service
from tests.conftest import BucketFactory, make_image_service
from tests.entrypoints.cli.program import eventually, serving, variables_of
from tests.pictures import make_jpeg


def keys_in(bucket: S3Connection) -> list[str]:
    with contextlib.closing(make_client(bucket)) as client:
        return [entry["Key"] for entry in client.list_objects_v2(Bucket=bucket.bucket).get("Contents", [])]


def post(url: str, photo: bytes) -> None:
    """Uploads the photo, and does not mind that nobody answers."""
    boundary = secrets.token_hex(8)
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="image_type"\r\n\r\nuser\r\n'.encode(),
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'.encode(),
        photo,
        f"\r\n--{boundary}--\r\n".encode(),
    ]
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    request = urllib.request.Request(f"{url}/api/v1/images", b"".join(parts), headers)
    with contextlib.suppress(OSError), urllib.request.urlopen(request, timeout=60):
        pass


async def sweep(bucket: S3Connection, *, days_later: float) -> int:
    """How many objects a sweep so much later deletes."""
    store = S3Service(lambda: bucket)
    service = make_image_service(store, bucket, now=lambda: datetime.now(UTC) + timedelta(days=days_later))
    report = await service.sweep_variants()
    store.close()
    return report.orphans.count


def test_kill_9_in_the_middle_of_an_upload(make_bucket: BucketFactory, tmp_path: Path) -> None:
    """Killed between the first variant and the original there is no image, only variants, which go a day later."""
    bucket = make_bucket()
    # Slow encodings leave time to kill it in between.
    settings = {"VARIANT_FORMATS": "jpeg,avif", "VARIANT_EFFORT": "5", "JPEG_QUALITY": "80", "AVIF_QUALITY": "50"}
    with serving(tmp_path, variables=variables_of(bucket) | settings) as service:
        client = threading.Thread(target=post, args=(service.url, make_jpeg(1600, 1200)))
        client.start()
        assert eventually(lambda: keys_in(bucket))
        service.process.kill()
        service.process.wait()
        client.join()

    left = keys_in(bucket)
    assert left
    assert all(key.startswith("variants/users/") for key in left)
    assert asyncio.run(sweep(bucket, days_later=0)) == 0
    # A write that was under way may still have arrived.
    assert asyncio.run(sweep(bucket, days_later=2)) >= len(left)
    assert keys_in(bucket) == []
