"""Stored pictures over HTTP: 64 KB streamed through the service beside the store itself, 304s, redirects.

    .venv/bin/python -m benchmarks.delivery_streaming [--workers 2] [--rounds 5] [--seconds 3] [--connections 16]

By a service of one process and one of `--workers`. They, the embedded store and the load generator share the machine.
Rounds are interleaved; a ratio is taken within a round.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from app.services.s3_connection import S3Connection, make_client
from app.services.s3_presign import S3UrlSigner
from benchmarks.photos import SCENES, find_or_draw
from benchmarks.targets import ANSWERED_UNCHANGED, STREAMED, STREAMED_TAIL
from benchmarks.upload_clients import CONTENT_TYPE, multipart_body, percentile
from benchmarks.upload_services import UploadService, start_ours, store_environment

_KEY = "users/1/20241201_143022_a1b2c3d4.jpg"
_PICTURE_BYTES = 64 * 1024
_TRANSFORM = "w:800,f:webp"
_OK = 200
_REDIRECT = 307
# Unsigned URLs of any transform: signing is not what is measured.
_OPEN = {"DELIVERY_ACCESS": "open"}


@dataclass(frozen=True, slots=True)
class Question:
    """A request that is asked again and again; `status` is the answer that counts."""

    name: str
    service: UploadService
    url: str
    status: int
    header: str = ""

    def request(self) -> bytes:
        parts = urlsplit(self.url)
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        extra = f"{self.header}\r\n" if self.header else ""
        return f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\n{extra}\r\n".encode()


@dataclass(frozen=True, slots=True)
class Measured:
    """One question in one round."""

    requests_per_second: float
    p50_seconds: float
    p99_seconds: float
    service_cpu_seconds: float

    @property
    def tail(self) -> float:
        return self.p99_seconds / self.p50_seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="per question and round")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--port", type=int, default=9_190)  # below those of embedded stores
    parser.add_argument("--workers", type=int, default=2, help="serving processes, beside the figures of one")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as running:
        folder, port = Path(name), arguments.port
        questions: list[Question] = []
        for workers in sorted({1, arguments.workers}):
            service = start_ours(folder, port, _OPEN, workers=workers)
            running.callback(service.stop)
            redirecting = start_ours(folder, port + 1, _OPEN | {"DELIVERY_ANSWER": "307"}, workers=workers)
            running.callback(redirecting.stop)
            if questions:
                questions += [to_processes(each, workers, service, redirecting) for each in questions[1:]]
            else:
                questions = [*questions_for(service, folder), *img_questions(service)]
                path = urlsplit(questions[-1].url).path
                url = f"http://127.0.0.1:{redirecting.port}{path}"
                questions.append(Question("307 of /img", redirecting, url, _REDIRECT))
            port += 2
        ask(questions, arguments.rounds, arguments.connections, arguments.seconds)


def to_processes(question: Question, workers: int, service: UploadService, redirecting: UploadService) -> Question:
    """The same question to a service of several processes."""
    asked = redirecting if question.status == _REDIRECT else service
    url = urlsplit(question.url)._replace(netloc=f"127.0.0.1:{asked.port}").geturl()
    return replace(question, name=f"{question.name}, {workers} processes", service=asked, url=url)


def questions_for(service: UploadService, folder: Path) -> list[Question]:
    """The same object at the store and through the service, and the service's short answers."""
    store, environment = store_environment(folder)
    try:
        connection = S3Connection(
            bucket=environment["S3_BUCKET_NAME"],
            region=environment["AWS_REGION"],
            endpoint_url=environment["S3_ENDPOINT_URL"],
            access_key_id=environment["AWS_ACCESS_KEY_ID"],
            secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        )
        with closing(make_client(connection)) as client:
            body = os.urandom(_PICTURE_BYTES)
            etag = client.put_object(Bucket=connection.bucket, Key=_KEY, Body=body, ContentType="image/jpeg")["ETag"]
        presigned = S3UrlSigner(lambda: connection).presigned_url(_KEY, expires_in=3600)
    finally:
        store.stop()
    base = f"http://127.0.0.1:{service.port}"
    streamed = Question("through /files", service, f"{base}/api/v1/files/{_KEY}", 200)
    return [
        Question("the store itself", service, presigned, 200),
        streamed,
        replace(streamed, name="304 of /files", status=304, header=f"If-None-Match: {etag}"),
    ]


