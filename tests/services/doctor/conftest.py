"""Fixtures for the doctor: a bucket that is set up, and a doctor for any connection."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from app.core.config import Settings
from app.services.bucket_setup import prepare_embedded_bucket
from app.services.doctor.checkup import examine
from app.services.doctor.verdicts import Verdict
from app.services.embedded_s3 import EmbeddedConnection
from app.services.s3_connection import S3Connection, make_client
from tests.conftest import IMAGE_TYPES, BucketFactory, connection_to

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Report = dict[str, Verdict]
Doctor = Callable[[S3Connection], Report]


@pytest.fixture(scope="session")
def settings(clean_environment: None) -> Settings:
    """Settings with a private image type; the connection is given beside them."""
    return Settings.load(_env_file=None, s3_bucket_name="elsewhere", image_types=dict(IMAGE_TYPES))


@pytest.fixture(scope="session")
def untouched(embedded: EmbeddedConnection, settings: Settings) -> S3Connection:
    """A bucket as `bucket init` leaves it, for tests that change nothing in it."""
    connection = connection_to(embedded, f"t-{secrets.token_hex(6)}")
    prepare_embedded_bucket(connection, settings)
    return connection


@pytest.fixture
def healthy(make_bucket: BucketFactory, settings: Settings) -> S3Connection:
    """A bucket as `bucket init` leaves it, to be spoilt."""
    connection = make_bucket()
    prepare_embedded_bucket(connection, settings)
    return connection


@pytest.fixture
def client(healthy: S3Connection) -> Iterator[S3Client]:
    """A client of the healthy bucket, to spoil it with."""
    with closing(make_client(healthy)) as opened:
        yield opened


@pytest.fixture
def doctor(settings: Settings) -> Doctor:
    """Examines a connection; every verdict by the name of its check."""

    def run(connection: S3Connection) -> Report:
        return {result.name: result.verdict for result in examine(lambda: settings, lambda _: connection)}

    return run
