"""The promises that the project's own files make to each other."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from app.core.exceptions import ImageServiceError
from app.entrypoints.cli.exit_codes import ANSWERS
from app.entrypoints.http.error_handlers import STATUS_BY_ERROR

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
PINNED = re.compile(r"^([a-z0-9][a-z0-9._-]*)==([^ ;\\\n]+)", re.MULTILINE)


def pins_of(name: str) -> dict[str, str]:
    return dict(PINNED.findall((ROOT / name).read_text()))


def make_prints(target: str) -> str:
    """What `make` would run for a target, without running it."""
    command = ["make", "--dry-run", "--always-make", "--no-print-directory", target]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_requirements_pin_the_specified_boto3() -> None:
    """`pip install -r requirements.txt` gives the boto3 that the specification names."""
    assert pins_of("requirements.txt")["boto3"] == "1.35.36"


def test_lock_holds_a_current_boto3() -> None:
    """`make install` gives a boto3 that adds checksums by itself, as current ones do."""
    major, minor = (int(part) for part in pins_of("requirements/dev.lock")["boto3"].split(".")[:2])
    assert (major, minor) >= (1, 40)


def test_floor_lock_and_requirements_agree_on_boto3() -> None:
    """The oldest supported boto3 is tested with the botocore that requirements.txt installs."""
    requirements, floor = pins_of("requirements.txt"), pins_of("requirements/boto3-floor.lock")
    assert {name: floor[name] for name in ("boto3", "botocore", "s3transfer")}.items() <= requirements.items()


def test_requirements_hold_runtime_dependencies_only() -> None:
    """Nothing that only tests and linters need is installed with requirements.txt."""
    assert not {"pytest", "mypy", "ruff", "moto", "schemathesis", "hypothesis"} & pins_of("requirements.txt").keys()


@pytest.mark.parametrize("name", ["requirements/dev.lock", "requirements/boto3-floor.lock"])
def test_every_locked_package_has_hashes(name: str) -> None:
    """A package that was changed after it was locked is not installed."""
    text = (ROOT / name).read_text()
    entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert entries
    assert all("--hash=sha256:" in entry for entry in entries)


def test_run_starts_the_service_and_test_runs_the_tests() -> None:
    """The README's two commands set everything up and then do what they say."""
    assert "require-hashes" in make_prints("run")
    assert "heaven-images serve" in make_prints("run")
    assert "-m pytest" in make_prints("test")
    assert "require-hashes" in make_prints("test")


def test_ci_runs_the_test_command_of_the_readme() -> None:
    """What passes for a user passes in CI: both call `make test`."""
    assert re.search(r"^make test\b", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert re.search(r"^make test$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    """A reader who follows a link finds a file."""
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", document.read_text())
    missing = [link for link in links if not (document.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("kind", STATUS_BY_ERROR, ids=lambda kind: kind.code)
def test_errors_document_agrees_with_the_tables(kind: type[ImageServiceError]) -> None:
    """Status, exit code and "repeat?" of each error are as docs/errors.md says."""
    repeat = "yes" if kind.retryable else "no"
    row = f"| `{kind.code}` | {STATUS_BY_ERROR[kind]} | {int(ANSWERS[kind].exit_code)} | {repeat} |"
    assert row in (ROOT / "docs" / "errors.md").read_text()
