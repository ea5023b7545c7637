"""Places for work: as many at once as there are, in their order, and nobody waits long for nothing."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from app.core.exceptions import ProcessingOverloaded
from app.services.slots import Slots


async def work(slots: Slots, seconds: float = 0.0) -> float:
    async with slots.hold() as waited_seconds:
        await asyncio.sleep(seconds)
    return waited_seconds


async def busy(slots: Slots, seconds: float = 30) -> asyncio.Task[float]:
    """Somebody who has a place."""
    task = asyncio.create_task(work(slots, seconds))
    await asyncio.sleep(0)
    return task


async def test_as_many_as_there_are() -> None:
    """No more than `count` work at once."""
    slots, at_once, most = Slots(3), 0, 0

    async def count() -> None:
        nonlocal at_once, most
        async with slots.hold():
            at_once += 1
            most = max(most, at_once)
            await asyncio.sleep(0)
            at_once -= 1

    await asyncio.gather(*(count() for _ in range(20)))
    assert most == 3


async def test_in_their_order() -> None:
    """Who came first is served first, and is told how long it waited."""
    slots, served = Slots(1), []

    async def serve(number: int) -> None:
        async with slots.hold() as waited_seconds:
            served.append(number)
            assert (waited_seconds > 0) is (number > 0)
            await asyncio.sleep(0)

    await asyncio.gather(*(serve(number) for number in range(6)))
    assert served == list(range(6))


async def test_waited_too_long() -> None:
    """Who has waited as long as anyone may is refused, and the place goes to the next one as before."""
    slots = Slots(1, max_wait_seconds=0.1)
    holder = await busy(slots, 0.3)
    started_at = time.monotonic()
    with pytest.raises(ProcessingOverloaded):
        await work(slots)
    assert 0.05 < time.monotonic() - started_at < 0.25
    await holder
    assert await work(slots) == 0.0


async def test_would_wait_too_long() -> None:
    """Where the last ones took so long that a newcomer's turn would come too late, it is refused at once."""
    slots = Slots(1, max_wait_seconds=1)
    for _ in range(5):
        await work(slots, 0.2)
    holder = await busy(slots)
    waiting: list[asyncio.Task[float]] = []
    with pytest.raises(ProcessingOverloaded):  # noqa: PT012 - the last of several is refused
        while True:
            slots.check_room()
            waiting.append(asyncio.create_task(work(slots)))
            await asyncio.sleep(0)
    assert 1 <= len(waiting) <= 5
    started_at = time.monotonic()
    with pytest.raises(ProcessingOverloaded):
        await work(slots)
    assert time.monotonic() - started_at < 0.2
    holder.cancel()
    await asyncio.gather(*waiting)
    slots.check_room()


async def test_the_last_are_sent_away_when_it_turns_out_slow() -> None:
    """Who was let in to wait while work went quickly is told as soon as it no longer does, the last ones first."""
    slots = Slots(1, max_wait_seconds=1)
    turns = [asyncio.create_task(work(slots, 0.1)) for _ in range(20)]
    await asyncio.sleep(0.05)
    assert not any(task.done() for task in turns), "all were let in to wait"
    done, _ = await asyncio.wait(turns, timeout=0.75)
    refused = [task for task in done if task.exception()]
    assert turns[-1] in refused
    assert turns[0] not in refused
    await asyncio.gather(*turns, return_exceptions=True)


@pytest.mark.parametrize("seconds_before", [0.0, 0.05])
async def test_cancelled(seconds_before: float) -> None:
    """Who gives up, while waiting or just as its turn comes, takes no place with it."""
    slots = Slots(1)
    holder = await busy(slots, seconds_before)
    waiting = [asyncio.create_task(work(slots)) for _ in range(3)]
    await asyncio.sleep(0)
    await asyncio.sleep(seconds_before)
    waiting[0].cancel()
    await holder
    assert isinstance((await asyncio.gather(*waiting, return_exceptions=True))[2], float)
    assert await work(slots) == 0.0


async def test_cancelled_and_refused_at_once() -> None:
    """Who is sent away and gives up in the same moment leaves no place behind that is not there."""
    slots = Slots(1, max_wait_seconds=0.2)
    slots._took_seconds.extend([0.001] * 15)
    holder = await busy(slots, 0.01)
    waiting = [asyncio.create_task(work(slots)) for _ in range(10)]
    await asyncio.sleep(0)
    slots._took_seconds.extend([0.1] * 15)
    await holder
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert slots._free == 1


async def test_an_event_loop_that_has_gone() -> None:
    """A waiter whose event loop was closed without a word is passed over."""
    slots = Slots(1)
    holder = await busy(slots)
    loop = asyncio.new_event_loop()
    asking = loop.create_task(work(slots))
    await asyncio.to_thread(loop.run_until_complete, asyncio.sleep(0.01))
    loop.close()
    holder.cancel()
    await asyncio.wait({holder})
    assert await work(slots) == 0.0
    # Its loop cannot end it any more.
    asking._log_destroy_pending = False  # type: ignore[attr-defined]


def test_any_number_of_event_loops() -> None:
    """The bound holds for all event loops together, and nobody is forgotten on any of them."""
    slots, at_once, most, lock = Slots(2), 0, 0, threading.Lock()

    async def count() -> None:
        nonlocal at_once, most
        async with slots.hold():
            with lock:
                at_once += 1
                most = max(most, at_once)
            await asyncio.sleep(0.001)
            with lock:
                at_once -= 1

    async def several() -> None:
        await asyncio.gather(*(count() for _ in range(20)))

    threads = [threading.Thread(target=lambda: asyncio.run(several())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert (most, slots._free) == (2, 2)


async def test_a_forked_child_begins_anew() -> None:
    """Places that were taken in the parent are free in a child, where their holders are not."""
    slots = Slots(1)
    holder = await busy(slots, 0.05)
    slots.begin_anew()
    assert await work(slots) == 0.0
    await holder
