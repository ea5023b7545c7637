"""Uploads end to end: four clients over HTTP into the embedded store, ours beside a Node and a FastAPI service.

    .venv/bin/python -m benchmarks.uploads_over_http [photo ...] [--rounds 5] [--uploads 12] [--soak 1000]

All make the same widths and presets in two formats each, and an original of at most 2560 pixels. Ours runs at its
default settings; the peers are written as usual, with JPEG and WebP of quality 80.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.installation import install_node, install_python
from benchmarks.photos import SCENES, find_or_draw
from benchmarks.targets import FASTAPI, NODE, SERVICE_GROWTH, SERVING_SHARE
from benchmarks.upload_clients import Round, multipart_body, percentile, run_round
from benchmarks.upload_services import UploadService, start_fastapi, start_node, start_ours, store_environment

_SOAK_REPORTS = 10
_TARGETS = {"node": NODE, "fastapi": FASTAPI}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("photos", nargs="*", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--uploads", type=int, default=12, help="per round and service")
    parser.add_argument("--soak", type=int, default=0, help="uploads to ours alone, to see whether its memory grows")
    parser.add_argument("--port", type=int, default=18_080)
    arguments = parser.parse_args()
    photos = arguments.photos or [find_or_draw(scene) for scene in SCENES[:3]]
    bodies = [multipart_body(photo.read_bytes()) for photo in photos]
    install_node()
    install_python()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        services = start_services(Path(folder), arguments.port, stack, is_alone=bool(arguments.soak))
        if arguments.soak:
            soak(services[0], bodies, uploads=arguments.soak)
        else:
            compare(services, bodies, rounds=arguments.rounds, uploads=arguments.uploads)


def start_services(folder: Path, port: int, stack: ExitStack, *, is_alone: bool) -> list[UploadService]:
    """Ours first: the peers use its store."""
    services = [start_ours(folder, port)]
    stack.callback(services[0].stop)
    if not is_alone:
        store, environment = store_environment(folder)
        stack.callback(store.stop)
        for number, start in enumerate((start_node, start_fastapi), 1):
            services.append(start(folder, port + number, environment))
            stack.callback(services[-1].stop)
    return services


def compare(services: Sequence[UploadService], bodies: Sequence[bytes], *, rounds: int, uploads: int) -> None:
    """Interleaved rounds, after one that warms everyone up."""
    results: dict[str, list[Round]] = {service.name: [] for service in services}
    for number in range(rounds + 1):
        for service in services:
            done = run_round(service, bodies, uploads=uploads)
            if number:
                results[service.name].append(done)
    for name, rounds_done in results.items():
        report(name, rounds_done)
    print()
    for name, target in _TARGETS.items():
        print(target.report(paired_rate_ratio(results, name)))
        print(f"      (CPU per upload: {paired_cpu_ratio(results, name):.2f} x ours)")
        if results["ours"][0].stored.total_bytes > results[name][0].stored.total_bytes:
            print(f"MISS  ours stores more bytes than {name}")
    print(SERVING_SHARE.report(statistics.median(done.serving_share for done in results["ours"]) * 100))


def paired_rate_ratio(results: Mapping[str, Sequence[Round]], peer: str) -> float:
    """Uploads per second of ours over the peer's, the median of the rounds."""
    pairs = zip(results["ours"], results[peer], strict=True)
    return statistics.median(ours.uploads_per_second / theirs.uploads_per_second for ours, theirs in pairs)


def paired_cpu_ratio(results: Mapping[str, Sequence[Round]], peer: str) -> float:
    """CPU of a peer's upload over ours; unlike the rate it hardly depends on what else the machine does."""
    pairs = zip(results["ours"], results[peer], strict=True)
    return statistics.median(theirs.cpu_seconds_per_upload / ours.cpu_seconds_per_upload for ours, theirs in pairs)


def report(name: str, rounds: Sequence[Round]) -> None:
    latencies = [latency for done in rounds for latency in done.latencies_seconds]
    rate = statistics.median(done.uploads_per_second for done in rounds)
    cpu = statistics.median(done.cpu_seconds_per_upload for done in rounds)
    serving = statistics.median(done.serving_cpu_seconds / done.uploads for done in rounds)
    stored = rounds[0].stored
    print(
        f"{name:<10}{rate:6.2f} uploads/s  {cpu * 1000:7.1f} ms CPU per upload, {serving * 1000:.1f} of them serving  "
        f"p50 {percentile(latencies, 50):.2f} s  p95 {percentile(latencies, 95):.2f} s  "
        f"{stored.objects} objects, {stored.total_bytes // rounds[0].uploads:,} bytes per upload, "
        f"{sum(done.refusals for done in rounds)} times 503"
    )


def soak(service: UploadService, bodies: Sequence[bytes], *, uploads: int) -> None:
    """Memory after each tenth of the uploads. Between collections it goes up and down: the highest of a half counts."""
    serving: list[float] = []
    for number in range(1, _SOAK_REPORTS + 1):
        done = run_round(service, bodies, uploads=max(1, uploads // _SOAK_REPORTS))
        memory, worker = service.resident_megabytes()
        serving.append(memory)
        print(
            f"{number * uploads // _SOAK_REPORTS:6} uploads  serving {memory:6.1f} MB  a worker {worker:6.1f} MB  "
            f"{done.uploads_per_second:.2f} uploads/s"
        )
    middle = len(serving) // 2
    print(SERVICE_GROWTH.report(max(serving[middle:]) - max(serving[:middle])))


if __name__ == "__main__":
    main()
