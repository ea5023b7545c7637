"""The services of a process: made once, following their embedded store where it goes, and not shared with children."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from app import bootstrap
from app.bootstrap import Services, default_services
from app.core.config import Settings
from app.services.embedded_s3 import EmbeddedS3
from app.services.protocols import NewObject

REPOSITORY = Path(__file__).parents[1]
KEY = "users/1/20241201_143022_a1b2c3d4.jpg"

# A pre-forking server: the parent starts the store and goes; its child says where the store is, and stops it when told.
# The first line is the child's, once it has connected; the parent then closes and ends.
FORKING = """
import os, sys
from app.bootstrap import Services
from app.core.config import Settings

services = Services(Settings.load())
services.connect()
ready, tell = os.pipe()
if os.fork() == 0:
    services.connect()
    os.write(tell, b"x")
    sys.stdin.readline()
    print(services.embedded.running_pid, flush=True)
    services.close()
    os._exit(0)
os.read(ready, 1)
services.close()
print("closed", flush=True)
os.wait()
"""


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    """Services on an embedded store of their own."""
    made = Services(Settings.load(heaven_home=tmp_path / ".heaven"))
    yield made
    made.close()


def new_object(key: str) -> NewObject:
    return NewObject(key=key, body=b"body", content_type="image/jpeg", cache_control="no-cache", metadata={})


def kill_and_take_port(embedded: EmbeddedS3, endpoint_url: str | None, other: socket.socket) -> None:
    """End the store by force; another program then listens on its S3 port."""
    pid = embedded.running_pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    deadline = time.monotonic() + 10
    # A process that ends gives up its ports before its locks.
    while embedded.running_pid is not None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    while True:
        try:
            other.bind(("127.0.0.1", urlsplit(str(endpoint_url)).port or 0))
            other.listen()
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        else:
            return


def test_a_revived_store_is_used_where_it_is(services: Services) -> None:
    """When the store comes back at another address, uploads and URLs go there."""
    before = services.connect()
    assert services.embedded
    assert not services.revive_embedded()
    asyncio.run(services.store.create(new_object(KEY)))
    old_url = services.urls.presigned_url(KEY, expires_in=60)

    with contextlib.closing(socket.socket()) as other:
        kill_and_take_port(services.embedded, before.endpoint_url, other)
        assert services.revive_embedded()

        new_url = services.urls.presigned_url(KEY, expires_in=60)
        assert urlsplit(new_url).netloc != urlsplit(old_url).netloc
        assert urlsplit(services.urls.public_url(KEY)).netloc == urlsplit(new_url).netloc
        asyncio.run(services.store.create(new_object(f"{KEY}.jpg")))
        for url in (new_url, services.urls.public_url(f"{KEY}.jpg")):
            with urllib.request.urlopen(url, timeout=5) as answer:
                assert answer.read() == b"body"
        assert not services.revive_embedded()


def test_a_store_that_another_process_moved_is_found(services: Services, tmp_path: Path) -> None:
    """When another user of the folder started the dead store first, at another address, this one follows."""
    before = services.connect()
    assert services.embedded
    with contextlib.closing(socket.socket()) as other:
        kill_and_take_port(services.embedded, before.endpoint_url, other)
        neighbour = EmbeddedS3(tmp_path / ".heaven" / "s3")
        moved = neighbour.start()

        assert services.revive_embedded()

        assert services.connect().endpoint_url == moved.endpoint_url != before.endpoint_url
        neighbour.stop()


def test_many_threads_get_the_same_services(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many threads ask first, the services of the process are made once."""
    made: list[Services] = []
    barrier = threading.Barrier(8)

    def make_slowly(settings: Settings) -> Services:
        time.sleep(0.05)  # long enough for every thread to ask meanwhile
        made.append(Services(settings))
        return made[-1]

    def ask(_: int) -> Services:
        barrier.wait()
        return default_services()

    default_services.cache_clear()
    monkeypatch.setattr(bootstrap, "Services", make_slowly)
    with ThreadPoolExecutor(8) as pool:
        answers = set(pool.map(ask, range(8)))
    default_services.cache_clear()

    assert answers == {*made}
    assert len(made) == 1


def test_a_forked_child_keeps_the_store_when_its_parent_closes(tmp_path: Path) -> None:
    """The child of a pre-forking server has a share of its own, and ends the store as its last user."""
    with subprocess.Popen(
        [sys.executable, "-c", FORKING],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdin
        assert parent.stdout
        assert parent.stdout.readline() == "closed\n"
        pid = EmbeddedS3(tmp_path / ".heaven" / "s3").running_pid

        told, _ = parent.communicate("end\n", timeout=30)

    assert pid is not None
    assert told.strip() == str(pid)
    assert EmbeddedS3(tmp_path / ".heaven" / "s3").running_pid is None
