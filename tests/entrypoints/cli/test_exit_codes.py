"""Every failure has an exit code, in the one table and in the documentation; seen on real failures."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from app.core.exceptions import ErrorCode, ImageServiceError
from app.entrypoints.cli.exit_codes import ANSWERS, ExitCode, LocalFailure, answer_of
from app.entrypoints.cli.main import app
from app.services.s3_connection import S3Connection
from tests.entrypoints.cli.program import CommandLine

DOCUMENTATION = (Path(__file__).parents[3] / "docs" / "cli.md").read_text()


def classes_below(root: type[Any]) -> Iterator[type[Any]]:
    for child in root.__subclasses__():
        yield child
        yield from classes_below(child)


def coded(root: type[Any]) -> set[type[Any]]:
    return {kind for kind in classes_below(root) if "code" in vars(kind) and kind.__module__.startswith("app.")}


def test_every_error_has_an_exit_code() -> None:
    """No error of the service reaches a shell without an answer, and the table names none that is gone."""
    assert set(ANSWERS) == coded(ImageServiceError) | coded(LocalFailure)
    assert {kind.code for kind in coded(ImageServiceError)} == set(ErrorCode)


def test_only_what_may_succeed_later_exits_75() -> None:
    """A script that repeats on 75 and nothing else repeats exactly what is worth it."""
    assert {kind for kind, answer in ANSWERS.items() if answer.exit_code == ExitCode.TRY_AGAIN} == {
        kind for kind in ANSWERS if kind.retryable
    }


def test_a_new_subclass_is_answered_like_its_parent() -> None:
    """A more special error than the table knows has the exit code of the nearest one that it knows."""
    [parent] = [kind for kind in ANSWERS if kind.__name__ == "ImageCorrupt"]

    assert answer_of(type("ImageVeryCorrupt", (parent,), {})()).exit_code == 65


def test_the_documentation_lists_every_exit_code() -> None:
    """docs/cli.md has one row for each failure, with the exit code of the table."""
    rows = dict(re.findall(r"^\| `([A-Z0-9_]+)` \| (\d+) \|", DOCUMENTATION, re.MULTILINE))

    assert rows == {str(kind.code): str(int(answer.exit_code)) for kind, answer in ANSWERS.items()}


def test_the_documentation_shows_every_command() -> None:
    """docs/cli.md has a section with an example for each command."""
    tree: Any = typer.main.get_command(app)
    names = []
    for name, command in tree.commands.items():
        names += [f"{name} {child}" for child in getattr(command, "commands", [])] or [name]

    assert re.findall(r"^## `([a-z -]+)`", DOCUMENTATION, re.MULTILINE) == names
    for name in names:
        assert re.search(rf"^heaven-images {name}\b", DOCUMENTATION, re.MULTILINE), name


def test_a_store_that_is_down_exits_75_soon(
    command_line: CommandLine, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing listens, the command says so within seconds and that repeating may help."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    monkeypatch.setenv("S3_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    started = time.monotonic()

    listed = command_line("ls", "--json")
    uploaded = command_line("upload", photo, "--type", "user")

    assert (listed.exit_code, uploaded.exit_code) == (75, 75)
    assert listed.document["code"] == "S3_CONNECTION_FAILED"
    assert listed.document["retryable"] is True
    assert "doctor" in uploaded.stderr
    assert time.monotonic() - started < 12


def test_a_missing_bucket_exits_78(command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket that is not there is a matter of configuration, and the advice names the variable."""
    monkeypatch.setenv("S3_BUCKET_NAME", "no-such-bucket")

    run = command_line("ls")

    assert run.exit_code == 78
    assert "S3_BUCKET_NAME" in run.stderr


def test_the_cause_is_shown_with_debug_only(
    command_line: CommandLine, bucket: S3Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the store said is for operators: it appears with DEBUG=True, and the secret key never does."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong" * 8)

    hidden = command_line("ls", "--json")
    monkeypatch.setenv("DEBUG", "True")
    shown, shown_to_people = command_line("ls", "--json"), command_line("ls")

    assert (hidden.exit_code, hidden.document["code"]) == (77, "S3_INVALID_CREDENTIALS")
    assert "cause" not in hidden.document
    assert shown.document["cause"]["s3_code"] == "SignatureDoesNotMatch"
    assert "SignatureDoesNotMatch" in shown_to_people.stderr
    assert "wrongwrong" not in shown.stdout + shown_to_people.stderr


@pytest.mark.parametrize("command", [["ls"], ["serve", "--port", "0"], ["upload", "a.jpg", "--type", "user"]])
def test_every_fault_of_the_configuration_is_listed(
    unconfigured_command_line: CommandLine, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    """All wrong variables are named at once, with exit code 78."""
    for name, value in {"S3_BUCKET_NAME": "Not_A_Bucket", "JPEG_QUALITY": "0", "AUTH_MODE": "maybe"}.items():
        monkeypatch.setenv(name, value)

    as_json, as_text = unconfigured_command_line(*command, "--json"), unconfigured_command_line(*command)

    assert (as_json.exit_code, as_text.exit_code) == (78, 78)
    assert as_json.document["faults"].keys() == {"S3_BUCKET_NAME", "JPEG_QUALITY", "AUTH_MODE"}
    assert all(name in as_text.stderr for name in ("S3_BUCKET_NAME", "JPEG_QUALITY", "AUTH_MODE"))
    assert "Not_A_Bucket" not in as_text.stderr


def test_a_fault_of_ours_exits_70(unconfigured_command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error nobody foresaw is answered like any other; where it happened is told with DEBUG=True only."""

    def break_down() -> None:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr("app.entrypoints.cli.image_commands.default_services", break_down)

    quiet = unconfigured_command_line("ls", "--json")
    monkeypatch.setenv("DEBUG", "True")
    traced = unconfigured_command_line("ls", "--json")

    assert (quiet.exit_code, quiet.document["code"]) == (70, "INTERNAL_ERROR")
    assert quiet.stderr == ""
    assert "RuntimeError: unforeseen" in traced.stderr
