"""The qualities at which the engine's files score as high in SSIMULACRA2 as those they are compared with, per photo."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack, closing
from pathlib import Path
from types import TracebackType

from benchmarks.contenders import Job, start
from benchmarks.judging import Judge

# What photos came to when judged; used where nobody judges.
USUAL_QUALITIES = {"jpeg": 84, "avif": 62}
_LOWEST, _HIGHEST = 35, 95


class MatchedQuality:
    """Renders with the engine and judges, in about six steps per photo; the usual quality when not judged."""

    def __init__(self, *, is_judged: bool) -> None:
        self._stack = ExitStack()
        self._judge = self._stack.enter_context(Judge()) if is_judged else None

    def __enter__(self) -> MatchedQuality:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def jpeg_quality(self, photo: Path, sizes: tuple[tuple[int, int], ...]) -> int:
        """The engine's own quantisation tables count differently: its quality for libjpeg's quality 80."""
        return self._match("jpeg", Job(photo, sizes, {"jpeg": 80}), reference="codecs", reference_format="jpeg")

    def avif_quality(self, photo: Path, sizes: tuple[tuple[int, int], ...]) -> int:
        """The quality for that of WebP at quality 80."""
        return self._match("avif", Job(photo, sizes, {"webp": 80}), reference="ours", reference_format="webp")

    def _match(self, name: str, job: Job, *, reference: str, reference_format: str) -> int:
        """The lowest quality whose mean score over the sizes is not below that of the reference."""
        if self._judge is None:
            return USUAL_QUALITIES[name]
        wanted = self._score(reference, job, reference_format)
        low, high = _LOWEST, _HIGHEST
        while low < high:
            middle = (low + high) // 2
            if self._score("ours", Job(job.photo, job.sizes, {name: middle}), name) >= wanted:
                high = middle
            else:
                low = middle + 1
        return low

    def _score(self, contender_name: str, job: Job, name: str) -> float:
        assert self._judge
        with tempfile.TemporaryDirectory() as folder, closing(start(contender_name)) as contender:
            contender.prepare(job)
            contender.run()
            contender.save(Path(folder))
            for file in Path(folder).iterdir():
                if file.suffix != f".{name}":
                    file.unlink()
            return self._judge.mean_scores(job.photo, Path(folder))[name]
