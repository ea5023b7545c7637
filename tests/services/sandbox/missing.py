"""What the system that the tests run on does not have, found out without the code under test."""

from __future__ import annotations

from pathlib import Path

from tests.services.sandbox.cells import ORDINARY_USER, Outside
from tests.services.sandbox.conftest import PrisonOf
from tests.services.sandbox.escapes.raw_calls import raw


def missing_here(user: int | None, prison_of: PrisonOf, outside: Outside) -> set[str]:
    """The measures that this user cannot have here."""
    missing = set()
    if "Seccomp:" not in Path("/proc/self/status").read_text():
        missing.add("seccomp")
    try:
        raw("landlock_create_ruleset", None, 0, 1)
    except OSError:
        missing.add("landlock")

    def can(attempt: str, who: int | None) -> bool:
        return prison_of(user=who, only=()).outcome_of(attempt, outside.target) == "escaped"

    # Root that may not do it itself becomes an ordinary user first.
    if can("be_in_a_network_of_ones_own", user or ORDINARY_USER):
        return missing
    if user is not None or not can("leave_the_network_namespace", user):
        missing.add("no_network")
    if user is not None or not can("change_the_root", user):
        missing.add("empty_root")
    return missing
