"""Fixtures for all tests: a clean environment, one SeaweedFS for the session, fresh buckets, image services."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from app.core.config import Settings
from app.core.image_types import DEFAULT_IMAGE_TYPES, ImageType, ImageTypes, Visibility
from app.images.limits import PixelLimits
from app.images.records import Qualities, RenderPlan
from app.services.decoder.thread_processor import ThreadProcessor
from app.services.embedded_s3 import EmbeddedConnection, EmbeddedS3
from app.services.image_service import ImageService
from app.services.memory_store import MemoryStore
from app.services.protocols import ObjectStore
from app.services.s3_connection import S3Connection, make_client
from app.services.s3_presign import S3UrlSigner
from app.services.s3_service import S3Service
from app.services.slots import Slots
from app.services.wiring import Wiring

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# The built-in types and a private one.
IMAGE_TYPES: ImageTypes = {
    **DEFAULT_IMAGE_TYPES,
    "document": ImageType(prefix="documents", visibility=Visibility.PRIVATE),
}

BucketFactory = Callable[..., S3Connection]

_FOREIGN_PREFIXES = ("AWS_", "S3_", "BOTO_")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(scope="session", autouse=True)
def clean_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing of the developer's settings, AWS profile, proxies or `.env` reaches a test or a process it starts."""
    own = {name.upper() for name in Settings.model_fields}
    nowhere = tmp_path_factory.mktemp("nowhere")
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.upper() in own or name.upper() in _PROXIES or name.startswith(_FOREIGN_PREFIXES):
                patch.delenv(name)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("AWS_CONFIG_FILE", str(nowhere / "config"))
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(nowhere / "credentials"))
        patch.chdir(nowhere)
        yield


@pytest.fixture(autouse=True)
def own_folder(clean_environment: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test works in an empty folder of its own: relative paths such as `.env` and `.heaven` lie there."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def embedded(clean_environment: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedConnection]:
    """One running SeaweedFS for the whole session. Do not stop, freeze or overload it: start your own for that."""
    store = EmbeddedS3(tmp_path_factory.mktemp("embedded-s3"))
    try:
        yield store.start()
    finally:
        store.stop()


@pytest.fixture(scope="session")
def administrator(embedded: EmbeddedConnection) -> Iterator[S3Client]:
    """A boto client that may do everything on the SeaweedFS of the session."""
    with contextlib.closing(make_client(connection_to(embedded, "none"))) as client:
        yield client


@pytest.fixture
def make_bucket(embedded: EmbeddedConnection, administrator: S3Client) -> Iterator[BucketFactory]:
    """A factory of connections to fresh, empty buckets; keywords change fields of `S3Connection`."""
    with contextlib.ExitStack() as cleanup:

        def make(**changes: Any) -> S3Connection:
            connection = connection_to(embedded, f"t-{secrets.token_hex(6)}", **changes)
            administrator.create_bucket(Bucket=connection.bucket)
            # SeaweedFS removes a bucket with all that is in it.
            cleanup.callback(administrator.delete_bucket, Bucket=connection.bucket)
            return connection

        yield make


@pytest.fixture
def s3_store(make_bucket: BucketFactory) -> Iterator[S3Service]:
    """The S3 store on a fresh bucket of SeaweedFS."""
    connection = make_bucket()
    store = S3Service(lambda: connection)
    yield store
    store.close()


@pytest.fixture
def memory_image_service() -> ImageService:
    """The image service on an empty store in memory, reachable as `memory_image_service.parts.store`."""
    connection = S3Connection(
        bucket="photos", region="eu-central-1", access_key_id="AKIAEXAMPLE", secret_access_key="example"
    )
    return make_image_service(MemoryStore(), connection)


@pytest.fixture
def s3_image_service(make_bucket: BucketFactory) -> Iterator[ImageService]:
    """The image service on a fresh bucket of SeaweedFS."""
    connection = make_bucket()
    store = S3Service(lambda: connection)
    yield make_image_service(store, connection)
    store.close()


Eventually = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]


@pytest.fixture
def eventually() -> Eventually:
    """Waits until a condition holds, and fails after ten seconds."""

    async def wait(condition: Callable[[], Awaitable[bool]]) -> None:
        deadline = asyncio.get_running_loop().time() + 10
        while not await condition():
            assert asyncio.get_running_loop().time() < deadline, "did not happen within 10 s"
            await asyncio.sleep(0.02)

    return wait


@contextlib.asynccontextmanager
async def measuring_lag() -> AsyncIterator[list[float]]:
    """The event loop's delays during the block, in seconds: how much later than asked a task was woken, each time."""
    delays = [0.0]
    loop = asyncio.get_running_loop()

    async def watch() -> None:
        while True:
            asked = loop.time() + 0.01
            await asyncio.sleep(0.01)
            delays.append(loop.time() - asked)

    watcher = asyncio.create_task(watch())
    try:
        yield delays
    finally:
        await asyncio.sleep(0)
        watcher.cancel()


def connection_to(embedded: EmbeddedConnection, bucket: str, **changes: Any) -> S3Connection:
    """A connection to a bucket of an embedded store, whether it exists or not."""
    values = {
        "endpoint_url": embedded.endpoint_url,
        "region": embedded.region,
        "access_key_id": embedded.access_key_id,
        "secret_access_key": embedded.secret_access_key,
    }
    return S3Connection(bucket=bucket, **(values | changes))


def make_image_service(store: ObjectStore, connection: S3Connection, **changes: Any) -> ImageService:
    """An image service on a store, with the default limits and no variants; keywords change fields of `Wiring`."""
    types: ImageTypes = changes.get("types", IMAGE_TYPES)
    parts: dict[str, Any] = {
        "store": store,
        "urls": S3UrlSigner(lambda: connection),
        "processor": ThreadProcessor(threads=2),
        "types": types,
        "max_upload_bytes": 25 * 1024 * 1024,
        "pixel_limits": PixelLimits(),
        "plans": {name: plan_without_variants(kind) for name, kind in types.items()},
        # Tests share their machine: nobody is refused for its slowness, unless a test says so.
        "slots": Slots(3, max_wait_seconds=100),
    }
    wiring = Wiring(**(parts | changes))
    return ImageService(lambda: wiring)


def plan_without_variants(kind: ImageType) -> RenderPlan:
    """The optimised original alone, in fixed qualities: most tests look at nothing else."""
    return RenderPlan(max_side_pixels=kind.max_stored_side_pixels or 2560, qualities=Qualities(82, 80, 60))
