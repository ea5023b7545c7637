"""Files made to do harm, posted at a real service."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.entrypoints.cli.program import Serving, serving
from tests.fuzzing.posting import post_all, resident_bytes
from tests.hostile_pictures import hostile_pictures

GROWTH_BYTES = 50 * 1024 * 1024


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with serving(tmp_path_factory.mktemp("hostile")) as running:
        yield running


@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory of processes in /proc, as Linux has it")
def test_hostile_files_harm_nobody(service: Serving) -> None:
    """Bombs, lies and mazes get the answer that is meant for each, in time, and the service does not grow."""
    files = {picture.name: picture for picture in hostile_pictures()}
    post_all(service.url, [(name, picture.make()) for name, picture in list(files.items())[:8]])
    before = resident_bytes(service.process.pid)
    outcome = post_all(service.url, ((name, picture.make()) for name, picture in files.items()))
    assert outcome.faults == []
    assert [
        (answer.name, answer.code)
        for answer in outcome.answers
        if (answer.code or "rendered") not in files[answer.name].outcomes
    ] == []
    assert resident_bytes(service.process.pid) - before < GROWTH_BYTES
