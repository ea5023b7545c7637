"""Files of every kind posted at a real service: valid ones, cut ones, mutated ones."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.entrypoints.cli.program import Serving, serving
from tests.fuzzing.mutations import cut, mutate
from tests.fuzzing.posting import Round, post_all, resident_bytes
from tests.fuzzing.seeds import valid_pictures

SEED = int(os.environ.get("FUZZ_SEED", "1"))
LONG_INPUTS = int(os.environ.get("FUZZ_INPUTS", "20000"))
GROWTH_BYTES = 50 * 1024 * 1024
# A picture of these formats that was cut anywhere has lost pixels.
ALWAYS_REFUSED_WHEN_CUT = ("png", "webp", "avif", "heic", "gif")

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads the memory of processes in /proc, as Linux has it")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with serving(tmp_path_factory.mktemp("fuzzing")) as running:
        yield running


@pytest.fixture(scope="module")
def valid_round(service: Serving) -> Round:
    return post_all(service.url, valid_pictures().items())


def test_valid_pictures_are_accepted(valid_round: Round) -> None:
    """A valid picture in any accepted format and coding is stored."""
    assert [(answer.name, answer.code) for answer in valid_round.answers if not answer.is_stored] == []


def test_cut_pictures_are_refused(service: Serving) -> None:
    """A file cut short anywhere is refused with a documented code, unless all its pixels are there."""
    draw = random.Random(SEED)
    files = [(name, cut(content, draw)) for name, content in valid_pictures().items() for _ in range(2)]
    outcome = post_all(service.url, files)
    assert outcome.faults == []
    assert [answer.name for answer in outcome.stored if answer.name.startswith(ALWAYS_REFUSED_WHEN_CUT)] == []


@on_linux
def test_mutated_pictures_harm_nobody(service: Serving, valid_round: Round) -> None:
    """Broken files are stored or refused with a documented code, in time; the service stays up and does not grow."""
    outcome = _post_mutants(service, inputs=250, seed=SEED)
    assert outcome.faults == []
    assert post_all(service.url, valid_pictures().items()).codes == valid_round.codes


@on_linux
@pytest.mark.soak
@pytest.mark.timeout(6 * 3600)
def test_many_mutated_pictures_harm_nobody(service: Serving, valid_round: Round) -> None:
    """The same with tens of thousands of files (`FUZZ_INPUTS`, `FUZZ_SEED`)."""
    before = resident_bytes(service.process.pid)
    outcome = _post_mutants(service, inputs=LONG_INPUTS, seed=SEED)
    Path("fuzzing-codes.txt").write_text(f"{outcome.codes}\n", encoding="ascii")
    print(outcome.codes, "growth", resident_bytes(service.process.pid) - before)
    assert outcome.faults == []
    assert resident_bytes(service.process.pid) - before < GROWTH_BYTES


def _post_mutants(service: Serving, *, inputs: int, seed: int) -> Round:
    draw = random.Random(seed)
    seeds = list(valid_pictures(seed).items())

    def broken() -> Iterator[tuple[str, bytes]]:
        for _ in range(inputs):
            name, content = draw.choice(seeds)
            yield name, cut(content, draw) if draw.random() < 0.2 else mutate(content, draw)

    return post_all(service.url, broken())
