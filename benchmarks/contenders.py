"""Contenders as processes of their own: told over standard input what to render, and measured from outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.services.decoder import fork_server_client
from benchmarks.process_tree import (
    peak_resident_bytes,
    processes_of,
    reset_peak,
    resident_bytes,
    tree_cpu_seconds,
)

PROJECT = Path(__file__).parents[1]
BENCH_VENV = PROJECT / "build" / "bench-venv"
BENCH_NODE = PROJECT / "build" / "bench-node"
THUMBOR_VENV = PROJECT / "build" / "bench-thumbor"
IPX_NODE = PROJECT / "build" / "bench-ipx"
PEERS = Path(__file__).parent / "peers"
# What confined workers run with: in an ordinary process the engine gets the same allocator and as few threads.
WORKER_ENVIRONMENT = fork_server_client._ENVIRONMENT


@dataclass(frozen=True, slots=True)
class Job:
    """The renditions asked for: sizes in pixels, widest first, each in every format at a fixed quality."""

    photo: Path
    sizes: tuple[tuple[int, int], ...]
    formats: Mapping[str, int] = field(default_factory=lambda: {"jpeg": 80, "webp": 80})
    options: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        plain = {"photo": str(self.photo), "sizes": self.sizes, "formats": dict(self.formats)}
        return plain | {"options": dict(self.options)}


@dataclass(frozen=True, slots=True)
class Measurement:
    """One run of one job: what it cost and the bytes of each rendition (`1920.webp`)."""

    cpu_seconds: float
    wall_seconds: float
    renditions: Mapping[str, int]

    @property
    def total_bytes(self) -> int:
        return sum(self.renditions.values())


class Contender:
    """A running contender; it renders one photo at a time."""

    def __init__(self, name: str, command: Sequence[str | Path], environment: Mapping[str, str]) -> None:
        self.name = name
        self._process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | environment,
            cwd=PROJECT,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def prepare(self, job: Job) -> None:
        """Loads what is not measured: the file, and for the codecs alone the pixels."""
        self._ask({"prepare": job.as_json()})

    def run(self) -> Measurement:
        """Renders what was prepared."""
        cpu, wall = tree_cpu_seconds(self.pid), time.perf_counter()
        renditions = self._ask({"run": True})
        wall = time.perf_counter() - wall
        return Measurement(tree_cpu_seconds(self.pid) - cpu, wall, renditions)

    def save(self, folder: Path) -> None:
        """Writes the renditions of the last run as files of the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        self._ask({"save": str(folder)})

    def peak_over_idle(self) -> int:
        """Bytes: how far one run lifts the memory of its hungriest process over what it held before."""
        idle = {pid: resident_bytes(pid) for pid in processes_of(self.pid)}
        for pid in idle:
            reset_peak(pid)
        self._ask({"run": True})
        return max(peak_resident_bytes(pid) - before for pid, before in idle.items())

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(30)

    def _ask(self, request: Mapping[str, Any]) -> dict[str, int]:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit(f"{self.name} has ended")
        decoded: dict[str, int] = json.loads(answer)
        return decoded


def start(name: str) -> Contender:
    """A contender by its name: sharp in Node, the others in Python."""
    if name.startswith("sharp"):
        environment = {"BENCH_NODE": f"{BENCH_NODE}/"}
        return Contender(name, ["node", PEERS / "sharp_contender.mjs", name], environment)
    environment = WORKER_ENVIRONMENT if name in {"ours", "whole_limit"} else {}
    return Contender(name, [sys.executable, "-m", "benchmarks.peers.contender", name], environment)
