"""The engine beside its peers and the codecs alone: CPU, memory, bytes and SSIMULACRA2, in one interleaved run.

.venv/bin/python -m benchmarks.engine [photo ...] [--rounds 7] [--parts same default whole confinement memory] [--judge]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import targets
from benchmarks.comparison import Entry, Runs, compare, geometric_ratio, peak_memory, sizes_of
from benchmarks.contenders import Job
from benchmarks.installation import install_node, install_python
from benchmarks.judging import Judge
from benchmarks.matched_quality import MatchedQuality
from benchmarks.photos import SCENES, SMALL_SCENE, find_or_draw

MEGABYTE = 1e6
OURS = ("ours", "ours_confined")
CODECS = ("codecs", "codecs_shrunk")
PEERS = ("sharp_usual", "sharp_cascade", "careful_pillow", "naive_pillow")
# Without a target, to place the others.
OTHERS = ("tuned_pillow", "pillow_per_width", "naive_pyvips")
SAME_WORK = OURS + CODECS + PEERS + OTHERS
FORMATS = {"jpeg": 80, "webp": 80}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("photos", nargs="*", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--part", action="append", choices=PARTS, help="all of them if none is named")
    parser.add_argument("--judge", action="store_true", help="score the outputs with SSIMULACRA2: minutes per photo")
    arguments = parser.parse_args()
    install_node()
    install_python()
    photos = arguments.photos or [find_or_draw(scene) for scene in SCENES]
    for part in arguments.part or PARTS:
        PARTS[part](photos, arguments)


def measure_same_work(photos: Sequence[Path], arguments: argparse.Namespace) -> None:
    """Four widths in JPEG quality 80 and WebP quality 80 method 4, by everyone; ours at the score of that JPEG."""
    print("\n## The same work: JPEG q 80 and WebP q 80 method 4 in the default widths")
    all_runs: list[Runs] = []
    with tempfile.TemporaryDirectory() as scratch, MatchedQuality(is_judged=arguments.judge) as matched:
        for photo in photos:
            sizes = sizes_of(photo)
            job, our_formats = Job(photo, sizes, FORMATS), {"jpeg": matched.jpeg_quality(photo, sizes), "webp": 80}
            entries = [Entry(name, name, Job(photo, sizes, our_formats)) for name in OURS]
            entries += [Entry(name, name, job) for name in SAME_WORK if name not in OURS]
            runs = compare(entries, rounds=arguments.rounds, save_to=Path(scratch) / photo.stem)
            print(f"{'':<32}ours with {our_formats}")
            report_runs(runs)
            all_runs.append(runs)
        print()
        print(targets.CODECS.report(geometric_ratio(all_runs, "ours", "codecs")))
        stricter = geometric_ratio(all_runs, "ours", "codecs_shrunk")
        print(f"      (over the codecs with shrink-on-load: {stricter:.2f} x)")
        for name, target in targets.PEERS.items():
            print(target.report(geometric_ratio(all_runs, name, "ours")))
        for name in OTHERS:
            print(f"      (ahead of {name}: {geometric_ratio(all_runs, name, 'ours'):.2f} x)")
        if arguments.judge:
            judge_same_work(photos, Path(scratch))


def judge_same_work(photos: Sequence[Path], scratch: Path) -> None:
    """Scores of everyone's files; ours must not be below the best peer's by more than a point."""
    names = ("ours", *PEERS, *OTHERS)
    gaps: list[float] = []
    with Judge() as judge:
        for photo in photos:
            scores = {name: judge.mean_scores(photo, scratch / photo.stem / name) for name in names}
            for name in names:
                print(f"{photo.stem:<32}{name:<16}" + "  ".join(f"{k} {v:6.2f}" for k, v in scores[name].items()))
            gaps += [max(scores[name][each] for name in names) - scores["ours"][each] for each in FORMATS]
    print(targets.SCORE_GAP.report(max(gaps)))


def measure_default_formats(photos: Sequence[Path], arguments: argparse.Namespace) -> None:
    """AVIF and JPEG against WebP method 4 and JPEG, both by the engine, AVIF at the score of that WebP."""
    print("\n## The default formats, AVIF and JPEG, over WebP method 4 and JPEG")
    all_runs: list[Runs] = []
    byte_ratios: list[float] = []
    with MatchedQuality(is_judged=arguments.judge) as matched:
        for photo in photos:
            sizes = sizes_of(photo)
            quality = matched.avif_quality(photo, sizes)
            entries = [
                Entry("webp_jpeg", "ours", Job(photo, sizes, FORMATS)),
                Entry("avif_jpeg", "ours", Job(photo, sizes, {"jpeg": 80, "avif": quality})),
            ]
            runs = compare(entries, rounds=arguments.rounds)
            report_runs(runs)
            byte_ratios.append(format_bytes(runs, "avif_jpeg", "avif") / format_bytes(runs, "webp_jpeg", "webp"))
            print(f"{'':<32}AVIF at quality {quality}: {byte_ratios[-1]:.3f} x the bytes of WebP")
            all_runs.append(runs)
    print(targets.DEFAULT_CPU.report(geometric_ratio(all_runs, "avif_jpeg", "webp_jpeg")))
    print(targets.DEFAULT_BYTES.report(statistics.geometric_mean(byte_ratios)))


def format_bytes(runs: Runs, label: str, suffix: str) -> int:
    """Bytes of all files of one format."""
    files = runs.by_label[label][-1].renditions
    return sum(size for name, size in files.items() if name.endswith(f".{suffix}"))


def measure_whole_upload(photos: Sequence[Path], arguments: argparse.Namespace) -> None:
    """Original, widths, presets, placeholders and quality auto, over the decode, the resizes and the encodes chosen."""
    print("\n## The whole upload at default settings, over its codecs and resampling")
    all_runs: list[Runs] = []
    for photo in photos:
        job = Job(photo, sizes_of(photo), options={"default": True})
        all_runs.append(compare([Entry(name, name, job) for name in ("ours", "whole_limit")], rounds=arguments.rounds))
        report_runs(all_runs[-1])
    print(targets.WHOLE_UPLOAD.report(geometric_ratio(all_runs, "ours", "whole_limit")))


def measure_confinement(_: Sequence[Path], arguments: argparse.Namespace) -> None:
    """The same pictures through `render_picture` here and through a confined worker."""
    print("\n## Confinement, at default settings")
    large, small = (find_or_draw(scene) for scene in (SCENES[1], SMALL_SCENE))
    runs = [compare_confined(large, rounds=arguments.rounds), compare_confined(small, rounds=arguments.rounds * 5)]
    for each in runs:
        report_runs(each)
    print(targets.CONFINED_LARGE.report((paired_wall_ratio(runs[0]) - 1) * 100))
    print(targets.CONFINED_LARGE_CPU.report((runs[0].ratio("ours_confined", "ours") - 1) * 100))
    print(targets.CONFINED_SMALL.report((runs[1].wall_seconds("ours_confined") - runs[1].wall_seconds("ours")) * 1000))
    print(
        targets.CONFINED_SMALL_CPU.report((runs[1].cpu_seconds("ours_confined") - runs[1].cpu_seconds("ours")) * 1000)
    )


def compare_confined(photo: Path, *, rounds: int) -> Runs:
    job = Job(photo, sizes_of(photo), options={"default": True})
    return compare([Entry(name, name, job) for name in ("ours", "ours_confined")], rounds=rounds)


def paired_wall_ratio(runs: Runs) -> float:
    pairs = zip(runs.by_label["ours_confined"], runs.by_label["ours"], strict=True)
    return statistics.median(one.wall_seconds / other.wall_seconds for one, other in pairs)


def measure_memory(photos: Sequence[Path], _: argparse.Namespace) -> None:
    """Peak over idle for the same work; ours in its worker."""
    print("\n## Peak memory over idle, MB, for the same work")
    small = find_or_draw(SMALL_SCENE)
    small_job = Job(small, sizes_of(small), FORMATS)
    names = [*OURS, *PEERS, *OTHERS]
    scenes = {find_or_draw(SCENES[1]): targets.MEMORY_12MP, find_or_draw(SCENES[3]): targets.MEMORY_48MP}
    for photo in dict.fromkeys([*scenes, *photos]):
        job = Job(photo, sizes_of(photo), FORMATS)
        peaks = {name: peak_memory(Entry(name, name, job), small=small_job) / MEGABYTE for name in names}
        default = Job(photo, sizes_of(photo), options={"default": True})
        peaks["ours_confined, defaults"] = peak_memory(Entry("", "ours_confined", default), small=small_job) / MEGABYTE
        print(f"{photo.stem:<32}" + "  ".join(f"{name} {peak:.0f}" for name, peak in peaks.items()))
        if photo in scenes:
            print(scenes[photo].report(peaks["ours_confined"]))


def report_runs(runs: Runs) -> None:
    """A line per contender: medians of one photo."""
    for label in runs.by_label:
        cpu, wall = runs.cpu_seconds(label) * 1000, runs.wall_seconds(label) * 1000
        print(f"{runs.photo.stem:<32}{label:<16}{cpu:8.1f} ms CPU{wall:9.1f} ms{runs.total_bytes(label):12,} bytes")


PARTS: dict[str, Callable[[Sequence[Path], argparse.Namespace], None]] = {
    "same": measure_same_work,
    "default": measure_default_formats,
    "whole": measure_whole_upload,
    "confinement": measure_confinement,
    "memory": measure_memory,
}

if __name__ == "__main__":
    main()
