"""Pictures that nobody has asked for before, over HTTP: 12 MP photos as WebP of 640 pixels, by us, thumbor and ipx.

    .venv/bin/python -m benchmarks.transforms_over_http [--photos FOLDER] [--rounds 5] [--requests 64] [--no-judge]

Eight clients that keep their connections, services in turn. Every request of the benchmark asks for another pair of
original and quality, from 70 to 90, those nearest to 80 first: of no picture there is a stored result, and none is a
variant of the upload, which are AVIF and JPEG. Our service has to find the image, see that there is no such result,
read what it starts from, make the picture and store it; the peers read the photo from disk and store nothing.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
import statistics
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from PIL import Image

from benchmarks.installation import install_ipx, install_python, install_thumbor
from benchmarks.photos import Scene, find_or_draw
from benchmarks.targets import EQUAL_SCORE, IPX, THUMBOR
from benchmarks.transform_clients import TransformRound, run_round
from benchmarks.transform_quality import match_qualities, report_scores
from benchmarks.transform_services import Picture, TransformService, start_ipx, start_our_service, start_thumbor
from benchmarks.upload_clients import percentile

_SCENES = (
    Scene("drawn_12mp", 4032, 3024, 2),
    Scene("drawn_12mp_second", 4032, 3024, 6),
    Scene("drawn_12mp_third", 4032, 3024, 7),
)
# None at the quality itself: those are judged, so they are stored.
_QUALITY_STEPS = [sign * distance for distance in range(1, 11) for sign in (-1, 1)]
_LEAST_PIXELS, _MOST_PIXELS = 11_500_000, 12_500_000
_UPRIGHT = 1
_ORIENTATION = 0x0112


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--photos", type=Path, help="a folder of JPEGs; those of 12 MP are taken")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=64, help="per round and service")
    parser.add_argument("--images", type=int, default=24, help="originals; photos are used again under other names")
    parser.add_argument("--no-judge", action="store_true", help="everyone at quality 80, unjudged")
    parser.add_argument("--port", type=int, default=18_180)
    arguments = parser.parse_args()
    photos = find_photos(arguments.photos) if arguments.photos else [find_or_draw(scene) for scene in _SCENES]
    if (arguments.rounds + 1) * arguments.requests > arguments.images * len(_QUALITY_STEPS):
        raise SystemExit("there are not so many different pictures: more --images, please")
    install_python()
    install_thumbor()
    install_ipx()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        services = start_services(Path(folder), photos, arguments.images, arguments.port, stack)
        if not arguments.no_judge:
            match_qualities(services, photos)
        results = compare(services, arguments.images, rounds=arguments.rounds, requests=arguments.requests)
        report(results)
        if not arguments.no_judge:
            for gap in report_scores(services, photos):
                print(EQUAL_SCORE.report(gap))


def find_photos(folder: Path) -> list[Path]:
    """The folder's JPEGs of 12 MP that stand upright and have no profile: ipx does not turn, thumbor not convert."""
    found = [path for path in sorted(folder.iterdir()) if path.suffix in {".jpg", ".jpeg"} and _is_fit(path)]
    if not found:
        raise SystemExit(f"no upright JPEG of 12 MP without a profile in {folder}")
    return found


def _is_fit(path: Path) -> bool:
    with Image.open(path) as image:
        is_turned = image.getexif().get(_ORIENTATION, _UPRIGHT) != _UPRIGHT
        is_plain = not is_turned and "icc_profile" not in image.info
        return is_plain and _LEAST_PIXELS <= image.width * image.height <= _MOST_PIXELS


def start_services(
    folder: Path, photos: Sequence[Path], images: int, port: int, stack: ExitStack
) -> list[TransformService]:
    """All of them, with the originals `0.jpg`, `1.jpg` and so on, the photos in turn."""
    originals = folder / "originals"
    originals.mkdir()
    files = [originals / f"{number}.jpg" for number in range(images)]
    for file, photo in zip(files, itertools.cycle(photos), strict=False):
        shutil.copyfile(photo, file)
    services: list[TransformService] = []

    def keep(service: TransformService) -> None:
        stack.callback(service.stop)
        services.append(service)

    keep(start_our_service(folder, port, files))
    keep(start_thumbor(folder, port + 1, originals))
    keep(start_ipx(folder, port + 3, originals, processes=1))
    keep(start_ipx(folder, port + 4, originals, processes=2))
    return services


def all_pictures(images: int) -> Iterator[Picture]:
    """Each once, those nearest to the usual quality first."""
    return (Picture(original, steps) for steps in _QUALITY_STEPS for original in range(images))


def compare(
    services: Sequence[TransformService], images: int, *, rounds: int, requests: int
) -> dict[str, list[TransformRound]]:
    """Rounds that begin with another service each, after one that warms everyone up; all are asked the same."""
    results: dict[str, list[TransformRound]] = {service.name: [] for service in services}
    pictures = all_pictures(images)
    for number in range(rounds + 1):
        asked = list(itertools.islice(pictures, requests))
        start_at = number % len(services)
        for service in [*services[start_at:], *services[:start_at]]:
            done = run_round(service, asked)
            if number:
                results[service.name].append(done)
    return results


def report(results: Mapping[str, Sequence[TransformRound]]) -> None:
    for name, rounds in results.items():
        latencies = [latency for done in rounds for latency in done.latencies_seconds]
        rate = statistics.median(done.pictures_per_second for done in rounds)
        cpu, serving, store = (
            statistics.median(getattr(done, f"{part}cpu_seconds") / done.pictures for done in rounds) * 1000
            for part in ("", "serving_", "store_")
        )
        size = statistics.mean(done.mean_bytes for done in rounds)
        print(
            f"{name:<10}{rate:7.2f} pictures/s  {cpu:6.1f} ms CPU per picture, {serving:.1f} of them where it listens, "
            f"and {store:.1f} of its store  p50 {percentile(latencies, 50) * 1000:.0f} ms  "
            f"p99 {percentile(latencies, 99) * 1000:.0f} ms  {size:,.0f} bytes"
        )
    print()
    print(THUMBOR.report(_ahead(results, "thumbor")))
    print(IPX.report(min(_ahead(results, name) for name in results if name.startswith("ipx"))))
    for name in results:
        if name != "ours":
            print(f"      (CPU per picture, store included: {name} {_cpu_ratio(results, name):.2f} x ours)")


def _ahead(results: Mapping[str, Sequence[TransformRound]], peer: str) -> float:
    """Pictures per second of ours over the peer's, the median of the rounds."""
    pairs = zip(results["ours"], results[peer], strict=True)
    return statistics.median(ours.pictures_per_second / theirs.pictures_per_second for ours, theirs in pairs)


def _cpu_ratio(results: Mapping[str, Sequence[TransformRound]], peer: str) -> float:
    """Unlike the rate it hardly depends on what else the machine does."""
    pairs = zip(results["ours"], results[peer], strict=True)
    return statistics.median(theirs.whole_cpu_seconds / ours.whole_cpu_seconds for ours, theirs in pairs)


if __name__ == "__main__":
    main()
