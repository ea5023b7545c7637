"""`serve --workers` as real processes: they share the work, replace each other, and end together."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from app.services.embedded_s3_locks import exclusive_lock
from tests.entrypoints.cli.program import PATIENCE_SECONDS, CommandLine, Serving, eventually, run_program, serving
from tests.entrypoints.cli.serving_tree import answering_pids, descendants_of, lives, serving_pids
from tests.pictures import make_jpeg

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

_BOUNDARY = "boundary"


@pytest.fixture(scope="module")
def served(clean_environment: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """One `serve` of two processes, for tests after which two of them serve again."""
    with serving(tmp_path_factory.mktemp("served"), "--workers", "2") as service:
        yield service


def upload_body() -> bytes:
    fields = "".join(
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in {"image_type": "user", "user_id": "1"}.items()
    )
    head = f'{fields}--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
    return head.encode() + make_jpeg(64, 48) + f"\r\n--{_BOUNDARY}--\r\n".encode()


def begin_upload(service: Serving) -> tuple[http.client.HTTPConnection, bytes]:
    """An upload whose second half has not been sent yet, and that half."""
    body = upload_body()
    connection = http.client.HTTPConnection("127.0.0.1", port_of(service), timeout=20)
    connection.putrequest("POST", "/api/v1/images")
    connection.putheader("Content-Type", f"multipart/form-data; boundary={_BOUNDARY}")
    connection.putheader("Content-Length", str(len(body)))
    # Its "100 Continue" says that the request has arrived.
    connection.putheader("Expect", "100-continue")
    connection.endheaders()
    assert isinstance(connection.sock, socket.socket)
    assert connection.sock.recv(1000).startswith(b"HTTP/1.1 100")
    half = len(body) // 2
    connection.send(body[:half])
    return connection, body[half:]


def port_of(service: Serving) -> int:
    return int(urlsplit(service.url).port or 0)


def takes(holder: socket.socket, port: int) -> bool:
    """Whether the port is the holder's now: nobody else can bind it, and whoever connects is refused at once."""
    # Past connections do not matter.
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        holder.bind(("127.0.0.1", port))
    except OSError:
        return False
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    return True


def refuses_connections(service: Serving) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port_of(service))).close()
    except ConnectionRefusedError:
        return True
    return False


def stored_key(service: Serving) -> str:
    connection, rest = begin_upload(service)
    with closing(connection):
        connection.send(rest)
        return str(json.loads(connection.getresponse().read())["s3_key"])


def test_the_processes_share_the_connections(served: Serving) -> None:
    """Requests are answered by as many processes as were asked for, and by no other."""
    assert served.announced["workers"] == 2

    assert answering_pids(served.url) == serving_pids(served.process.pid)
    assert len(serving_pids(served.process.pid)) == 2


def test_a_killed_process_is_replaced(served: Serving) -> None:
    """While one is being replaced the other answers every request; then two share the work again."""
    victim, other = serving_pids(served.process.pid)

    os.kill(victim, signal.SIGKILL)

    # Collected: from then on none of its sockets is left. Until then the kernel may reset who is sent to it.
    assert eventually(lambda: victim not in serving_pids(served.process.pid))
    assert answering_pids(served.url) <= serving_pids(served.process.pid)
    assert eventually(lambda: len(answering_pids(served.url)) == 2)
    assert answering_pids(served.url) == serving_pids(served.process.pid) > {other}
    assert served.process.poll() is None


def test_every_process_finds_a_store_that_moved(served: Serving) -> None:
    """When the embedded store dies and has to start again on another port, all processes find it there."""
    s3_key = stored_key(served)
    weed_pid, ports_file = served.store.running_pid, served.folder / ".heaven" / "s3" / "ports.json"
    old_port = json.loads(ports_file.read_text())["s3"]
    assert weed_pid is not None

    with ExitStack() as stack:
        # Nobody starts it again before its port is taken.
        with exclusive_lock(served.folder / ".heaven" / "s3" / "start.lock", PATIENCE_SECONDS):
            os.kill(weed_pid, signal.SIGKILL)
            holder = stack.enter_context(socket.socket())
            assert eventually(lambda: takes(holder, old_port))
        assert eventually(lambda: served.store.running_pid not in {weed_pid, None})

        def all_find_it() -> bool:
            with suppress(AssertionError):
                return len(answering_pids(served.url, f"/api/v1/files/{s3_key}")) == 2
            return False

        assert eventually(all_find_it)
    assert json.loads(ports_file.read_text())["s3"] != old_port
    assert served.stderr.count("it runs again") == 1


def test_its_port_is_taken(served: Serving, unconfigured_command_line: CommandLine) -> None:
    """Although its processes share a port among themselves, no other service gets it."""
    for workers in (1, 2):
        run = unconfigured_command_line("serve", "--port", port_of(served), "--workers", workers, "--json")

        assert (run.exit_code, run.document["code"]) == (69, "ADDRESS_UNAVAILABLE")


def test_sigterm_drains_and_ends_everything(tmp_path: Path) -> None:
    """Asked to end, it takes no new connections, finishes the upload under way, exits 0 and leaves nothing."""
    with serving(tmp_path, "--workers", "2") as service:
        everyone = descendants_of(service.process.pid)
        connection, rest = begin_upload(service)
        with closing(connection):
            service.process.terminate()
            assert eventually(lambda: refuses_connections(service))
            connection.send(rest)
            answer = connection.getresponse()

        assert answer.status == 201
        assert service.process.wait(20) == 0
        assert service.store.running_pid is None
        assert not any(map(lives, everyone))


def test_kill_9_leaves_nothing(tmp_path: Path) -> None:
    """Without their parent the processes end, with their decoders, and the last one stops the store."""
    with serving(tmp_path, "--workers", "2") as service:
        everyone = descendants_of(service.process.pid)
        assert len(everyone) > 2

        service.process.kill()

        assert eventually(lambda: not any(map(lives, everyone)))
        assert eventually(lambda: service.store.running_pid is None)


def test_ctrl_c_exits_130(tmp_path: Path) -> None:
    """Ctrl-C ends it as Ctrl-C ends commands, once: the processes do not each print of it."""
    with serving(tmp_path, "--workers", "2") as service:
        assert service.end_with(signal.SIGINT) == 130
        assert service.store.running_pid is None
        assert "Traceback" not in service.stderr


def test_what_only_the_processes_find_wrong_ends_the_start(tmp_path: Path) -> None:
    """A fault that the serving processes find is told once, by its variable and with its exit code, at once."""
    variables = {"DELIVERY_FALLBACK_KEY": "private/users/1/20241201_143022_a1b2c3d4.jpg"}

    run = run_program("serve", "--port", 0, "--workers", 2, "--json", folder=tmp_path, variables=variables)

    assert run.exit_code == 78, run.stderr
    assert list(run.document["faults"]) == ["DELIVERY_FALLBACK_KEY"]


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_strangers_reach_no_service_without_authentication(
    unconfigured_command_line: CommandLine, tmp_path: Path, host: str
) -> None:
    """Several processes listen no further than one does."""
    run = unconfigured_command_line("serve", "--host", host, "--port", "0", "--workers", "2")

    assert run.exit_code == 78
    assert not (tmp_path / ".heaven").exists()
