"""What a Python contender is asked for and gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Work:
    """A photo in memory and the renditions asked for: sizes in pixels, widest first, qualities by format."""

    content: bytes
    sizes: tuple[tuple[int, int], ...]
    formats: Mapping[str, int]
    options: Mapping[str, Any]

    @classmethod
    def from_json(cls, plan: Mapping[str, Any]) -> Work:
        sizes = tuple((width, height) for width, height in plan["sizes"])
        return cls(Path(plan["photo"]).read_bytes(), sizes, plan["formats"], plan["options"])


Renditions = dict[str, bytes]
Prepare = Callable[[Work], Callable[[], Renditions]]
