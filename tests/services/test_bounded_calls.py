"""Blocking calls with a bound on their time, and what becomes of those that nobody waits for any more."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Iterator

import pytest

from app.services.bounded_calls import BoundedCalls, CallsClosed, current_deadline, fresh_deadline


@pytest.fixture
def calls() -> Iterator[BoundedCalls]:
    calls = BoundedCalls(threads=1, total_seconds=0.3, name="test")
    yield calls
    calls.close()


class Effect:
    """A blocking function that waits for `go`, and what it and its undoing did, in order."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.go = threading.Event()
        self.undone = threading.Event()
        self.history: list[str] = []

    def do(self) -> str:
        self.begun.set()
        assert self.go.wait(10)
        self.history.append("done")
        return "result"

    def fail(self) -> str:
        self.do()
        raise LookupError("failed")

    def undo(self) -> None:
        self.history.append("undone")
        self.undone.set()


async def begun(effect: Effect) -> None:
    assert await asyncio.to_thread(effect.begun.wait, 10)


async def test_result_and_exception(calls: BoundedCalls) -> None:
    """A call gives what its function gives, and raises what it raises."""
    assert await calls.run(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        await calls.run(lambda: 1 // 0)


async def test_success_is_not_undone(calls: BoundedCalls) -> None:
    """What the caller knows of stays."""
    effect = Effect()
    effect.go.set()
    assert await calls.run(effect.do, undo=effect.undo) == "result"
    calls.close()
    assert effect.history == ["done"]


async def test_time_out_while_running(calls: BoundedCalls) -> None:
    """A caller is released in time from a function that hangs; its late success is undone."""
    effect = Effect()
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        await calls.run(effect.do, undo=effect.undo)
    assert time.monotonic() - started < 2
    effect.go.set()
    assert await asyncio.to_thread(effect.undone.wait, 10)
    assert effect.history == ["done", "undone"]


async def test_time_out_while_waiting_for_a_thread(calls: BoundedCalls) -> None:
    """Waiting for a thread counts, and a function whose caller has gone never begins."""
    first, second = Effect(), Effect()
    running = asyncio.create_task(calls.run(first.do))
    await begun(first)
    with pytest.raises(TimeoutError):
        await calls.run(second.do, undo=second.undo)
    with pytest.raises(TimeoutError):
        await running
    first.go.set()
    await asyncio.to_thread(calls.close)
    assert not second.begun.is_set()
    assert second.history == []


async def test_cancelled_while_running(calls: BoundedCalls) -> None:
    """The success of a cancelled call is undone."""
    effect = Effect()
    task = asyncio.create_task(calls.run(effect.do, undo=effect.undo))
    await begun(effect)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    effect.go.set()
    assert await asyncio.to_thread(effect.undone.wait, 10)


async def test_cancelled_just_after_success(calls: BoundedCalls) -> None:
    """A caller that is cancelled between the success and hearing of it knows of nothing, so it is undone."""
    effect = Effect()
    effect.go.set()
    task = asyncio.create_task(calls.run(effect.do, undo=effect.undo))
    await asyncio.sleep(0)
    # Held on purpose: the thread finishes while the event loop cannot hear of it.
    calls.close()
    assert effect.history == ["done"]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(effect.undone.wait, 10)
    assert effect.history == ["done", "undone"]


async def test_cancelled_failure_is_not_undone(calls: BoundedCalls) -> None:
    """What did not happen needs no undoing."""
    effect = Effect()
    task = asyncio.create_task(calls.run(effect.fail, undo=effect.undo))
    await begun(effect)
    task.cancel()
    effect.go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.to_thread(calls.close)
    assert effect.history == ["done"]


async def test_closing_waits_for_the_undoing(calls: BoundedCalls) -> None:
    """A service that stops right after its callers left still takes back what they had begun."""
    effect = Effect()
    task = asyncio.create_task(calls.run(effect.do, undo=effect.undo))
    await begun(effect)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    closing = asyncio.create_task(asyncio.to_thread(calls.close))
    effect.go.set()
    await closing
    assert effect.history == ["done", "undone"]


async def test_closing_is_bounded(calls: BoundedCalls) -> None:
    """A function that hangs delays the end no longer than a call may last."""
    effect = Effect()
    task = asyncio.create_task(calls.run(effect.do))
    await begun(effect)
    started = time.monotonic()
    await asyncio.to_thread(calls.close)
    assert time.monotonic() - started < 2
    effect.go.set()
    with pytest.raises(TimeoutError):
        await task


async def test_no_call_after_closing(calls: BoundedCalls) -> None:
    """A closed pool says so, instead of waiting for ever."""
    calls.close()
    with pytest.raises(CallsClosed):
        await calls.run(lambda: 7)


async def test_waiting_calls_are_served_before_closing(calls: BoundedCalls) -> None:
    """Closing cuts nobody off who is already waiting."""
    first, second = Effect(), Effect()
    tasks = [asyncio.create_task(calls.run(effect.do)) for effect in (first, second)]
    await begun(first)
    closing = asyncio.create_task(asyncio.to_thread(calls.close))
    first.go.set()
    second.go.set()
    assert await asyncio.gather(*tasks) == ["result", "result"]
    await closing


async def test_undoing_that_fails_is_logged(calls: BoundedCalls, caplog: pytest.LogCaptureFixture) -> None:
    """When an effect stays behind, the operator finds it in the log."""
    effect = Effect()

    def undo() -> None:
        effect.undone.set()
        raise ConnectionError("store is gone")

    task = asyncio.create_task(calls.run(effect.do, undo=undo))
    await begun(effect)
    task.cancel()
    effect.go.set()
    with caplog.at_level(logging.ERROR), pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.to_thread(calls.close)
    assert "could not be undone" in caplog.text
    assert "store is gone" in caplog.text


async def test_deadline_is_visible_to_the_function(calls: BoundedCalls) -> None:
    """A function that tries again and again can see that its time is over; its undoing has time of its own."""
    seen: list[bool] = []

    def look() -> None:
        deadline = current_deadline()
        assert deadline is not None
        seen.append(deadline.has_passed)
        time.sleep(0.35)
        seen.append(deadline.has_passed)
        with fresh_deadline(5):
            seen.append(current_deadline() is not deadline)
        seen.append(current_deadline() is deadline)

    with pytest.raises(TimeoutError):
        await calls.run(look)
    await asyncio.to_thread(calls.close)
    assert seen == [False, True, True, True]
    assert current_deadline() is None


def test_event_loop_that_ended_before_its_call(caplog: pytest.LogCaptureFixture) -> None:
    """A program may end its event loop while a function hangs: the late success is undone, without noise."""
    calls = BoundedCalls(threads=1, total_seconds=5, name="test")
    effect = Effect()

    async def leave() -> None:
        task = asyncio.create_task(calls.run(effect.do, undo=effect.undo))
        await begun(effect)
        task.cancel()

    asyncio.run(leave())
    effect.go.set()
    calls.close()
    assert effect.history == ["done", "undone"]
    assert caplog.records == []
