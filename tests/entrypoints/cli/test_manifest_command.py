"""`heaven-images manifest` on a real SeaweedFS."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.entrypoints.cli.program import CommandLine
from tests.images.manifest_cases import Markup

MISSING = "users/123/20241201_143022_a1b2c3d4.jpg"


@pytest.fixture
def key(command_line: CommandLine, photo: Path) -> str:
    """A stored photo: upright 300 × 400, with its default variants."""
    run = command_line("upload", photo, "--type", "user", "--user", 1, "--json")
    stored: str = run.document["outcomes"][0]["result"]["s3_key"]
    return stored


def test_html_to_paste(command_line: CommandLine, key: str) -> None:
    """With --html stdout holds the picture elements, and nothing else."""
    run = command_line("manifest", key, "--html", "--sizes", "<50vw>")
    markup = Markup(run.stdout)
    assert run.exit_code == 0
    assert run.stdout.startswith("<picture>")
    assert (markup.image["width"], markup.image["height"], markup.image["sizes"]) == ("300", "400", "<50vw>")


def test_manifest_for_programs(command_line: CommandLine, key: str) -> None:
    """With --json the whole manifest of each key, null where there is none; the exit code says that one is missing."""
    run = command_line("manifest", key, MISSING, "--json")
    manifests = run.document["manifests"]
    assert run.exit_code == 66
    assert list(manifests) == [key, MISSING]
    assert manifests[MISSING] is None
    assert set(manifests[key]["presets"]) == {"thumb", "card", "cover"}


def test_manifest_for_people(command_line: CommandLine, key: str) -> None:
    """People see size, formats and widths; a missing image is named on stderr."""
    run = command_line("manifest", key, MISSING)
    assert f"{key}  300×400  public" in run.stdout
    assert "image/jpeg" in run.stdout
    assert MISSING in run.stderr


def test_too_many_keys(command_line: CommandLine) -> None:
    """More than a hundred images in one call are refused with a sentence."""
    run = command_line("manifest", *[MISSING] * 101, "--json")
    assert (run.exit_code, run.document["code"]) == (2, "BATCH_TOO_LARGE")
