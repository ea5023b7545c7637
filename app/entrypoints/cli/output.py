"""What commands print: answers on stdout, for people or as one JSON document; everything else on stderr.

A command takes `as_json: JsonOption = False`, opens its output with `open_output`, and gives its one answer:

    output = open_output(as_json=as_json)
    output.note("Working…")                                   # stderr, always
    output.answer({"s3_key": key}, f"stored as {key}")        # stdout: the first as JSON, the second for people

It raises its errors: the command line itself prints them and finds the exit code (`main.py`, `exit_codes.py`).
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

import typer
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from app.core.config import Settings
from app.core.exceptions import ConfigurationError, EmbeddedS3Unavailable, ImageServiceError
from app.entrypoints.cli.exit_codes import Failure, answer_of

JsonOption = Annotated[bool, typer.Option("--json", help="Answer with one JSON document on stdout.")]


@dataclass(frozen=True, slots=True)
class Rows:
    """A table: drawn on a terminal, lines of tab-separated cells with a head in a pipe."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


class Output(Protocol):
    """Where one command prints."""

    def answer(self, value: Any, shown: RenderableType | Rows) -> None:
        """The command's one result, on stdout: `value` as JSON, or `shown` for people."""
        ...

    def fail(self, failure: Failure, *, subject: str = "") -> None:
        """The failure that ends the command, or, with the `subject` that it befell, one of several."""
        ...

    def note(self, sentence: str) -> None:
        """Something to know meanwhile, on stderr."""
        ...


def open_output(*, as_json: bool) -> Output:
    """The output that the caller asked for."""
    return JsonOutput() if as_json else HumanOutput()


def stdout_console() -> Console:
    """For answers to people: long lines stay whole, nothing in them is taken for markup."""
    return Console(highlight=False, markup=False, emoji=False, soft_wrap=True)


def stderr_console() -> Console:
    """For everything that is no answer: progress, notes, errors."""
    return Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


class JsonOutput:
    """Exactly one JSON document on stdout, the answer or the failure."""

    def answer(self, value: Any, shown: RenderableType | Rows) -> None:  # noqa: ARG002 - people's part of the answer
        sys.stdout.write(json.dumps(value, default=str) + "\n")
        sys.stdout.flush()

    def fail(self, failure: Failure, *, subject: str = "") -> None:
        # A failure with a subject is part of the answer: the command puts `describe_failure` there.
        if not subject:
            self.answer(describe_failure(failure), "")

    def note(self, sentence: str) -> None:
        stderr_console().print(plain(sentence))


class HumanOutput:
    """Answers on stdout; failures in red on stderr, with what to do, said once per command."""

    def __init__(self) -> None:
        self._advice_given: set[str] = set()

    def answer(self, value: Any, shown: RenderableType | Rows) -> None:  # noqa: ARG002 - machines' part of the answer
        console = stdout_console()
        if isinstance(shown, Rows):
            shown = _draw(shown) if console.is_terminal else _join(shown)
        if isinstance(shown, str):
            # Not through rich, which turns tabs into spaces.
            sys.stdout.write(plain(shown) + "\n" if shown else "")
            sys.stdout.flush()
        else:
            console.print(shown)

    def fail(self, failure: Failure, *, subject: str = "") -> None:
        console = stderr_console()
        sentence = plain(f"{subject}: {failure.detail}" if subject else failure.detail)
        console.print(Text(sentence, style="bold red"))
        for name, value in _cause_of(failure).items():
            console.print(plain(f"  {name}: {value}"))
        advice = answer_of(failure).advice
        if advice not in self._advice_given:
            self._advice_given.add(advice)
            console.print(advice)

    def note(self, sentence: str) -> None:
        stderr_console().print(plain(sentence))


def describe_failure(failure: Failure) -> dict[str, Any]:
    """A failure as JSON: `code`, `title`, `detail`, `retryable`; faults by variable; the cause."""
    described: dict[str, Any] = {
        "code": str(failure.code),
        "title": failure.title,
        "detail": failure.detail,
        "retryable": failure.retryable,
    }
    if isinstance(failure, ConfigurationError):
        described["faults"] = failure.faults
    if cause := _cause_of(failure):
        described["cause"] = cause
    return described


def print_traceback(error: BaseException) -> None:
    """Where a fault of ours happened, on stderr, with `DEBUG=True` only."""
    if is_debugging():
        sys.stderr.write("".join(traceback.format_exception(error)))


def is_debugging() -> bool:
    """Whether `DEBUG` is on; off when the settings themselves are wrong."""
    try:
        return Settings.load().debug
    except ConfigurationError:
        return False


def plain(text: str) -> str:
    """The text without what could steer a terminal or cannot be encoded; line breaks and tabs stay."""
    return "".join(
        letter if letter.isprintable() or letter in "\n\t" else "\N{REPLACEMENT CHARACTER}" for letter in text
    )


def _cause_of(failure: Failure) -> Mapping[str, str]:
    """With `DEBUG=True`; of the embedded store always: it is on the caller's own machine."""
    if not isinstance(failure, ImageServiceError) or not failure.cause:
        return {}
    return failure.cause if isinstance(failure, EmbeddedS3Unavailable) or is_debugging() else {}


def _draw(rows: Rows) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in rows.columns:
        table.add_column(column, overflow="fold")
    for row in rows.rows:
        table.add_row(*(Text(plain(cell)) for cell in row))
    return table


def _join(rows: Rows) -> str:
    return "\n".join("\t".join(plain(cell) for cell in row) for row in (rows.columns, *rows.rows))
