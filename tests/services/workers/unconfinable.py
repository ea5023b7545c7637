"""A fork server's entry on a system that lacks a measure which strict confinement wants."""

from __future__ import annotations

from typing import Any

from app.core.exceptions import SandboxUnavailable
from app.services.decoder import fork_server


def main(argument: str) -> None:
    """Runs the fork server, whose workers cannot be confined as asked."""
    vars(fork_server)["confine_worker"] = _refuse
    fork_server.main(argument)


def _refuse(*_: Any, **__: Any) -> Any:
    raise SandboxUnavailable("SANDBOX=strict, but this system lacks: landlock.")
