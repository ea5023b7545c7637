"""`heaven-images bucket`: brings the bucket into the state that the service needs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Any

import typer

from app.bootstrap import default_services
from app.entrypoints.cli.exit_codes import ExitCode
from app.entrypoints.cli.output import JsonOption, open_output
from app.services.bucket_plan import BucketPlan, Effect, Step
from app.services.bucket_setup import BucketSetup, Consent

bucket_app = typer.Typer(help="Set up the bucket.", no_args_is_help=True, rich_markup_mode=None)

_NEEDS_YES = (
    "What is marked `needs --yes` lets somebody see more of a bucket that exists. "
    "If that is wanted, say so: heaven-images bucket init --yes"
)


class Outcome(StrEnum):
    """What became of a step."""

    PLANNED = "planned"
    DONE = "done"
    NEEDS_YES = "needs --yes"


@bucket_app.callback()
def bucket() -> None:
    """Set up the bucket."""


@bucket_app.command()
def init(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the S3 calls; change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Also open what is closed on a bucket that exists.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Create the bucket where it is missing; set its public-read policy, CORS and lifecycle rules.

    Only images of public types become readable by anyone. Statements and rules of others stay. Run it again at any
    time: what is already so is left alone.
    """
    output = open_output(as_json=as_json)
    services = default_services()
    connection = services.connect()
    with BucketSetup(connection, services.settings) as setup:
        plan = setup.plan()
        consent = Consent.GIVEN if yes else Consent.WITHHELD
        outcomes = _foretell(plan, consent) if dry_run else _carry_out(setup, plan, consent)
    output.answer(_describe(connection.bucket, outcomes, plan.notes), _show(connection.bucket, outcomes, plan.notes))
    if not dry_run and any(outcome is Outcome.NEEDS_YES for _, outcome in outcomes):
        raise typer.Exit(ExitCode.NO)


def _foretell(plan: BucketPlan, consent: Consent) -> list[tuple[Step, Outcome]]:
    withheld = () if consent is Consent.GIVEN else plan.widening
    return [(step, Outcome.NEEDS_YES if step in withheld else Outcome.PLANNED) for step in plan.steps]


def _carry_out(setup: BucketSetup, plan: BucketPlan, consent: Consent) -> list[tuple[Step, Outcome]]:
    done = [(step, Outcome.DONE) for step in setup.apply(plan, consent)]
    withheld = () if consent is Consent.GIVEN else plan.widening
    return [*done, *((step, Outcome.NEEDS_YES) for step in withheld)]


def _describe(bucket_name: str, outcomes: list[tuple[Step, Outcome]], notes: Iterable[str]) -> dict[str, Any]:
    return {
        "bucket": bucket_name,
        "already_so": not outcomes,
        "steps": [
            {
                "operation": step.operation,
                "arguments": step.arguments,
                "purpose": step.purpose,
                "widens": step.effect is Effect.WIDENS,
                "outcome": outcome,
            }
            for step, outcome in outcomes
        ],
        "notes": list(notes),
    }


def _show(bucket_name: str, outcomes: list[tuple[Step, Outcome]], notes: Iterable[str]) -> str:
    paragraphs = [_show_step(step, outcome) for step, outcome in outcomes]
    if not outcomes:
        paragraphs.append(f"Bucket {bucket_name}: already so, nothing to do.")
    paragraphs.extend(f"Note: {note}" for note in notes)
    if any(outcome is Outcome.NEEDS_YES for _, outcome in outcomes):
        paragraphs.append(_NEEDS_YES)
    return "\n".join(paragraphs)


def _show_step(step: Step, outcome: Outcome) -> str:
    """The call with its documents, the policy as the document it is rather than as text within text."""
    head = f"[{outcome}] {step.operation}: {step.purpose}"
    if outcome is Outcome.DONE:
        return head
    arguments = dict(step.arguments)
    if "Policy" in arguments:
        arguments["Policy"] = json.loads(arguments["Policy"])
    return f"{head}\n{json.dumps(arguments, indent=2, default=str)}"
