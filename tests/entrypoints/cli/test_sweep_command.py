"""`heaven-images sweep` on a real SeaweedFS."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest

from app.services.s3_connection import S3Connection, make_client
from tests.entrypoints.cli.program import CommandLine

STEM = "users/7/20240101_000000_a1b2c3d4"
ORPHANS = [f"variants/{STEM}/320-2b9db108.avif", f"variants/{STEM}/thumb-2b9db108.jpg"]


def put(bucket: S3Connection, *keys: str) -> None:
    with contextlib.closing(make_client(bucket)) as client:
        for key in keys:
            client.put_object(Bucket=bucket.bucket, Key=key, Body=b"12345")


def keys_in(bucket: S3Connection) -> list[str]:
    with contextlib.closing(make_client(bucket)) as client:
        return [entry["Key"] for entry in client.list_objects_v2(Bucket=bucket.bucket).get("Contents", [])]


def test_orphans_go_and_images_stay(command_line: CommandLine, bucket: S3Connection, photo: Path) -> None:
    """What a broken upload left long ago is deleted; what was just stored stays with all its variants."""
    stored = command_line("upload", photo, "--type", "user", "--json").document["outcomes"][0]["result"]
    before = set(keys_in(bucket))
    put(bucket, *ORPHANS)

    foretold = command_line("sweep", "--dry-run", "--json").document
    assert set(keys_in(bucket)) == before | set(ORPHANS)
    swept = command_line("sweep", "--json").document

    seen = {"count": len(stored["variants"]) + 2, "size_bytes": foretold["seen"]["size_bytes"]}
    assert foretold["deleted"] is False
    assert swept == foretold | {"deleted": True}
    assert swept["seen"] == seen
    assert swept["orphans"] == {"count": 2, "size_bytes": 10}
    assert set(keys_in(bucket)) == before
    assert command_line("sweep", "--json").document["orphans"]["count"] == 0


def test_old_specs_go_only_when_asked(command_line: CommandLine, bucket: S3Connection) -> None:
    """Variants that today's settings would not make stay until --old-specs is said."""
    put(bucket, f"{STEM}.png", *ORPHANS)
    kept = command_line("sweep", "--json").document
    gone = command_line("sweep", "--old-specs", "--older-than", "1h", "--json").document
    assert (kept["orphans"]["count"], kept["old_specs"]["count"], gone["old_specs"]["count"]) == (0, 0, 2)
    assert keys_in(bucket) == [f"{STEM}.png"]


def test_report_for_people(command_line: CommandLine, bucket: S3Connection) -> None:
    """People read how much was looked at and how much went, and of objects that nobody knows."""
    put(bucket, *ORPHANS, "variants/notes.txt")
    foretold, swept = command_line("sweep", "--dry-run"), command_line("sweep")
    assert "2 objects, 10 bytes, would be deleted" in foretold.stdout
    assert "2 objects, 10 bytes, deleted" in swept.stdout
    assert "1 objects, 5 bytes, kept" in swept.stdout
    assert keys_in(bucket) == ["variants/notes.txt"]


@pytest.mark.parametrize(
    ("age", "code"),
    [("soon", "USAGE_INVALID"), ("24", "USAGE_INVALID"), ("-1h", "USAGE_INVALID"), ("59m", "REQUEST_INVALID")],
)
def test_ages_that_are_none(command_line: CommandLine, bucket: S3Connection, age: str, code: str) -> None:
    """An age without a unit, or one that an upload under way could have, is refused and nothing is deleted."""
    put(bucket, *ORPHANS)
    run = command_line("sweep", f"--older-than={age}", "--json")
    assert (run.exit_code, run.document["code"]) == (2, code)
    assert sorted(keys_in(bucket)) == sorted(ORPHANS)


def test_listing_that_fails(command_line: CommandLine, bucket: S3Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that does not let us list ends the sweep with its code, and nothing is deleted."""
    put(bucket, *ORPHANS)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another-secret")
    run: Any = command_line("sweep", "--json")
    assert run.exit_code == 77
    assert sorted(keys_in(bucket)) == sorted(ORPHANS)
