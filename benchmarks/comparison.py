"""Contenders side by side: every round each renders the same photo, in turn; ratios are taken within a round."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from benchmarks.contenders import Job, Measurement, start

WIDTHS = (1920, 1280, 640, 320)
_WARM_UPS = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """A contender with what it is asked for; `label` names it in reports."""

    label: str
    contender: str
    job: Job


@dataclass(frozen=True, slots=True)
class Runs:
    """All runs of one photo, by label; the n-th of each label belong to one round."""

    photo: Path
    by_label: Mapping[str, Sequence[Measurement]]

    def cpu_seconds(self, label: str) -> float:
        return statistics.median(run.cpu_seconds for run in self.by_label[label])

    def wall_seconds(self, label: str) -> float:
        return statistics.median(run.wall_seconds for run in self.by_label[label])

    def total_bytes(self, label: str) -> int:
        return self.by_label[label][-1].total_bytes

    def ratio(self, label: str, base: str) -> float:
        """CPU of one over CPU of another: the median of the rounds' ratios."""
        pairs = zip(self.by_label[label], self.by_label[base], strict=True)
        return statistics.median(one.cpu_seconds / other.cpu_seconds for one, other in pairs)


def geometric_ratio(all_runs: Sequence[Runs], label: str, base: str) -> float:
    """The geometric mean of the photos' ratios."""
    return statistics.geometric_mean(runs.ratio(label, base) for runs in all_runs)


def sizes_of(photo: Path) -> tuple[tuple[int, int], ...]:
    """The default widths that the upright photo can fill, with their heights; its own size where it fills none."""
    with Image.open(photo) as image:
        turned = image.getexif().get(0x0112, 1) >= 5
        width, height = image.size[::-1] if turned else image.size
    fitting = [wanted for wanted in WIDTHS if wanted <= width] or [width]
    return tuple((wanted, max(1, round(height * wanted / width))) for wanted in fitting)


def compare(entries: Sequence[Entry], *, rounds: int, save_to: Path | None = None) -> Runs:
    """The entries' runs, interleaved; the last renditions of each are written below `save_to/<label>`.

    Each entry has a process of its own, so that no run inherits another's caches or heap.
    """
    by_label: dict[str, list[Measurement]] = {entry.label: [] for entry in entries}
    with ExitStack() as stack:
        processes = {}
        for entry in entries:
            process = stack.enter_context(closing(start(entry.contender)))
            process.prepare(entry.job)
            processes[entry.label] = process
        for each in range(_WARM_UPS + rounds):
            for entry in _rotated(entries, each):
                measurement = processes[entry.label].run()
                if each >= _WARM_UPS:
                    by_label[entry.label].append(measurement)
        if save_to:
            for label, process in processes.items():
                process.save(save_to / label)
    return Runs(entries[0].job.photo, by_label)


def peak_memory(entry: Entry, *, small: Job) -> int:
    """Bytes: the most that a run takes over what an idle contender holds that has rendered a small picture."""
    contender = start(entry.contender)
    with closing(contender):
        contender.prepare(small)
        contender.run()
        contender.prepare(entry.job)
        return contender.peak_over_idle()


def _rotated(entries: Sequence[Entry], by: int) -> list[Entry]:
    """Another first one each round, so that nobody always runs after the same neighbour."""
    start_at = by % len(entries)
    return [*entries[start_at:], *entries[:start_at]]
