"""An embedded store of each test's own, and one that a module shares."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app.services.embedded_s3 import EmbeddedS3

if TYPE_CHECKING:
    pass
from tests.services.embedded_store.processes import end_by_force, wait_for


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder of one test, whose server is ended even where the test fails."""
    root = tmp_path / ".heaven" / "s3"
    yield root
    end_by_force(EmbeddedS3(root))
    wait_for(lambda: EmbeddedS3(root).running_pid is None)


@pytest.fixture
def embedded(folder: Path) -> Iterator[EmbeddedS3]:
    """One use of the folder, for the tests that are not about stopping: ending by force saves a second."""
    use = EmbeddedS3(folder)
    yield use
    end_by_force(use)
    use.stop()


@pytest.fixture(scope="module")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared") / "s3"


@pytest.fixture(scope="module")
def shared(shared_folder: Path) -> Iterator[EmbeddedS3]:
    """One server for the tests that only look at it."""
    embedded = EmbeddedS3(shared_folder)
    embedded.start()
    yield embedded
    embedded.stop()
