"""Prisons, victims and the world outside, each made once and shared."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.services.sandbox import cells
from tests.services.sandbox.cells import ORDINARY_USER, Outside, Prison, Victim

PrisonOf = Callable[..., Prison]
VictimOf = Callable[[int | None], Victim]

if sys.platform != "linux":
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def _stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture(scope="session")
def _open_folder() -> Iterator[Path]:
    """A folder that everybody can reach, unlike those of pytest."""
    folder = Path(tempfile.mkdtemp(prefix="heaven-sandbox-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def prison_of(_stack: ExitStack, _open_folder: Path) -> PrisonOf:
    """The prison under some `Orders`; the same one again for the same orders, unless it has fallen."""
    prisons: dict[str, Prison] = {}

    def get(**orders: Any) -> Prison:
        name = repr(sorted(orders.items()))
        if name not in prisons or not prisons[name].is_alive:
            folder = Path(tempfile.mkdtemp(dir=_open_folder))
            prisons[name] = _stack.enter_context(cells.prison(folder, **orders))
        return prisons[name]

    return get


@pytest.fixture(scope="session")
def victim_of(_stack: ExitStack) -> VictimOf:
    """A process of a user (None: of whoever runs the tests); another one when it was killed."""
    victims: dict[int | None, Victim] = {}

    def get(user: int | None) -> Victim:
        if user not in victims or not victims[user].is_alive:
            victims[user] = _stack.enter_context(cells.victim(user))
        return victims[user]

    return get


@pytest.fixture(scope="session")
def _outside(_stack: ExitStack, _open_folder: Path) -> Outside:
    return _stack.enter_context(cells.outside(Path(tempfile.mkdtemp(dir=_open_folder))))


@pytest.fixture
def outside(_outside: Outside) -> Outside:
    """The world outside, as new."""
    _outside.tidy()
    return _outside


@pytest.fixture(scope="session", params=["root", "ordinary user"])
def user(request: pytest.FixtureRequest) -> int | None:
    """The user that a service runs as: None for root, else a number."""
    if request.param == "ordinary user":
        return ORDINARY_USER if os.getuid() == 0 else os.getuid()
    if os.getuid() != 0:
        pytest.skip("these tests do not run as root")
    return None
