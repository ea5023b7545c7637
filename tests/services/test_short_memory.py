"""A memory that forgets in time, and never grows beyond its size."""

from __future__ import annotations

from app.services.short_memory import ShortMemory


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_value_is_known_for_its_time_and_not_longer() -> None:
    """What was told is known until its seconds are over."""
    clock = Clock()
    memory: ShortMemory[str] = ShortMemory(size=3, seconds=2, clock=clock)
    memory.tell("a", "first")
    clock.now += 1.9
    assert memory.find("a") == "first"
    clock.now += 0.2
    assert memory.find("a") is None


def test_the_longest_unused_goes_first() -> None:
    """With more values than there is room for, those that nobody asked for go."""
    memory: ShortMemory[int] = ShortMemory(size=2, seconds=60)
    memory.tell("a", 1)
    memory.tell("b", 2)
    memory.find("a")
    memory.tell("c", 3)
    assert [memory.find(name) for name in "abc"] == [1, None, 3]


def test_what_is_forgotten_is_not_known() -> None:
    """Forgetting is at once, and forgetting what was never told is nothing."""
    memory: ShortMemory[int] = ShortMemory(size=2, seconds=60)
    memory.tell("a", 1)
    memory.forget("a")
    memory.forget("b")
    assert memory.find("a") is None


def test_a_memory_of_no_time_knows_nothing() -> None:
    """Zero seconds turn it off."""
    memory: ShortMemory[int] = ShortMemory(size=2, seconds=0)
    memory.tell("a", 1)
    assert memory.find("a") is None
