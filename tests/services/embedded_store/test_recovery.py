"""Crashes and lost ports: the store comes back, and nothing acknowledged is lost."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app.core.exceptions import EmbeddedS3Unavailable
from app.services.embedded_s3 import EmbeddedS3

if TYPE_CHECKING:
    pass
from tests.services.embedded_store.processes import (
    BUCKET,
    anonymous_status,
    body_of,
    kill_server,
    process_state,
    s3_client,
    service_process,
    wait_for,
)


def test_kill_9_of_service_and_server_loses_no_acknowledged_image(embedded: EmbeddedS3, folder: Path) -> None:
    """After kill -9 of both, in the middle of writing, every image that was acknowledged is there, bytes and all."""
    acknowledged: list[str] = []
    with service_process(folder) as (service, told):
        assert service.stdin
        assert service.stdout
        service.stdin.write("put\n")
        service.stdin.flush()
        acknowledged.extend(service.stdout.readline().strip() for _ in range(300))
        os.kill(int(str(told["pid"])), signal.SIGKILL)
        service.kill()
        acknowledged.extend(line.strip() for line in service.stdout)

    connection = embedded.start()

    assert len(acknowledged) >= 300
    with s3_client(connection) as client:
        for key in acknowledged:
            assert client.get_object(Bucket=BUCKET, Key=key)["Body"].read() == body_of(key)


def test_start_brings_a_dead_server_back(embedded: EmbeddedS3) -> None:
    """When the server dies under the service, the next start() starts it again, at the same address."""
    before = embedded.start()
    killed = kill_server(embedded)

    after = embedded.start()

    assert after == before
    assert embedded.running_pid not in (None, killed)
    assert anonymous_status(after.endpoint_url, "/healthz") == 200


def take_port(taker: socket.socket, port: int) -> None:
    """Listen on the port; the kernel may still be closing the killed server's socket."""

    def is_taken() -> bool:
        with contextlib.suppress(OSError):
            taker.bind(("127.0.0.1", port))
            taker.listen()
            return True
        return False

    taker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    wait_for(is_taken)


def test_a_taken_port_is_replaced(embedded: EmbeddedS3, folder: Path) -> None:
    """When another program has taken the remembered port, a new one is found, and the images are still there."""
    before = embedded.start()
    with s3_client(before) as client:
        client.create_bucket(Bucket=BUCKET)
        client.put_object(Bucket=BUCKET, Key="users/1/a.jpg", Body=b"kept")
    kill_server(embedded)
    ports = json.loads((folder / "ports.json").read_bytes())

    with contextlib.ExitStack() as others:
        for name in ("s3", "master", "volume"):
            take_port(others.enter_context(socket.socket()), ports[name])
        after = embedded.start()

    assert after.endpoint_url != before.endpoint_url
    assert after.secret_access_key == before.secret_access_key
    with s3_client(after) as client:
        assert client.get_object(Bucket=BUCKET, Key="users/1/a.jpg")["Body"].read() == b"kept"
        client.put_object(Bucket=BUCKET, Key="users/1/b.jpg", Body=b"new")


def test_a_frozen_server_is_left_to_those_who_use_it(embedded: EmbeddedS3, folder: Path) -> None:
    """A server that hangs while other processes use it is not killed under them: the message says which one it is."""
    before = embedded.start()
    frozen = embedded.running_pid
    assert frozen is not None
    os.kill(frozen, signal.SIGSTOP)
    wait_for(lambda: process_state(frozen) == "T")

    with pytest.raises(EmbeddedS3Unavailable, match="does not answer") as caught:
        EmbeddedS3(folder, start_timeout_seconds=0.2).start()
    assert caught.value.cause == {"folder": str(folder), "pid": str(frozen)}

    os.kill(frozen, signal.SIGCONT)
    assert embedded.start() == before
    assert embedded.running_pid == frozen


def test_an_unusable_server_nobody_else_uses_is_replaced(embedded: EmbeddedS3, folder: Path) -> None:
    """When the credentials are lost under a running server, it is started again with new ones."""
    before = embedded.start()
    (folder / "identities.json").unlink()

    after = embedded.start()

    assert after.secret_access_key != before.secret_access_key
    with s3_client(after) as client:
        assert client.list_buckets()["Buckets"] == []
