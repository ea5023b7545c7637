"""The quick start as a program does what it says, on a real SeaweedFS."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from app.services.embedded_s3 import EmbeddedS3
from tests.conftest import BucketFactory
from tests.entrypoints.cli.program import variables_of
from tests.pictures import make_png

EXAMPLE = Path(__file__).parents[2] / "s3_integration_example.py"
STEPS = [
    "upload",
    "variants",
    "placeholders",
    "privacy",
    "URLs",
    "exists",
    "metadata",
    "download",
    "presigned fetch",
    "delete",
]


def run_example(*arguments: object) -> subprocess.CompletedProcess[str]:
    """The program in the current folder, which is the test's own."""
    command = [sys.executable, str(EXAMPLE), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_without_settings_it_uses_an_embedded_store(tmp_path: Path) -> None:
    """On a fresh machine it makes its own photo and its own store, walks every step, and stops what it started."""
    done = run_example()

    assert done.returncode == 0, done.stderr
    positions = [done.stdout.index(step) for step in STEPS]
    assert positions == sorted(positions)
    assert "3024×4032" in done.stdout
    assert EmbeddedS3(tmp_path / ".heaven" / "s3").running_pid is None


def test_with_settings_it_uses_the_configured_bucket(
    make_bucket: BucketFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A photo of one's own goes through the bucket that the environment names."""
    bucket = make_bucket()
    for name, value in variables_of(bucket).items():
        monkeypatch.setenv(name, value)
    photo = tmp_path / "own.png"
    photo.write_bytes(make_png(120, 80))

    done = run_example(photo)

    assert done.returncode == 0, done.stderr
    assert f"/{bucket.bucket}/users/123/" in done.stdout
    assert not (tmp_path / ".heaven").exists()


def test_a_step_that_fails_is_its_exit_code(
    make_bucket: BucketFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is no picture ends it with its error code on stderr and a non-zero exit."""
    for name, value in variables_of(make_bucket()).items():
        monkeypatch.setenv(name, value)
    photo = tmp_path / "own.jpg"
    photo.write_text("not a picture")

    done = run_example(photo)

    assert done.returncode == 1
    assert "IMAGE_FORMAT_UNSUPPORTED" in done.stderr
