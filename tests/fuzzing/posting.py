"""Posts files at a running service, some at a time, and keeps what came of each."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

CLIENTS = 4
# Reasons about the picture; anything else would be a fault of the service.
REFUSALS = frozenset(
    {
        "IMAGE_CORRUPT",
        "IMAGE_EMPTY",
        "IMAGE_FORMAT_UNSUPPORTED",
        "IMAGE_TOO_COMPLEX",
        "IMAGE_TOO_LARGE",
        "IMAGE_TOO_MANY_FRAMES",
        "IMAGE_TOO_MANY_PIXELS",
        "IMAGE_TRUNCATED",
    }
)
MOST_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Answered:
    """What the service said to one file; `code` is None where it was stored."""

    name: str
    status: int
    code: str | None
    seconds: float

    @property
    def is_stored(self) -> bool:
        return self.status == 201


@dataclass(slots=True)
class Round:
    """All answers of one round of posting."""

    answers: list[Answered] = field(default_factory=list)

    @property
    def faults(self) -> list[Answered]:
        """Answers that no file may get: errors of the service, codes that are not about the picture, long waits."""
        return [
            answer
            for answer in self.answers
            if answer.seconds > MOST_SECONDS
            or not (answer.is_stored or (400 <= answer.status < 500 and answer.code in REFUSALS))
        ]

    @property
    def stored(self) -> list[Answered]:
        return [answer for answer in self.answers if answer.is_stored]

    @property
    def codes(self) -> Counter[str]:
        return Counter(answer.code or "stored" for answer in self.answers)


def post_all(url: str, files: Iterable[tuple[str, bytes]]) -> Round:
    """Every file posted once, `CLIENTS` at a time."""
    with httpx2.Client(timeout=60) as client, ThreadPoolExecutor(CLIENTS) as threads:
        return Round(list(threads.map(lambda file: _post(client, url, *file), files)))


def _post(client: httpx2.Client, url: str, name: str, content: bytes) -> Answered:
    started = time.monotonic()
    answer = client.post(
        f"{url}/api/v1/images",
        files={"file": ("picture", content, "application/octet-stream")},
        data={"image_type": "user", "user_id": "1"},
    )
    code = None if answer.status_code == 201 else str(answer.json().get("code"))
    return Answered(name, answer.status_code, code, time.monotonic() - started)


def resident_bytes(process_id: int) -> int:
    """The memory that a process has in RAM."""
    status = Path(f"/proc/{process_id}/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024
