"""`heaven-images doctor`: says what is wrong with the configuration, the store and the bucket, and what to do."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from itertools import groupby
from typing import Annotated, Any

import typer
from rich.text import Text

from app.bootstrap import Services
from app.core.config import Settings
from app.entrypoints.cli.exit_codes import ExitCode
from app.entrypoints.cli.output import JsonOption, open_output, plain, stdout_console
from app.services.bucket_documents import Document, least_iam_policy
from app.services.doctor.checkup import CHECKS, examine
from app.services.doctor.verdicts import CheckResult, Status
from app.services.s3_connection import S3Connection

_STYLES = {Status.OK: "green", Status.WARN: "yellow", Status.FAIL: "bold red", Status.SKIP: "dim"}
_NAME_WIDTH = max(len(check.name) for check in CHECKS)
_STATUS_WIDTH = max(len(status) for status in Status)


def doctor(
    policy: Annotated[
        bool, typer.Option("--policy", help="Also print the least IAM policy that the service needs.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check configuration, store and bucket, and say what is wrong and what to do. Fails when any check does."""
    patient = _Patient()
    results: list[CheckResult] = []
    try:
        for _, group in groupby(examine(patient.load, patient.connect), key=_group_of):
            alike = list(group)
            results += alike
            if not as_json:
                stdout_console().print(_line(alike))
    finally:
        patient.close()
    least = patient.least_policy()
    if as_json:
        open_output(as_json=True).answer(_describe(results, least), "")
    else:
        stdout_console().print(_summary(results))
        if policy and least:
            stdout_console().print(json.dumps(least, indent=2))
    if any(result.failed for result in results):
        raise typer.Exit(ExitCode.NO)


class _Patient:
    """The service as configured; remembers what of it could be made."""

    def __init__(self) -> None:
        self._settings: Settings | None = None
        self._services: Services | None = None
        self._connection: S3Connection | None = None

    def load(self) -> Settings:
        self._settings = Settings.load()
        return self._settings

    def connect(self, settings: Settings) -> S3Connection:
        self._services = Services(settings)
        self._connection = self._services.connect()
        return self._connection

    def least_policy(self) -> Document | None:
        if self._connection is None or self._settings is None:
            return None
        return least_iam_policy(self._connection.bucket, self._settings.image_types, region=self._connection.region)

    def close(self) -> None:
        if self._services is not None:
            self._services.close()


def _group_of(result: CheckResult) -> str:
    """Checks that were passed over for one reason share a line; each other one has its own."""
    return result.verdict.finding if result.verdict.status is Status.SKIP else result.name


def _line(alike: list[CheckResult]) -> Text:
    verdict = alike[0].verdict
    name = alike[0].name if len(alike) == 1 else f"{len(alike)} checks"
    line = Text(f"{verdict.status:<{_STATUS_WIDTH}}  ", style=_STYLES[verdict.status])
    line.append(f"{name:<{_NAME_WIDTH}}  {plain(verdict.finding)}", style="default")
    if verdict.remedy:
        line.append(f"\n{'':{_STATUS_WIDTH + _NAME_WIDTH + 4}}→ {plain(verdict.remedy)}", style="bold")
    return line


def _summary(results: Iterable[CheckResult]) -> str:
    counts = Counter(result.verdict.status for result in results)
    told = ", ".join(f"{counts[status]} {status}" for status in Status if counts[status])
    if counts[Status.FAIL]:
        return f"\n{told}. Mend the first failure, then run the doctor again."
    return f"\n{told}. `heaven-images doctor --policy` prints the least IAM policy that the service needs."


def _describe(results: Iterable[CheckResult], least: Document | None) -> dict[str, Any]:
    checks = [
        {
            "name": result.name,
            "status": result.verdict.status,
            "finding": result.verdict.finding,
            "remedy": result.verdict.remedy,
        }
        for result in results
    ]
    return {"ok": all(check["status"] != Status.FAIL for check in checks), "checks": checks, "least_iam_policy": least}
