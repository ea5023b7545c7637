"""Ctrl-C at any moment: exit code 130, and nothing half-written or unreported."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from app.services.s3_connection import S3Connection, make_client
from tests.entrypoints.cli.program import PATIENCE_SECONDS, PROGRAM, eventually, variables_of
from tests.pictures import make_jpeg


def stored_keys(bucket: S3Connection) -> set[str]:
    client = make_client(bucket)
    keys = {entry["Key"] for entry in client.list_objects_v2(Bucket=bucket.bucket).get("Contents", [])}
    client.close()
    return keys


@contextmanager
def uploading(bucket: S3Connection, folder: Path, *, files: int) -> Iterator[subprocess.Popen[str]]:
    """An `upload` of so many photos, two at once, that has begun to store."""
    content = make_jpeg(1600, 1200)
    paths = [folder / f"{number:02}.jpg" for number in range(files)]
    for path in paths:
        path.write_bytes(content)
    command = [*PROGRAM, "upload", *map(str, paths), "--type", "user", "--concurrency", "2", "--json"]
    with subprocess.Popen(
        command,
        cwd=folder,
        env=os.environ | variables_of(bucket),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert eventually(lambda: stored_keys(bucket))
        yield process


def keys_of(outcomes: list[dict[str, Any]]) -> set[str]:
    """Every object of what was reported as stored."""
    results = [outcome["result"] for outcome in outcomes if outcome["result"]]
    return {key for each in results for key in (each["s3_key"], *(made["s3_key"] for made in each["variants"]))}


def test_an_interrupted_upload_reports_what_it_stored(bucket: S3Connection, tmp_path: Path) -> None:
    """Ctrl-C between files: those under way are finished and reported, the others are named as not begun."""
    with uploading(bucket, tmp_path, files=20) as process:
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=PATIENCE_SECONDS)

    outcomes = json.loads(stdout)["outcomes"]
    assert process.returncode == 130
    assert keys_of(outcomes) == stored_keys(bucket) != set()
    assert {outcome["error"]["code"] for outcome in outcomes if outcome["error"]} == {"INTERRUPTED"}
    assert "Traceback" not in stderr


def test_an_upload_that_is_given_up_takes_back_what_it_wrote(bucket: S3Connection, tmp_path: Path) -> None:
    """The second Ctrl-C gives up the files under way: their variants go again, and what was stored is reported."""
    with uploading(bucket, tmp_path, files=4) as process:
        process.send_signal(signal.SIGINT)
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=PATIENCE_SECONDS)

    assert process.returncode == 130
    assert keys_of(json.loads(stdout)["outcomes"]) == stored_keys(bucket)
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
