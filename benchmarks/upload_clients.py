"""Clients that upload photos over HTTP, and what a round of uploads came to."""

from __future__ import annotations

import http.client
import json
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from benchmarks.upload_services import UploadService

CLIENTS = 4
_BOUNDARY = b"----benchmark7f3a91"
CONTENT_TYPE = f"multipart/form-data; boundary={_BOUNDARY.decode()}"
_FIELDS = {"image_type": "user", "user_id": "1"}


@dataclass(frozen=True, slots=True)
class Stored:
    """What one upload left in the bucket."""

    objects: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class Upload:
    """One upload; it took as long as the client had to wait, 503s and their `Retry-After` included."""

    latency_seconds: float
    refusals: int
    stored: Stored


@dataclass(frozen=True, slots=True)
class Round:
    """Some uploads of four clients to one service."""

    uploads: int
    wall_seconds: float
    cpu_seconds: float
    serving_cpu_seconds: float
    latencies_seconds: tuple[float, ...]
    refusals: int
    stored: Stored

    @property
    def uploads_per_second(self) -> float:
        return self.uploads / self.wall_seconds

    @property
    def cpu_seconds_per_upload(self) -> float:
        return self.cpu_seconds / self.uploads

    @property
    def serving_share(self) -> float:
        return self.serving_cpu_seconds / self.cpu_seconds


def multipart_body(photo: bytes) -> bytes:
    """A form with the photo and the fields that our service asks for."""
    parts = [
        b'--%b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (_BOUNDARY, name.encode(), text.encode())
        for name, text in _FIELDS.items()
    ]
    head = b'--%b\r\nContent-Disposition: form-data; name="file"; filename="photo.jpg"\r\n' % _BOUNDARY
    return b"".join([*parts, head, b"Content-Type: image/jpeg\r\n\r\n", photo, b"\r\n--%b--\r\n" % _BOUNDARY])


def run_round(service: UploadService, bodies: Sequence[bytes], *, uploads: int) -> Round:
    """`uploads` uploads of the bodies in turn, by four clients at once."""
    cpu, serving = service.cpu_seconds(), service.serving_cpu_seconds()
    started = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        done = list(pool.map(lambda number: _upload(service, bodies[number % len(bodies)]), range(uploads)))
    wall = time.perf_counter() - started
    return Round(
        uploads,
        wall,
        service.cpu_seconds() - cpu,
        service.serving_cpu_seconds() - serving,
        tuple(each.latency_seconds for each in done),
        sum(each.refusals for each in done),
        Stored(done[0].stored.objects, sum(each.stored.total_bytes for each in done)),
    )


def percentile(values: Sequence[float], hundredths: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[hundredths - 1]


def _upload(service: UploadService, body: bytes) -> Upload:
    started = time.perf_counter()
    refusals = 0
    while (stored := _post(service, body)) is None:
        refusals += 1
    return Upload(time.perf_counter() - started, refusals, stored)


def _post(service: UploadService, body: bytes) -> Stored | None:
    """What was stored; None after the pause that a busy service asked for."""
    answer = post_photo(service, body)
    return _stored(answer) if answer is not None else None


def post_photo(service: UploadService, body: bytes) -> dict[str, Any] | None:
    """The answer to an upload; None after the pause that a busy service asked for."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=120)
    headers = {"Content-Type": CONTENT_TYPE}
    connection.request("POST", service.path, body, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    if answer.status == http.HTTPStatus.SERVICE_UNAVAILABLE:
        time.sleep(int(answer.headers["Retry-After"]))
        return None
    if answer.status not in {200, 201}:
        raise SystemExit(f"{service.name} answered {answer.status}: {content[:500]!r}")
    decoded: dict[str, Any] = json.loads(content)
    return decoded


def _stored(answer: dict[str, object]) -> Stored:
    """Both kinds of answers: ours lists the variants, the peers' count."""
    match answer:
        case {"objects": int(objects), "bytes": int(total)}:
            return Stored(objects, total)
        case {"file_size": int(size), "variants": list(variants)}:
            return Stored(1 + len(variants), size + sum(each["file_size"] for each in variants))
    raise SystemExit(f"not an answer that tells what was stored: {answer}")
