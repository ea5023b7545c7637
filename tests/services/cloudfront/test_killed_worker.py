"""Processes killed with -9 while they invalidate: whoever comes next finishes it, and CloudFront is not told twice."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

from app.services.cloudfront.queue import InvalidationQueue
from app.services.s3_connection import S3Connection, make_client
from app.services.s3_service import S3Service
from tests.conftest import BucketFactory
from tests.entrypoints.cli.program import eventually, serving, variables_of
from tests.services.cloudfront.stub_cloudfront import StubCloudFront

REPOSITORY = Path(__file__).parents[3]

# Remembers one path and says so; then, where it is told to, sends what is in the queue.
PROGRAM = """
import asyncio, sys
from app.bootstrap import Services
from app.core.config import Settings

async def main():
    services = Services(Settings.load())
    await services.image_service.parts.invalidator.remember(["/users/1/a.jpg", "/variants/users/1/a/*"])
    print("remembered", flush=True)
    if sys.stdin.readline().strip() == "settle":
        await services.cdn_invalidation.settle(settle_seconds=0)

asyncio.run(main())
"""


def keys_in(bucket: S3Connection) -> list[str]:
    client = make_client(bucket)
    try:
        return [entry["Key"] for entry in client.list_objects_v2(Bucket=bucket.bucket).get("Contents", [])]
    finally:
        client.close()


def environment(bucket: S3Connection, cloudfront: StubCloudFront) -> dict[str, str]:
    return variables_of(bucket) | {
        "CLOUDFRONT_DISTRIBUTION_ID": "D1",
        "AWS_ENDPOINT_URL_CLOUDFRONT": cloudfront.url,
        "S3_TOTAL_TIMEOUT_SECONDS": "30",
        "S3_READ_TIMEOUT_SECONDS": "30",
        "S3_MAX_ATTEMPTS": "1",
    }


def start(folder: Path, variables: dict[str, str]) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        cwd=folder,
        env=os.environ | variables | {"PYTHONPATH": str(REPOSITORY)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "remembered\n"
    return process


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def settle(folder: Path, variables: dict[str, str]) -> None:
    """Another process remembers the same and settles everything."""
    process = start(folder, variables)
    process.communicate("settle\n", timeout=30)
    assert process.returncode == 0


def test_kill_9_before_cloudfront_is_told(
    make_bucket: BucketFactory, cloudfront: StubCloudFront, tmp_path: Path
) -> None:
    """What was remembered when the process died is told by the next one."""
    bucket = make_bucket()
    variables = environment(bucket, cloudfront)
    kill(start(tmp_path, variables))
    assert len(keys_in(bucket)) == 1
    assert cloudfront.accepted == []

    settle(tmp_path, variables)

    assert cloudfront.paths == ["/users/1/a.jpg", "/variants/users/1/a/*"]
    assert keys_in(bucket) == []


def test_kill_9_between_acceptance_and_the_end(
    make_bucket: BucketFactory, cloudfront: StubCloudFront, tmp_path: Path
) -> None:
    """CloudFront had accepted, the queue was not emptied: the next process sends the same reference, no second one."""
    bucket = make_bucket()
    variables = environment(bucket, cloudfront)
    cloudfront.hold_answers = threading.Event()
    process = start(tmp_path, variables)
    assert process.stdin
    process.stdin.write("settle\n")
    process.stdin.flush()
    assert eventually(lambda: cloudfront.accepted)
    kill(process)
    cloudfront.hold_answers.set()
    assert len(keys_in(bucket)) == 2

    settle(tmp_path, variables)

    assert [each.paths for each in cloudfront.accepted] == [["/users/1/a.jpg", "/variants/users/1/a/*"]] * 2
    # The first is the killed process's batch, sent again under its reference; the second what the next one remembered.
    posts = [request for request in cloudfront.requests if request.startswith("POST")]
    assert len(posts) == 3
    assert keys_in(bucket) == []


def test_the_service_empties_the_queue_by_itself(
    make_bucket: BucketFactory, cloudfront: StubCloudFront, tmp_path: Path
) -> None:
    """A service that starts finds what one that died left, without anybody asking."""
    bucket = make_bucket()
    store = S3Service(lambda: bucket)
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    asyncio.run(InvalidationQueue(store).add(["/a"], moment=long_ago))
    store.close()
    brief = {"S3_TOTAL_TIMEOUT_SECONDS": "1", "S3_READ_TIMEOUT_SECONDS": "1", "S3_CONNECT_TIMEOUT_SECONDS": "1"}
    with serving(tmp_path, variables=environment(bucket, cloudfront) | brief) as service:
        assert eventually(lambda: cloudfront.paths == ["/a"] and keys_in(bucket) == []), service.stderr
