"""Ctrl-C at any moment: exit code 130, and nothing half-written or unreported."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from app.services.s3_connection import S3Connection, make_client
from tests.entrypoints.cli.program import PATIENCE_SECONDS, PROGRAM, eventually, variables_of
from tests.pictures import make_jpeg


def stored_keys(bucket: S3Connection) -> set[str]:
    client = make_client(bucket)
    keys = {entry["Key"] for entry in client.list_objects_v2(Bucket=bucket.bucket).get("Contents", [])}
    client.close()
    return keys


def test_an_interrupted_upload_reports_what_it_stored(bucket: S3Connection, tmp_path: Path) -> None:
    """Ctrl-C between files: those under way are finished and reported, the others are named as not begun."""
    content = make_jpeg(1600, 1200)
    files = [tmp_path / f"{number:02}.jpg" for number in range(40)]
    for file in files:
        file.write_bytes(content)
    process = subprocess.Popen(
        [*PROGRAM, "upload", *map(str, files), "--type", "user", "--concurrency", "2", "--json"],
        cwd=tmp_path,
        env=os.environ | variables_of(bucket),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert eventually(lambda: stored_keys(bucket))

    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=PATIENCE_SECONDS)

    outcomes = json.loads(stdout)["outcomes"]
    reported = {outcome["result"]["s3_key"] for outcome in outcomes if outcome["result"]}
    assert process.returncode == 130
    assert reported == stored_keys(bucket)
    assert {outcome["error"]["code"] for outcome in outcomes if outcome["error"]} == {"INTERRUPTED"}
    assert "Traceback" not in stderr


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_download_ends_at_once(tmp_path: Path, number: signal.Signals, exit_code: int) -> None:
    """A store that never answers does not keep the program: it leaves soon, and leaves no file."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(PATIENCE_SECONDS)
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        variables = {"S3_BUCKET_NAME": "photos", "S3_ENDPOINT_URL": address}
        process = subprocess.Popen(
            [*PROGRAM, "download", "users/1/20240101_000000_a1b2c3d4.jpg"],
            cwd=tmp_path,
            env=os.environ | variables | {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"},
            stderr=subprocess.PIPE,
            text=True,
        )
        connection, _ = silent.accept()
        with connection:
            interrupted = time.monotonic()
            process.send_signal(number)
            _, stderr = process.communicate(timeout=PATIENCE_SECONDS)

    assert process.returncode == exit_code
    assert time.monotonic() - interrupted < 3
    assert stderr == ""
    assert list(tmp_path.iterdir()) == []
