"""SSIMULACRA2 of what contenders made, by a judge in an interpreter of its own."""

from __future__ import annotations

import json
import statistics
import subprocess
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.contenders import BENCH_VENV, PEERS


class JudgeProcess:
    """A program of the peers' folder in an interpreter of its own, asked and answering by lines."""

    def __init__(self, program: str) -> None:
        command = [BENCH_VENV / "bin" / "python", PEERS / program]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(60)


class Judge(JudgeProcess):
    """The running judge; a megapixel takes it about two seconds."""

    def __init__(self) -> None:
        super().__init__("judge.py")

    def mean_scores(self, photo: Path, folder: Path) -> dict[str, float]:
        """The mean score of the folder's files, by format (the files' suffix)."""
        scores = self._scores(photo, folder.iterdir())
        formats = {path.suffix.removeprefix(".") for path in scores}
        return {
            name: statistics.mean(score for path, score in scores.items() if path.suffix == f".{name}")
            for name in sorted(formats)
        }

    def _scores(self, photo: Path, files: Iterable[Path]) -> dict[Path, float]:
        assert self._process.stdin
        assert self._process.stdout
        request = {"photo": str(photo.resolve()), "files": [str(file.resolve()) for file in files]}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return {Path(file): score for file, score in answer.items()}
