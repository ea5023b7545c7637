"""Fixtures for the command line: run in this process on a fresh bucket, or as the real program in an empty folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.bootstrap import default_services
from app.services.s3_connection import S3Connection
from tests.conftest import BucketFactory
from tests.entrypoints.cli.program import CommandLine, variables_of
from tests.pictures import make_jpeg


@pytest.fixture
def bucket(make_bucket: BucketFactory) -> S3Connection:
    """A fresh bucket of the session's SeaweedFS."""
    return make_bucket()


@pytest.fixture
def command_line(bucket: S3Connection, monkeypatch: pytest.MonkeyPatch) -> Iterator[CommandLine]:
    """The command line in this process, configured for the fresh bucket."""
    for name, value in variables_of(bucket).items():
        monkeypatch.setenv(name, value)
    default_services.cache_clear()
    yield CommandLine()
    default_services().close()
    default_services.cache_clear()


@pytest.fixture
def unconfigured_command_line() -> Iterator[CommandLine]:
    """The command line in this process, for tests that set their own variables and reach no store."""
    default_services.cache_clear()
    yield CommandLine()
    default_services.cache_clear()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A JPEG file as a camera turned on its side writes it."""
    path = tmp_path / "photo.jpg"
    path.write_bytes(make_jpeg(400, 300, orientation=6, gps=True))
    return path
