"""The figures that the engine has to reach, each printed beside what was measured."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Bound(StrEnum):
    """Which side of the target is right."""

    AT_MOST = "<="
    AT_LEAST = ">="


@dataclass(frozen=True, slots=True)
class Target:
    """A bound on one figure; `name` says what is measured, `unit` follows the number."""

    name: str
    bound: Bound
    limit: float
    unit: str

    def is_met(self, measured: float) -> bool:
        return measured <= self.limit if self.bound is Bound.AT_MOST else measured >= self.limit

    def report(self, measured: float) -> str:
        verdict = "pass" if self.is_met(measured) else "MISS"
        return (
            f"{verdict}  {self.name:<58}{measured:8.2f} {self.unit:<3} (target {self.bound} {self.limit:g} {self.unit})"
        )


CODECS = Target("the same work over the codecs alone", Bound.AT_MOST, 1.2, "x")
PEERS = {
    "sharp_usual": Target("ahead of sharp as usually written", Bound.AT_LEAST, 1.9, "x"),
    "sharp_cascade": Target("ahead of a hand-tuned sharp cascade", Bound.AT_LEAST, 1.1, "x"),
    "careful_pillow": Target("ahead of careful Pillow", Bound.AT_LEAST, 1.25, "x"),
    "naive_pillow": Target("ahead of naive Pillow", Bound.AT_LEAST, 4.0, "x"),
}
SCORE_GAP = Target("SSIMULACRA2 of ours below the best peer, per format", Bound.AT_MOST, 1.0, "")
DEFAULT_CPU = Target("default formats (AVIF, JPEG) over WebP method 4, JPEG", Bound.AT_MOST, 0.6, "x")
DEFAULT_BYTES = Target("bytes of AVIF over WebP method 4 at equal SSIMULACRA2", Bound.AT_MOST, 1.0, "x")
WHOLE_UPLOAD = Target("whole upload over its codecs and resampling", Bound.AT_MOST, 1.35, "x")
CONFINED_LARGE = Target("confinement on 12 MP, wall", Bound.AT_MOST, 5.0, "%")
CONFINED_LARGE_CPU = Target("confinement on 12 MP, CPU", Bound.AT_MOST, 5.0, "%")
CONFINED_SMALL = Target("confinement on a small picture, wall", Bound.AT_MOST, 1.5, "ms")
CONFINED_SMALL_CPU = Target("confinement on a small picture, CPU", Bound.AT_MOST, 1.5, "ms")
MEMORY_12MP = Target("worker over idle, 12 MP", Bound.AT_MOST, 110.0, "MB")
MEMORY_48MP = Target("worker over idle, 48 MP", Bound.AT_MOST, 220.0, "MB")
NODE = Target("uploads/s ahead of Node, sharp and the AWS SDK", Bound.AT_LEAST, 2.5, "x")
FASTAPI = Target("uploads/s ahead of FastAPI, Pillow and boto3", Bound.AT_LEAST, 2.5, "x")
SERVING_SHARE = Target("share of HTTP, parsing, hashing and S3 in an upload's CPU", Bound.AT_MOST, 5.0, "%")
SERVICE_GROWTH = Target("growth of the serving process, second half over first", Bound.AT_MOST, 10.0, "MB")
MANIFESTS = Target("manifests of 100 known images", Bound.AT_LEAST, 200.0, "/s")
STREAMED = Target("64 KB through the service, share of the store's own rate", Bound.AT_LEAST, 0.5, "x")
ANSWERED_UNCHANGED = Target("304s and redirects", Bound.AT_LEAST, 3000.0, "/s")
STREAMED_TAIL = Target("p99 over p50", Bound.AT_MOST, 5.0, "x")
THUMBOR = Target("new pictures/s ahead of thumbor, two processes", Bound.AT_LEAST, 3.5, "x")
IPX = Target("new pictures/s ahead of ipx, the faster way to run it", Bound.AT_LEAST, 3.5, "x")
EQUAL_SCORE = Target("SSIMULACRA2 of ours below a peer", Bound.AT_MOST, 1.0, "")
PRESIGNED = Target("presigned URLs of one core", Bound.AT_LEAST, 100_000.0, "/s")
