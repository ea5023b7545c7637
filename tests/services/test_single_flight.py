"""Work that many ask for at once is done once."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from app.services.single_flight import SingleFlight


async def test_those_who_ask_at_once_share_one_run() -> None:
    """Two hundred who ask for the same thing get the one result of one run; those who ask later get another one."""
    flight: SingleFlight[int] = SingleFlight()
    runs = 0

    async def work() -> int:
        nonlocal runs
        runs += 1
        await asyncio.sleep(0)
        return runs

    assert await asyncio.gather(*(flight.run("a", work) for _ in range(200))) == [1] * 200
    assert await flight.run("a", work) == 2


async def test_other_names_run_beside_it() -> None:
    """What is asked for under another name is done on its own."""
    flight: SingleFlight[str] = SingleFlight()

    async def work(name: str) -> str:
        await asyncio.sleep(0)
        return name

    outcomes = await asyncio.gather(*(flight.run(name, partial(work, name)) for name in "abc"))
    assert outcomes == ["a", "b", "c"]


async def test_a_failure_is_everyones_and_is_not_kept() -> None:
    """All who waited hear of the failure; the next one to ask tries again."""
    flight: SingleFlight[str] = SingleFlight()

    async def fail() -> str:
        await asyncio.sleep(0)
        raise ValueError("no")

    async def succeed() -> str:
        return "yes"

    outcomes = await asyncio.gather(*(flight.run("a", fail) for _ in range(3)), return_exceptions=True)
    assert [str(outcome) for outcome in outcomes] == ["no"] * 3
    assert await flight.run("a", succeed) == "yes"


async def test_who_goes_away_does_not_stop_the_others() -> None:
    """A client that leaves neither ends the work nor spoils it for those who stay."""
    flight: SingleFlight[str] = SingleFlight()
    may_end = asyncio.Event()

    async def work() -> str:
        await may_end.wait()
        return "done"

    leaving = asyncio.create_task(flight.run("a", work))
    staying = asyncio.create_task(flight.run("a", work))
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    may_end.set()
    assert await staying == "done"
