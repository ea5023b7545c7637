"""What the services' pictures score in SSIMULACRA2, and the quality at which a peer's score as ours do."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.judging import Judge
from benchmarks.transform_services import Picture, TransformService, fetch

_LARGEST_GAP = 1.0
_LOWEST, _HIGHEST = 60, 95


def match_qualities(services: Sequence[TransformService], photos: Sequence[Path]) -> None:
    """Leaves peers at their quality where they score within 1 of ours, and moves the others step by step until they do.

    The first of `services` is ours.
    """
    ours, *peers = services
    with Judge() as judge:
        wanted = _score(judge, ours, photos)
        for peer in peers:
            score = _score(judge, peer, photos)
            step = 1 if score < wanted else -1
            while (wanted - score) * step > _LARGEST_GAP and _LOWEST < peer.quality < _HIGHEST:
                peer.quality += step
                score = _score(judge, peer, photos)


def report_scores(services: Sequence[TransformService], photos: Sequence[Path]) -> Iterator[float]:
    """Prints everyone's score; how far ours lies below each peer's."""
    with Judge() as judge:
        scores = [_score(judge, service, photos) for service in services]
    for service, score in zip(services, scores, strict=True):
        print(f"{service.name:<10}SSIMULACRA2 {score:.2f} at quality {service.quality}")
    yield from (score - scores[0] for score in scores[1:])


def _score(judge: Judge, service: TransformService, photos: Sequence[Path]) -> float:
    """The mean of all photos; the first originals are the photos."""
    scores = []
    for number, photo in enumerate(photos):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "picture.webp").write_bytes(fetch(service, Picture(number)))
            scores.append(judge.mean_scores(photo, Path(folder))["webp"])
    return statistics.mean(scores)
