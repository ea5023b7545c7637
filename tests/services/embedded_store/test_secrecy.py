"""Who may reach the embedded store: this machine, with the store's own credentials."""

from __future__ import annotations

import contextlib
import json
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from app.services.embedded_s3 import EmbeddedS3

if TYPE_CHECKING:
    pass
from tests.services.embedded_store.processes import anonymous_status, s3_client, wait_for


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
