"""Every failure has its code, its HTTP status, its exit code and its line in the documents."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core import exceptions
from app.core.exceptions import ErrorCode, Fault, ImageServiceError, S3Error
from app.entrypoints.cli.exit_codes import ANSWERS
from app.entrypoints.http.error_handlers import STATUS_BY_ERROR

ROOT = Path(__file__).parents[2]
SEVEN = {
    "S3_CONNECTION_FAILED",
    "S3_UPLOAD_FAILED",
    "S3_DOWNLOAD_FAILED",
    "S3_DELETE_FAILED",
    "S3_BUCKET_NOT_FOUND",
    "S3_ACCESS_DENIED",
    "S3_INVALID_CREDENTIALS",
}


def descendants(kind: type[ImageServiceError]) -> Iterator[type[ImageServiceError]]:
    for child in kind.__subclasses__():
        yield child
        yield from descendants(child)


def name_of(kind: type[ImageServiceError]) -> str:
    return kind.__name__


KINDS: set[type[ImageServiceError]] = {kind for kind in descendants(ImageServiceError) if "code" in vars(kind)}
SORTED_KINDS: list[type[ImageServiceError]] = sorted(KINDS, key=name_of)
each_kind = pytest.mark.parametrize("kind", SORTED_KINDS, ids=name_of)


def test_codes_and_classes_match_one_to_one() -> None:
    """A code means one failure, and every failure has a code."""
    assert sorted(kind.code for kind in KINDS) == sorted(ErrorCode)
    assert all(code.name == code.value for code in ErrorCode)


def test_the_seven_codes_of_the_contract_are_there() -> None:
    """Callers rely on seven S3 codes, which never change."""
    assert {kind.code.value for kind in KINDS if issubclass(kind, S3Error)} >= SEVEN


def test_every_class_of_the_tree_that_can_be_raised_has_a_code() -> None:
    """Only the branches of the tree, which nobody raises, are without a code of their own."""
    leaves = {kind for kind in descendants(ImageServiceError) if not kind.__subclasses__()}
    assert leaves == KINDS


@each_kind
def test_a_failure_is_told_in_public_sentences(kind: type[ImageServiceError]) -> None:
    """What a stranger reads is a sentence without names of vendors, hosts or settings."""
    assert re.fullmatch(r"[A-Z][^\n]*\.", kind.title)
    assert not re.search(r"boto|Exception|Error|http|None|\{", kind.title)
    assert kind.fault in Fault


@each_kind
def test_a_failure_has_an_http_status(kind: type[ImageServiceError]) -> None:
    """Each failure answers over HTTP with a status of its own kind: 4xx the caller's, 5xx ours or the store's."""
    assert kind in STATUS_BY_ERROR
    caused_by_caller = kind.fault is Fault.CALLER
    assert STATUS_BY_ERROR[kind] // 100 == (4 if caused_by_caller else 5)


@each_kind
def test_a_failure_has_an_exit_code(kind: type[ImageServiceError]) -> None:
    """Each failure ends a command with its exit code and a piece of advice; never with 0."""
    assert kind in ANSWERS
    assert ANSWERS[kind].exit_code != 0


def test_the_tables_hold_nothing_that_is_not_raised() -> None:
    """A failure that was removed is removed everywhere."""
    assert set(STATUS_BY_ERROR) == KINDS
    assert {kind for kind in ANSWERS if issubclass(kind, ImageServiceError)} == KINDS


def test_the_document_of_errors_has_one_row_per_code() -> None:
    """`docs/errors.md` explains every code, and none that does not exist."""
    text = (ROOT / "docs/errors.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| *`([A-Z0-9_]+)` *\|", text, re.MULTILINE)
    codes = [row for row in rows if row in set(ErrorCode) or row.startswith(("S3_", "IMAGE_"))]
    assert sorted(codes) == sorted(ErrorCode)


@each_kind
def test_the_tree_in_the_module_shows_the_class(kind: type[ImageServiceError]) -> None:
    """Whoever reads the module's first lines sees every class with its code."""
    assert re.search(rf"── {kind.__name__} +{kind.code}\b", exceptions.__doc__ or "")
