"""The command line under test: in this process, or as a program of its own."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from app.entrypoints.cli.main import app
from app.services.embedded_s3 import EmbeddedS3
from app.services.s3_connection import S3Connection

PROGRAM = (sys.executable, "-m", "app.entrypoints.cli.main")
PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Run:
    """What one command did."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.stdout)


class CommandLine:
    """Runs commands in this process."""

    def __call__(self, *arguments: object, stdin: str = "") -> Run:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin)
        return Run(result.exit_code, result.stdout, result.stderr)


def variables_of(connection: S3Connection) -> dict[str, str]:
    """The environment variables that lead to a bucket."""
    return {
        "S3_BUCKET_NAME": connection.bucket,
        "S3_ENDPOINT_URL": str(connection.endpoint_url),
        "AWS_REGION": connection.region,
        "AWS_ACCESS_KEY_ID": str(connection.access_key_id),
        "AWS_SECRET_ACCESS_KEY": str(connection.secret_access_key),
    }


def run_program(*arguments: object, folder: Path, variables: Mapping[str, str] | None = None) -> Run:
    """One command as a process of its own, in a folder."""
    done = subprocess.run(
        [*PROGRAM, *map(str, arguments)],
        cwd=folder,
        env=os.environ | (variables or {}),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    return Run(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True, slots=True)
class Serving:
    """A `serve` that is up: its process, what it announced, the folder that it runs in."""

    process: subprocess.Popen[str]
    announced: dict[str, Any]
    folder: Path

    @property
    def url(self) -> str:
        return str(self.announced["url"])

    @property
    def stderr(self) -> str:
        return (self.folder / "stderr").read_text()

    @property
    def store(self) -> EmbeddedS3:
        """The embedded store of the folder, to look at."""
        return EmbeddedS3(self.folder / ".heaven" / "s3")

    def end_with(self, number: signal.Signals) -> int:
        """The exit code after the signal."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)


@contextmanager
def serving(folder: Path, *arguments: str, variables: Mapping[str, str] | None = None) -> Iterator[Serving]:
    """`serve --json` on a free port, up and answering; at the end it and its SeaweedFS are gone, whatever happened."""
    with (folder / "stderr").open("w") as stderr:
        process = subprocess.Popen(
            [*PROGRAM, "serve", "--port", "0", "--json", *arguments],
            cwd=folder,
            env=os.environ | (variables or {}),
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    assert process.stdout
    try:
        ready, _, _ = select.select([process.stdout], [], [], PATIENCE_SECONDS)
        line = process.stdout.readline() if ready else ""
        assert line, (folder / "stderr").read_text()
        yield Serving(process, json.loads(line), folder)
    finally:
        _end(process, folder)


def _end(process: subprocess.Popen[str], folder: Path) -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout:
        process.stdout.close()
    left = EmbeddedS3(folder / ".heaven" / "s3").running_pid
    if left is not None:
        os.kill(left, signal.SIGKILL)


def eventually(holds: Callable[[], object]) -> bool:
    """Whether it comes to hold in good time."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
