"""`heaven-images invalidate` against a CloudFront on a loopback port."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from app.services.cloudfront.queue import InvalidationQueue
from app.services.s3_connection import S3Connection
from app.services.s3_service import S3Service
from tests.entrypoints.cli.program import CommandLine
from tests.services.cloudfront.stub_cloudfront import StubCloudFront


@pytest.fixture
def cloudfront(monkeypatch: pytest.MonkeyPatch) -> Iterator[StubCloudFront]:
    monkeypatch.setenv("CLOUDFRONT_DISTRIBUTION_ID", "D1")
    with StubCloudFront() as stub:
        monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDFRONT", stub.url)
        yield stub


def remember(bucket: S3Connection, path: str, age: timedelta) -> None:
    store = S3Service(lambda: bucket)
    asyncio.run(InvalidationQueue(store).add([path], moment=datetime.now(UTC) - age))
    store.close()


def test_what_is_due_is_told_once(command_line: CommandLine, bucket: S3Connection, cloudfront: StubCloudFront) -> None:
    """A program that only imports the library has its deletions told by cron."""
    remember(bucket, "/old", timedelta(hours=1))
    remember(bucket, "/new", timedelta(0))
    expected = {"sent_paths": 1, "left_entries": 1, "waits_for_room": False}
    assert command_line("invalidate", "--json").document == expected
    run = command_line("invalidate")
    assert (run.exit_code, run.stdout) == (0, "0 paths invalidated, 1 entries left: too young, repeat it in a minute\n")
    assert cloudfront.paths == ["/old"]


def test_a_refusal_is_told_and_nothing_lost(
    command_line: CommandLine, bucket: S3Connection, cloudfront: StubCloudFront
) -> None:
    """Without the permission the command says AWS's code, and the next run does what this one could not."""
    remember(bucket, "/old", timedelta(hours=1))
    cloudfront.refusals = [(403, "AccessDenied")]
    run = command_line("invalidate")
    assert run.exit_code == 69
    assert "AccessDenied" in run.stderr
    assert command_line("invalidate", "--json").document["sent_paths"] == 1


def test_without_a_distribution_there_is_nothing_to_tell(command_line: CommandLine) -> None:
    """The missing variable is named."""
    run = command_line("invalidate")
    assert run.exit_code == 78
    assert "CLOUDFRONT_DISTRIBUTION_ID" in run.stderr
