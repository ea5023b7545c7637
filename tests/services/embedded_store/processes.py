"""Processes that use the embedded store, and what can be seen and done to them."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

from app.services.embedded_s3 import EmbeddedConnection, EmbeddedS3

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


REPOSITORY = Path(__file__).parents[3]


BUCKET = "heaven-images"


# A service as its own process: starts the embedded S3, says where it is, stores objects when told, stops when told.
SERVICE = """
import json, os, sys
from pathlib import Path
from app.services.embedded_s3 import EmbeddedS3
from tests.services.embedded_store.processes import put_objects

embedded = EmbeddedS3(Path(sys.argv[1]))
connection = embedded.start()
print(json.dumps({"endpoint_url": connection.endpoint_url, "pid": embedded.running_pid}), flush=True)
for command in sys.stdin:
    if command.strip() == "put":
        put_objects(connection, lambda key: print(key, flush=True))
    if command.strip() == "fork":
        if os.fork() == 0:
            embedded.stop()
            os._exit(0)
        os.wait()
        print(embedded.running_pid, flush=True)
        continue
    embedded.stop()
    break
"""


@contextlib.contextmanager
def s3_client(connection: EmbeddedConnection) -> Iterator[S3Client]:
    client = boto3.client(
        "s3",
        endpoint_url=connection.endpoint_url,
        region_name=connection.region,
        aws_access_key_id=connection.access_key_id,
        aws_secret_access_key=connection.secret_access_key,
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, read_timeout=10),
    )
    try:
        yield client
    finally:
        client.close()


def body_of(key: str) -> bytes:
    """Bytes that do not compress and that nothing but the key decides."""
    return b"".join(hashlib.sha256(f"{key}/{block}".encode()).digest() for block in range(200))


def put_objects(connection: EmbeddedConnection, acknowledged: Callable[[str], object]) -> None:
    """Store objects for ever, telling the key of each one that the server acknowledged."""
    with s3_client(connection) as client:
        client.create_bucket(Bucket=BUCKET)
        number = 0
        while True:
            key = f"users/{number % 7}/{number:06}.jpg"
            client.put_object(Bucket=BUCKET, Key=key, Body=body_of(key), IfNoneMatch="*")
            acknowledged(key)
            number += 1


def anonymous_status(endpoint_url: str, path: str, method: str = "GET") -> int:
    address = urlsplit(endpoint_url)
    assert address.hostname
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=5)
    try:
        connection.request(method, path)
        return connection.getresponse().status
    finally:
        connection.close()


def wait_for(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    """A zombie that waits for init is not running."""
    return process_state(pid) not in ("", "Z")


def process_state(pid: int) -> str:
    command = ["ps", "-o", "stat=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()[:1]


def kill_server(embedded: EmbeddedS3) -> int:
    """Kill the server, and return at once: what follows may meet it half gone."""
    pid = embedded.running_pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    return pid


def end_by_force(embedded: EmbeddedS3) -> None:
    if embedded.running_pid is not None:
        kill_server(embedded)


@contextlib.contextmanager
def service_process(folder: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, object]]]:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(
        [sys.executable, "-c", SERVICE, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        try:
            assert process.stdout
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()
