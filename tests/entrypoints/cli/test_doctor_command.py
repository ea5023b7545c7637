"""`doctor` on the command line: a line per check, one JSON document, an exit code that scripts can trust."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.core.config import Settings
from app.entrypoints.cli.exit_codes import ExitCode
from app.services.bucket_setup import prepare_embedded_bucket
from app.services.doctor.checkup import CHECKS
from app.services.embedded_s3 import EmbeddedS3
from app.services.s3_connection import S3Connection
from tests.entrypoints.cli.program import CommandLine, run_program
from tests.fault_proxy import refused_url


@pytest.fixture
def ready(bucket: S3Connection) -> S3Connection:
    """The bucket of the command line, set up."""
    prepare_embedded_bucket(bucket, Settings.load())
    return bucket


def test_all_well(command_line: CommandLine, ready: S3Connection) -> None:
    """On a bucket that is set up the doctor succeeds, with a line for each check."""
    run = command_line("doctor")
    assert run.exit_code == ExitCode.OK
    lines = run.stdout.splitlines()
    assert [line[6:25].strip() for line in lines[: len(CHECKS)]] == [check.name for check in CHECKS]
    assert all(line.startswith(("ok", "skip")) for line in lines[: len(CHECKS)])


def test_all_well_as_json(command_line: CommandLine, ready: S3Connection) -> None:
    """As JSON every check has its status, and the least policy is there to be copied."""
    run = command_line("doctor", "--json")
    assert run.exit_code == ExitCode.OK
    assert run.document["ok"]
    assert [check["name"] for check in run.document["checks"]] == [check.name for check in CHECKS]
    actions = {action for part in run.document["least_iam_policy"]["Statement"] for action in part["Action"]}
    assert actions == {"s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:DeleteObject"}


def test_policy(command_line: CommandLine, ready: S3Connection) -> None:
    """--policy prints the least IAM policy, of this bucket and its prefixes; there is no s3:HeadObject."""
    run = command_line("doctor", "--policy")
    for prefix in ("users", "private", "variants", "incoming"):
        assert f'"arn:aws:s3:::{ready.bucket}/{prefix}/*"' in run.stdout
    assert "s3:HeadObject" not in run.stdout


def test_fault(command_line: CommandLine, ready: S3Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault fails the command, says what to do, and shows no secret."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-the-secret-of-this-store")
    run = command_line("doctor")
    assert run.exit_code == ExitCode.NO
    assert "fail  credentials" in run.stdout
    assert "Check AWS_SECRET_ACCESS_KEY" in run.stdout
    assert "not-the-secret-of-this-store" not in run.stdout + run.stderr
    report = command_line("doctor", "--json")
    assert report.exit_code == ExitCode.NO
    assert [check["name"] for check in report.document["checks"] if check["status"] == "fail"] == ["credentials"]


def test_store_down(command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checks that could not be made share one line."""
    monkeypatch.setenv("S3_ENDPOINT_URL", refused_url())
    run = command_line("doctor")
    assert run.exit_code == ExitCode.NO
    assert "19 checks" in run.stdout
    assert len(run.stdout.splitlines()) < 10


def test_wrong_settings(unconfigured_command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong settings are a finding like any other, by variable name."""
    monkeypatch.setenv("S3_ENDPOINT_URL", "ftp://store")
    run = unconfigured_command_line("doctor", "--json")
    assert run.exit_code == ExitCode.NO
    assert "S3_ENDPOINT_URL" in run.document["checks"][0]["finding"]
    assert run.document["least_iam_policy"] is None


def test_embedded_store(tmp_path: Path) -> None:
    """With nothing configured the doctor starts the embedded store, finds it well, and stops it again."""
    run = run_program("doctor", "--json", folder=tmp_path)
    assert run.exit_code == ExitCode.OK, run.stdout
    assert {check["status"] for check in run.document["checks"]} == {"ok"}
    assert EmbeddedS3(tmp_path / ".heaven" / "s3").running_pid is None
