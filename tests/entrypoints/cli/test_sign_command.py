"""`heaven-images sign`, on a real SeaweedFS."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.entrypoints.cli.program import CommandLine
from tests.fetching import fetch

KEYS = ("users/1/20240101_000000_a1b2c3d4.jpg", "rooms/20240101_000000_a1b2c3d4.webp")


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def test_signed_urls_open_the_images(command_line: CommandLine, photo: Path, tmp_path: Path) -> None:
    """Each URL that is printed gives the stored picture to anyone."""
    uploaded = command_line("upload", photo, "--type", "user", "--user", "7", "--json").document
    s3_key = uploaded["outcomes"][0]["result"]["s3_key"]

    for options in ([], ["--stable"], ["--expires-in", "60"]):
        run = command_line("sign", s3_key, *options)
        status, body = fetch(run.stdout.strip())

        assert (run.exit_code, status, body[:2]) == (0, 200, b"\xff\xd8")
        assert "UTC" in run.stderr


def test_a_line_per_key(command_line: CommandLine) -> None:
    """URLs come a line per key in the order of the keys, and as one document with --json."""
    lines = command_line("sign", *KEYS, KEYS[0], "--stable").stdout.splitlines()
    document = command_line("sign", *KEYS, "--stable", "--json").document

    assert [urlsplit(line).path.partition("/")[2].partition("/")[2] for line in lines] == [*KEYS, KEYS[0]]
    assert list(document["urls"]) == list(KEYS)
    assert datetime.fromisoformat(document["expires_at"]).replace(tzinfo=UTC) > datetime.now(UTC)


def test_lifetimes(command_line: CommandLine) -> None:
    """An hour unless told; with --stable two windows, from a full hour on."""
    plain, timed, stable = (
        query_of(command_line("sign", KEYS[0], *options).stdout.strip())
        for options in ([], ["--expires-in", "60"], ["--stable"])
    )

    assert (plain["X-Amz-Expires"], timed["X-Amz-Expires"], stable["X-Amz-Expires"]) == ("3600", "60", "7200")
    assert stable["X-Amz-Date"].endswith("0000Z")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([], "USAGE_INVALID"),
        ([KEYS[0], "--stable", "--expires-in", "3600"], "USAGE_INVALID"),
        ([KEYS[0], "nonsense"], "IMAGE_KEY_INVALID"),
        ([KEYS[0], "--expires-in", "0"], "URL_EXPIRY_INVALID"),
        ([KEYS[0]] * 1001, "BATCH_TOO_LARGE"),
    ],
    ids=["no key", "two lifetimes", "wrong key", "no lifetime", "too many"],
)
def test_wrong_questions(command_line: CommandLine, arguments: list[str], code: str) -> None:
    """What was asked wrongly exits 2 with its code and prints no URL at all."""
    run = command_line("sign", *arguments, "--json")

    assert (run.exit_code, run.document["code"]) == (2, code)
    assert "X-Amz" not in run.stdout
