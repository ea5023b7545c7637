"""`bucket init` on the command line: what it prints, what it waits for, and how it ends."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from app.entrypoints.cli.exit_codes import ExitCode
from app.services.s3_connection import S3Connection, make_client
from tests.entrypoints.cli.program import CommandLine

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

IN_EFFECT = ["PutBucketPolicy", "PutBucketCors", "PutBucketLifecycleConfiguration"]


@pytest.fixture
def client(bucket: S3Connection) -> Iterator[S3Client]:
    """A client of the bucket that the command line is configured for."""
    with closing(make_client(bucket)) as opened:
        yield opened


def outcomes_of(document: dict[str, list[dict[str, str]]]) -> dict[str, str]:
    return {step["operation"]: step["outcome"] for step in document["steps"]}


def test_dry_run_prints_the_calls_and_makes_none(command_line: CommandLine) -> None:
    """The plan is one JSON document with the arguments of every S3 call; asked again it is the same."""
    first, second = (command_line("bucket", "init", "--dry-run", "--json") for _ in range(2))
    assert first.exit_code == ExitCode.OK
    assert first.document == second.document
    policy, cors, lifecycle = first.document["steps"]
    assert [step["operation"] for step in (policy, cors, lifecycle)] == IN_EFFECT
    assert json.loads(policy["arguments"]["Policy"])["Statement"][0]["Sid"] == "HeavenPublicRead"
    assert policy["widens"]
    assert not lifecycle["widens"]


def test_dry_run_for_people(command_line: CommandLine) -> None:
    """People read the documents as they will stand in the bucket, and which of them need --yes."""
    run = command_line("bucket", "init", "--dry-run")
    assert run.exit_code == ExitCode.OK
    assert '"Sid": "HeavenPublicRead"' in run.stdout
    assert "[needs --yes] PutBucketPolicy" in run.stdout
    assert "[planned] PutBucketLifecycleConfiguration" in run.stdout


def test_widening_waits_for_yes(command_line: CommandLine) -> None:
    """An existing bucket is opened with --yes only; without it the command fails and says so; then all is done."""
    withheld = command_line("bucket", "init", "--json")
    assert withheld.exit_code == ExitCode.NO
    assert outcomes_of(withheld.document) == dict(
        zip(reversed(IN_EFFECT), ["done", "needs --yes", "needs --yes"], strict=True)
    )
    told = command_line("bucket", "init")
    assert told.exit_code == ExitCode.NO
    assert "heaven-images bucket init --yes" in told.stdout
    given = command_line("bucket", "init", "--yes", "--json")
    assert given.exit_code == ExitCode.OK
    assert outcomes_of(given.document) == {"PutBucketPolicy": "done", "PutBucketCors": "done"}
    again = command_line("bucket", "init")
    assert again.exit_code == ExitCode.OK
    assert "already so" in again.stdout


def test_missing_bucket_is_made(command_line: CommandLine, client: S3Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """One command makes a bucket that is not there, whole."""
    name = f"t-{secrets.token_hex(6)}"
    monkeypatch.setenv("S3_BUCKET_NAME", name)
    try:
        run = command_line("bucket", "init", "--json")
        assert run.exit_code == ExitCode.OK
        assert outcomes_of(run.document) == dict.fromkeys(["CreateBucket", *IN_EFFECT], "done")
    finally:
        client.delete_bucket(Bucket=name)


def test_wrong_secret(command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that refuses ends the command with that error's code."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    run = command_line("bucket", "init", "--json")
    assert run.exit_code == ExitCode.DENIED
    assert run.document["code"] == "S3_INVALID_CREDENTIALS"
