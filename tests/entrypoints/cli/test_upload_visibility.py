"""`upload --visibility`, on a real SeaweedFS."""

from __future__ import annotations

from pathlib import Path

from app.entrypoints.cli.exit_codes import ExitCode
from tests.entrypoints.cli.program import CommandLine


def test_private_upload(command_line: CommandLine, photo: Path) -> None:
    """A photo that was uploaded as private is listed, described as private, and deleted like any other."""
    options = ("--type", "user", "--user", "7", "--visibility", "private", "--json")
    [outcome] = command_line("upload", photo, *options).document["outcomes"]
    s3_key = outcome["result"]["s3_key"]

    assert s3_key.startswith("private/users/7/")
    assert command_line("metadata", s3_key, "--json").document["visibility"] == "private"
    assert [image["s3_key"] for image in command_line("ls", "--json").document["images"]] == [s3_key]
    assert command_line("delete", s3_key, "--yes").exit_code == ExitCode.OK


def test_unknown_visibility(command_line: CommandLine, photo: Path) -> None:
    """A visibility that does not exist is a fault of usage; nothing is stored."""
    run = command_line("upload", photo, "--type", "user", "--visibility", "secret")
    assert run.exit_code == ExitCode.USAGE
    assert command_line("ls", "--json").document["images"] == []
