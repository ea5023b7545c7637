"""What a check can say."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """`warn`: it works, but something is worth knowing. `skip`: could not be, or need not be, looked at."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check found, and what to do about it where something is to be done. Never holds a secret."""

    status: Status
    finding: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """A check's verdict under its name."""

    name: str
    verdict: Verdict

    @property
    def failed(self) -> bool:
        return self.verdict.status is Status.FAIL


def ok(finding: str) -> Verdict:
    """All is well."""
    return Verdict(Status.OK, finding)


def warn(finding: str, remedy: str) -> Verdict:
    """It works, with a drawback."""
    return Verdict(Status.WARN, finding, remedy)


def fail(finding: str, remedy: str) -> Verdict:
    """It does not work."""
    return Verdict(Status.FAIL, finding, remedy)


def skip(finding: str) -> Verdict:
    """Not looked at."""
    return Verdict(Status.SKIP, finding)
