"""The planted payload: attempts to get out of a confined process, each of which returns when it succeeded."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

from tests.services.sandbox.escapes import file_escapes, kernel_escapes, network_escapes, process_escapes
from tests.services.sandbox.escapes.target import Target

Attempt = Callable[[Target], None]


def _attempts(module: ModuleType) -> dict[str, Attempt]:
    return {
        name: function
        for name, function in vars(module).items()
        if callable(function) and getattr(function, "__module__", "") == module.__name__ and not name.startswith("_")
    }


ATTEMPTS: dict[str, Attempt] = {
    name: attempt
    for module in (file_escapes, network_escapes, process_escapes, kernel_escapes)
    for name, attempt in _attempts(module).items()
}
