"""A server of recorded answers, for the tests of S3 errors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.fault_proxy import FaultProxy

if TYPE_CHECKING:
    pass


@pytest.fixture(scope="module")
def recorder() -> Iterator[FaultProxy]:
    """A server that gives the answers it is told to give."""
    with FaultProxy() as proxy:
        yield proxy
