"""Several users of one embedded store: the first starts it, the last one stops it."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from app.services.embedded_s3 import EmbeddedS3

if TYPE_CHECKING:
    pass
from tests.services.embedded_store.processes import is_running, service_process


def test_eight_threads_start_one_server(folder: Path) -> None:
    """However many ask at once, and however often, there is one server and one set of credentials."""
    one = EmbeddedS3(folder)
    users = [one, one, one, one, *(EmbeddedS3(folder) for _ in range(4))]

    with ThreadPoolExecutor(len(users)) as pool:
        connections = list(pool.map(lambda user: user.start(), users))

    assert len(set(connections)) == 1
    pid = one.running_pid
    assert one.start() == connections[0]
    assert one.running_pid == pid
    for user in {*users}:
        assert one.running_pid == pid
        user.stop()
    assert one.running_pid is None


def test_the_last_one_out_stops_it(folder: Path) -> None:
    """Two services on one folder share a server; it ends with the second of them, and stopping twice is harmless."""
    here = EmbeddedS3(folder)
    connection = here.start()
    with service_process(folder) as (there, told):
        assert told == {"endpoint_url": connection.endpoint_url, "pid": here.running_pid}

        here.stop()
        here.stop()
        assert here.running_pid == told["pid"]

        there.communicate("stop\n", timeout=30)
    assert there.returncode == 0
    assert here.running_pid is None


def test_a_forked_child_does_not_stop_it(folder: Path) -> None:
    """A pre-forking web server's child that ends does not take the embedded S3 from its parent."""
    with service_process(folder) as (service, told):
        assert service.stdin
        assert service.stdout
        service.stdin.write("fork\n")
        service.stdin.flush()

        assert service.stdout.readline().strip() == str(told["pid"])

        service.communicate("stop\n", timeout=30)
    assert EmbeddedS3(folder).running_pid is None


def test_ctrl_c_does_not_reach_it(shared: EmbeddedS3) -> None:
    """Ctrl-C in the terminal stops the service first: the server is in a session of its own."""
    assert shared.running_pid is not None
    assert os.getsid(shared.running_pid) != os.getsid(0)


def test_an_orphan_is_adopted(folder: Path) -> None:
    """The server of a service that was killed is used by the next service, and stopped by it."""
    with service_process(folder) as (service, told):
        service.kill()
    assert is_running(int(str(told["pid"])))
    embedded = EmbeddedS3(folder)

    connection = embedded.start()

    assert (connection.endpoint_url, embedded.running_pid) == (told["endpoint_url"], told["pid"])
    embedded.stop()
    assert not is_running(int(str(told["pid"])))
