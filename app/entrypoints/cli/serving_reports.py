"""What a serving process reports to its parent, as a line of JSON: that it answers, or why it does not."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from app.core.exceptions import ConfigurationError, ImageServiceError, InternalError
from app.entrypoints.cli.exit_codes import ANSWERS, Failure


@dataclass(frozen=True, slots=True)
class Readiness:
    """It answers requests; `docs_path` is where its documentation is."""

    docs_path: str | None


def encode_readiness(docs_path: str | None) -> bytes:
    return _line({"docs_path": docs_path})


def encode_failure(failure: Failure) -> bytes:
    report: dict[str, Any] = {"code": str(failure.code), "detail": failure.detail}
    if isinstance(failure, ConfigurationError):
        report["faults"] = failure.faults
    if isinstance(failure, ImageServiceError):
        report["cause"] = failure.cause
    return _line(report)


def decode_report(line: bytes) -> Readiness | Failure:
    """The report, or an `InternalError` where the process ended without one."""
    if not line.endswith(b"\n"):
        return InternalError("A serving process ended before it answered, without a word.")
    report = json.loads(line)
    if "code" not in report:
        return Readiness(report["docs_path"])
    kind = next((kind for kind in ANSWERS if kind.code == report["code"]), InternalError)
    if issubclass(kind, ConfigurationError):
        return kind(report["faults"])
    if issubclass(kind, ImageServiceError):
        return kind(report["detail"], cause=report["cause"])
    return kind(report["detail"])


def _line(report: dict[str, Any]) -> bytes:
    return json.dumps(report).encode() + b"\n"
