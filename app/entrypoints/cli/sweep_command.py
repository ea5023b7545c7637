"""`heaven-images sweep`: removes variants that belong to nothing any more."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from typing import Annotated, Any

import typer
from rich.filesize import decimal

from app.bootstrap import default_services
from app.entrypoints.cli.exit_codes import UsageInvalid
from app.entrypoints.cli.output import JsonOption, open_output
from app.services.sweeping import Garbage, Heap, Removal, SweepReport

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def sweep(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go; delete nothing.")] = False,
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="AGE", help="Only of images older than this: 90m, 24h, 7d.")
    ] = "24h",
    old_specs: Annotated[
        bool, typer.Option("--old-specs", help="Also variants that today's settings would not make.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Delete variants whose image is gone, as a broken upload or delete leaves them. Repeat it at any time."""
    output = open_output(as_json=as_json)
    services = default_services()
    services.connect()
    sweeping = services.image_service.sweep_variants(
        older_than=_parse_age(older_than),
        garbage=[Garbage.ORPHANS, Garbage.OLD_SPECS] if old_specs else [Garbage.ORPHANS],
        removal=Removal.REPORT if dry_run else Removal.DELETE,
    )
    report = asyncio.run(sweeping)
    output.answer(_describe(report, dry_run=dry_run), _show(report, dry_run=dry_run))


def _parse_age(text: str) -> timedelta:
    """Raises: UsageInvalid, when it is no number with a unit."""
    match = re.fullmatch(r"(\d{1,5})([mhd])", text.strip().lower(), re.ASCII)
    if not match:
        raise UsageInvalid("--older-than takes a number with m, h or d, as in 90m, 24h or 7d.")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _describe(report: SweepReport, *, dry_run: bool) -> dict[str, Any]:
    heaps = {"seen": report.seen, "orphans": report.orphans, "old_specs": report.old_specs, "unknown": report.unknown}
    described: dict[str, Any] = {
        name: {"count": heap.count, "size_bytes": heap.size_bytes} for name, heap in heaps.items()
    }
    return {"deleted": not dry_run} | described


def _show(report: SweepReport, *, dry_run: bool) -> str:
    fate = "would be deleted" if dry_run else "deleted"
    lines = [
        f"looked at  {_size_of(report.seen)}",
        f"orphans    {_size_of(report.orphans)}, {fate}",
        f"old specs  {_size_of(report.old_specs)}, {fate}",
    ]
    if report.unknown.count:
        lines.append(f"unknown    {_size_of(report.unknown)}, kept: their keys name no image of a known type")
    return "\n".join(lines)


def _size_of(heap: Heap) -> str:
    return f"{heap.count} objects, {decimal(heap.size_bytes)}"