def img_questions(service: UploadService) -> list[Question]:
    """A transform of an uploaded photo that is stored already, and its 304."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)
    with closing(connection):
        body = multipart_body(find_or_draw(SCENES[0]).read_bytes())
        connection.request("POST", service.path, body, {"Content-Type": CONTENT_TYPE})
        s3_key = json.loads(connection.getresponse().read())["s3_key"]
        path = f"/img/-/{_TRANSFORM}/{s3_key}"
        connection.request("GET", path)
        answer = connection.getresponse()
        size = len(answer.read())
        stored = Question(f"through /img ({size:,} bytes)", service, f"http://127.0.0.1:{service.port}{path}", 200)
    unchanged = replace(stored, name="304 of /img", status=304, header=f"If-None-Match: {answer.headers['ETag']}")
    return [stored, unchanged]


def ask(questions: list[Question], rounds: int, connections: int, seconds: float) -> None:
    """Interleaved rounds, after a short one that warms everyone up."""
    results: dict[str, list[Measured]] = {question.name: [] for question in questions}
    for number in range(rounds + 1):
        for question in questions:
            measured = measure(question, connections, seconds if number else 1.0)
            if number:
                results[question.name].append(measured)
    print(f"{'':<42}requests/s   p50 ms   p99 ms  p99/p50  CPU ms of the service")
    for name, measurements in results.items():
        report(name, measurements)
    direct, *others = (results[question.name] for question in questions)
    print()
    for question, measurements in zip(questions[1:], others, strict=True):
        rate = statistics.median(each.requests_per_second for each in measurements)
        is_streamed = question.status == _OK
        print(f"{question.name}:")
        print(STREAMED.report(paired_ratio(measurements, direct)) if is_streamed else ANSWERED_UNCHANGED.report(rate))
        print(STREAMED_TAIL.report(statistics.median(each.tail for each in measurements)))


def measure(question: Question, connections: int, seconds: float) -> Measured:
    parts = urlsplit(question.url)
    command = [sys.executable, "-m", "benchmarks.load_generator", str(parts.hostname), str(parts.port)]
    before = question.service.cpu_seconds()
    done = subprocess.run(
        [*command, str(connections), str(seconds)],
        input=question.request(),
        capture_output=True,
        check=True,
        timeout=60,
    )
    used = question.service.cpu_seconds() - before
    answer = json.loads(done.stdout)
    count = answer["statuses"].get(str(question.status), 0)
    if set(answer["statuses"]) != {str(question.status)}:
        raise SystemExit(f"{question.name}: answered {answer['statuses']}")
    latencies = answer["latencies"]
    rate = count / answer["seconds"]
    return Measured(rate, percentile(latencies, 50), percentile(latencies, 99), used / count)


def paired_ratio(ours: list[Measured], theirs: list[Measured]) -> float:
    """Requests per second of ours over theirs, the median of the rounds."""
    return statistics.median(a.requests_per_second / b.requests_per_second for a, b in zip(ours, theirs, strict=True))


def report(name: str, measurements: list[Measured]) -> None:
    def middle(figure: str) -> float:
        return statistics.median(float(getattr(each, figure)) for each in measurements)

    print(
        f"{name:<42}{middle('requests_per_second'):10.0f}{middle('p50_seconds') * 1000:9.2f}"
        f"{middle('p99_seconds') * 1000:9.2f}{middle('tail'):9.1f}{middle('service_cpu_seconds') * 1000:10.3f}"
    )


if __name__ == "__main__":
    main()
