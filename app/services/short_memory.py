"""A bounded memory of what was true a moment ago."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class ShortMemory(Generic[Value]):
    """Up to `size` values, each for `seconds` from when it was told; the longest unused ones go first. Thread-safe."""

    def __init__(self, *, size: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: OrderedDict[Hashable, tuple[float, Value]] = OrderedDict()

    def find(self, name: Hashable) -> Value | None:
        """The value, or None where it is not known any more."""
        with self._lock:
            entry = self._entries.get(name)
            if entry is None:
                return None
            if entry[0] <= self._clock():
                del self._entries[name]
                return None
            self._entries.move_to_end(name)
            return entry[1]

    def tell(self, name: Hashable, value: Value) -> None:
        """Remembers the value from now on."""
        if self._seconds <= 0:
            return
        with self._lock:
            self._entries[name] = self._clock() + self._seconds, value
            self._entries.move_to_end(name)
            while len(self._entries) > self._size:
                self._entries.popitem(last=False)

    def forget(self, name: Hashable) -> None:
        """It is not true any more."""
        with self._lock:
            self._entries.pop(name, None)

    def forget_where(self, is_meant: Callable[[Hashable], bool]) -> None:
        """None of these is true any more."""
        with self._lock:
            for name in [name for name in self._entries if is_meant(name)]:
                del self._entries[name]
