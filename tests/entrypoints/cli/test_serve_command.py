"""`serve` as a real process: it says where it is, answers, shares its store, and leaves nothing behind."""

from __future__ import annotations

import ctypes
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx2
import pytest

from app.entrypoints.cli.allocator import keep_memory_flat
from app.services.decoder import confined_processor
from app.services.decoder.fork_server_client import ServerOrders
from app.services.s3_connection import S3Connection
from tests.entrypoints.cli.program import CommandLine, Serving, eventually, run_program, serving, variables_of
from tests.pictures import decode, make_jpeg


@pytest.fixture(scope="module")
def served(clean_environment: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """One `serve` with its embedded store, for tests that do not end it."""
    with serving(tmp_path_factory.mktemp("served")) as service:
        yield service


def upload(service: Serving, content: bytes) -> str:
    """The key under which the running service stored the picture."""
    answer = httpx2.post(
        f"{service.url}/api/v1/images",
        files={"file": ("photo.jpg", content)},
        data={"image_type": "user", "user_id": "1"},
        timeout=20,
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["s3_key"])


def test_it_says_where_images_go(served: Serving) -> None:
    """What it announces is true: the address answers, the documentation is there, the folder holds the store."""
    assert httpx2.get(f"{served.url}/healthz").status_code == 200
    assert httpx2.get(served.announced["docs_url"]).status_code == 200
    assert served.announced["store"]["kind"] == "embedded"
    assert Path(served.announced["store"]["folder"]) == served.folder / ".heaven" / "s3"
    assert served.store.running_pid is not None


def test_answers_do_not_name_the_server(served: Serving) -> None:
    """Strangers are not told which server software runs."""
    assert "server" not in httpx2.get(f"{served.url}/healthz").headers


def test_the_curl_line_works_as_printed(served: Serving) -> None:
    """The line can be pasted: beside a photo.jpg it uploads it, and the answer's URL opens in a browser."""
    if not shutil.which("curl"):
        pytest.skip("there is no curl here")
    (served.folder / "photo.jpg").write_bytes(make_jpeg(400, 300, orientation=6))
    assert served.announced["curl"] in served.stderr

    done = subprocess.run(
        [*shlex.split(served.announced["curl"]), "-sS"], cwd=served.folder, capture_output=True, check=True, timeout=20
    )

    url = httpx2.Response(200, content=done.stdout).json()["url"]
    assert decode(httpx2.get(url).content).size == (300, 400)


def test_other_commands_share_the_running_store(served: Serving) -> None:
    """While it runs, commands in the same folder see its images and leave its store running."""
    s3_key = upload(served, make_jpeg(64, 48))

    listed = run_program("ls", "--json", folder=served.folder)
    fetched = run_program("download", s3_key, "-o", "back.jpg", "--json", folder=served.folder)

    assert s3_key in [image["s3_key"] for image in listed.document["images"]]
    assert fetched.exit_code == 0, fetched.stdout
    assert httpx2.get(f"{served.url}/api/v1/files/{s3_key}").status_code == 200


def test_sigterm_ends_it_and_its_store(tmp_path: Path) -> None:
    """Asked to end, it exits 0 and no SeaweedFS is left."""
    with serving(tmp_path) as service:
        assert service.store.running_pid is not None

        exit_code = service.end_with(signal.SIGTERM)

        assert exit_code == 0
        assert service.store.running_pid is None
        with pytest.raises(httpx2.ConnectError):
            httpx2.get(service.announced["store"]["endpoint_url"])


def test_after_kill_9_every_acknowledged_image_is_there(tmp_path: Path) -> None:
    """Neither a killed service nor a killed store loses an image that was acknowledged; the next start finds it."""
    with serving(tmp_path) as service:
        s3_key = upload(service, make_jpeg(64, 48))
        service.process.kill()
        service.process.wait()
        weed_pid = service.store.running_pid
        assert weed_pid is not None
        os.kill(weed_pid, signal.SIGKILL)

        listed = run_program("ls", "--json", folder=tmp_path)

        assert [image["s3_key"] for image in listed.document["images"]] == [s3_key]
        assert service.store.running_pid is None


def test_a_store_that_dies_is_started_again(tmp_path: Path) -> None:
    """When its SeaweedFS is killed, the service revives it and answers with the same images."""
    with serving(tmp_path) as service:
        s3_key = upload(service, make_jpeg(64, 48))
        weed_pid = service.store.running_pid
        assert weed_pid is not None

        os.kill(weed_pid, signal.SIGKILL)

        assert eventually(lambda: httpx2.get(f"{service.url}/api/v1/files/{s3_key}", timeout=20).status_code == 200)
        assert service.store.running_pid not in {weed_pid, None}


def test_ctrl_c_exits_130(bucket: S3Connection, tmp_path: Path) -> None:
    """Ctrl-C ends it as Ctrl-C ends commands; it also runs on a configured bucket, without a store of its own."""
    with serving(tmp_path, variables=variables_of(bucket)) as service:
        assert service.announced["store"] == {
            "kind": "s3",
            "folder": None,
            "endpoint_url": bucket.endpoint_url,
            "bucket": bucket.bucket,
        }

        assert service.end_with(signal.SIGINT) == 130
        assert "Traceback" not in service.stderr
    assert not (tmp_path / ".heaven").exists()


def test_a_store_out_of_reach_is_said_at_the_start(bucket: S3Connection, tmp_path: Path) -> None:
    """It runs without its store, answers that it is alive, and says on stderr what is wrong."""
    with serving(tmp_path, variables=variables_of(bucket) | {"S3_BUCKET_NAME": "no-such-bucket"}) as service:
        assert httpx2.get(f"{service.url}/healthz").status_code == 200
        assert eventually(lambda: "The bucket does not exist." in service.stderr)


def test_a_taken_port_starts_nothing(unconfigured_command_line: CommandLine, tmp_path: Path) -> None:
    """A port in use is said before the embedded store is started."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        run = unconfigured_command_line("serve", "--port", port, "--json")

    assert (run.exit_code, run.document["code"]) == (69, "ADDRESS_UNAVAILABLE")
    assert str(port) in run.document["detail"]
    assert not (tmp_path / ".heaven").exists()


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_without_authentication_only_loopback_is_served(
    unconfigured_command_line: CommandLine, tmp_path: Path, host: str
) -> None:
    """A service that asks nobody who they are refuses an address that strangers reach, and says what to set."""
    run = unconfigured_command_line("serve", "--host", host, "--port", "0")

    assert run.exit_code == 78
    assert all(words in run.stderr for words in ("AUTH_MODE", "JWT_SECRET", host))
    assert not (tmp_path / ".heaven").exists()


def test_a_host_that_is_no_address(unconfigured_command_line: CommandLine) -> None:
    """A host name that leads nowhere is a sentence, not a traceback."""
    run = unconfigured_command_line("serve", "--host", "no.such.host.invalid", "--json")

    assert (run.exit_code, run.document["code"]) == (69, "ADDRESS_UNAVAILABLE")


def test_an_env_file_that_is_no_text(unconfigured_command_line: CommandLine, tmp_path: Path) -> None:
    """A `.env` that is not UTF-8 ends the command with one JSON document that names it."""
    (tmp_path / ".env").write_bytes(b"LOG_LEVEL=\xff")

    run = unconfigured_command_line("serve", "--port", "0", "--json")

    assert (run.exit_code, run.document["faults"]) == (78, {".env": "is not UTF-8 text"})


def test_a_store_folder_that_cannot_be_used_is_named(unconfigured_command_line: CommandLine, tmp_path: Path) -> None:
    """Whoever starts the service on their own machine is told which folder is wrong, without `DEBUG`."""
    (tmp_path / ".heaven").write_text("in the way")

    run = unconfigured_command_line("serve", "--port", "0", "--json")

    assert (run.exit_code, run.document["code"]) == (69, "EMBEDDED_S3_UNAVAILABLE")
    assert run.document["cause"]["folder"] == str(tmp_path / ".heaven" / "s3")


def test_strict_confinement_that_cannot_be(
    unconfigured_command_line: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With SANDBOX=strict it does not start where the system lacks a measure, and says which; nothing else starts."""
    orders = partial(ServerOrders, entry="tests.services.workers.unconfinable")
    monkeypatch.setattr(confined_processor, "ServerOrders", orders)
    monkeypatch.setenv("SANDBOX", "strict")

    run = unconfigured_command_line("serve", "--port", "0", "--json")

    assert (run.exit_code, run.document["code"]) == (78, "SANDBOX_UNAVAILABLE")
    assert "landlock" in run.document["detail"]
    assert not (tmp_path / ".heaven").exists()


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_another_allocator_is_left_alone(monkeypatch: pytest.MonkeyPatch, platform: str) -> None:
    """Where there is no glibc, not even its library is looked for: on Windows that would fail."""
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(ctypes, "CDLL", None)

    assert keep_memory_flat() is False
