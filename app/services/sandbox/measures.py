"""The measures of confinement by name, and what of them a process has reached."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Level = Literal["full", "partial", "limits", "none"]


class Measure(StrEnum):
    """One thing that the kernel is told to refuse a process, on top of the others."""

    RESOURCE_LIMITS = "resource_limits"
    CLOSED_FILES = "closed_files"
    NO_DUMP = "no_dump"
    DIES_WITH_SERVER = "dies_with_server"
    NO_NEW_PRIVILEGES = "no_new_privileges"
    UNPRIVILEGED_USER = "unprivileged_user"
    NO_CAPABILITIES = "no_capabilities"
    NO_NETWORK = "no_network"
    EMPTY_ROOT = "empty_root"
    LANDLOCK = "landlock"
    SECCOMP = "seccomp"


_LIMITS = frozenset({Measure.RESOURCE_LIMITS, Measure.CLOSED_FILES, Measure.NO_DUMP})


@dataclass(frozen=True, slots=True)
class Confinement:
    """Which measures hold for a process, and which do not; each measure is in exactly one of the two."""

    reached: tuple[Measure, ...]
    missing: tuple[Measure, ...]

    @classmethod
    def of(cls, reached: tuple[Measure, ...]) -> Confinement:
        """The confinement of a process that has reached these measures, both parts in the order of `Measure`."""
        return cls(
            tuple(measure for measure in Measure if measure in reached),
            tuple(measure for measure in Measure if measure not in reached),
        )

    @property
    def level(self) -> Level:
        """`full`: nothing is missing; `limits`: only what every Unix has; `partial`: between the two."""
        if not self.missing:
            return "full"
        if not self.reached:
            return "none"
        return "limits" if _LIMITS.issuperset(self.reached) else "partial"

    def describe(self) -> str:
        """One line for a log or a report: the level, and what is missing."""
        return f"{self.level}, without {', '.join(self.missing)}" if self.missing else self.level
