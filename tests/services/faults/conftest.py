"""A bucket behind a proxy that breaks connections on demand, and a store of its own to freeze."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import AsyncIterator, Iterator

import pytest

from app.services.embedded_s3 import EmbeddedConnection, EmbeddedS3
from app.services.protocols import NewObject
from app.services.s3_connection import S3Connection, make_client
from app.services.s3_service import S3Service
from tests.conftest import BucketFactory, connection_to
from tests.fault_proxy import (
    FaultProxy,
)
from tests.services.faults.impatience import (
    KEY,
    impatient,
    new_object,
    write_once,
)


@pytest.fixture
def proxy(embedded: EmbeddedConnection) -> Iterator[FaultProxy]:
    with FaultProxy(embedded.endpoint_url) as proxy:
        yield proxy


@pytest.fixture
def bucket(make_bucket: BucketFactory) -> S3Connection:
    connection = make_bucket()
    write_once(connection)
    return connection


@pytest.fixture
def direct(bucket: S3Connection) -> Iterator[S3Service]:
    """The store as it is, to see what really happened."""
    store = S3Service(lambda: bucket)
    yield store
    store.close()


@pytest.fixture(params=["first write", "later write"])
async def store(request: pytest.FixtureRequest, bucket: S3Connection, proxy: FaultProxy) -> AsyncIterator[S3Service]:
    """The store behind the proxy, with short time-outs. Later writes take a shorter way than a client's first one."""
    connection = impatient(bucket, proxy.endpoint_url)
    store = S3Service(lambda: connection)
    if request.param == "later write":
        earlier = NewObject("users/1/earlier.jpg", b"body", "image/jpeg", "no-cache")
        await store.create(earlier)
        await store.delete(earlier.key)
        proxy.methods.clear()
    yield store
    store.close()


@pytest.fixture(scope="module")
def own_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EmbeddedS3, EmbeddedConnection]]:
    """A SeaweedFS of these tests, to be frozen and stopped."""
    server = EmbeddedS3(tmp_path_factory.mktemp("own-s3"))
    yield server, server.start()
    server.stop()


@pytest.fixture
async def frozen(own_store: tuple[EmbeddedS3, EmbeddedConnection]) -> AsyncIterator[tuple[S3Service, int]]:
    server, reached = own_store
    connection = impatient(connection_to(reached, "frozen"), reached.endpoint_url)
    with contextlib.closing(make_client(connection)) as client, contextlib.suppress(client.exceptions.ClientError):
        client.create_bucket(Bucket="frozen")
        write_once(connection_to(reached, "frozen"))
    store = S3Service(lambda: connection)
    if await store.head(KEY) is None:
        await store.create(new_object())
    pid = server.running_pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    yield store, pid
    os.kill(pid, signal.SIGCONT)
    store.close()
