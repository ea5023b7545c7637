"""Manifests per second: built of facts alone, and over HTTP in batches of 100 known images on the embedded store.

.venv/bin/python -m benchmarks.manifests [--rounds 5] [--batches 20]
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import http.client
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from app.bootstrap import Services
from app.core.config import Settings
from app.images.facts import Facts
from app.images.keys import ImageKey
from app.images.thumbhashes import find_data_uri
from app.services.image_service import ImageService
from app.services.manifest_methods import KnownImage
from app.services.protocols import NewObject
from benchmarks.photos import SCENES, find_or_draw
from benchmarks.targets import MANIFESTS
from benchmarks.upload_services import UploadService, start_ours

IMAGES = 100
TYPES = {"user": {"prefix": "users"}, "document": {"prefix": "documents", "visibility": "private"}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", type=int, default=20, help="over HTTP, per round")
    parser.add_argument("--port", type=int, default=18_090)
    arguments = parser.parse_args()
    os.environ["IMAGE_TYPES"] = json.dumps(TYPES)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = start_ours(folder, arguments.port)
        services = Services(Settings.load(_env_file=None, heaven_home=folder / ".heaven"))
        try:
            services.connect()
            known = {kind: asyncio.run(store_images(services.image_service, kind)) for kind in TYPES}
            for kind, images in known.items():
                measure_building(services.image_service, kind, images, rounds=arguments.rounds)
            for kind, images in known.items():
                measure_http(server, kind, images, rounds=arguments.rounds, batches=arguments.batches)
        finally:
            services.close()
            server.stop()


async def store_images(service: ImageService, kind: str) -> list[KnownImage]:
    """A hundred images with the facts of one real upload, each with a ThumbHash and a key of its own."""
    draw = random.Random(7)
    uploaded = await service.upload_image(find_or_draw(SCENES[0]).read_bytes(), kind, 1)
    stored = await service.find_object(uploaded["s3_key"])
    facts, first = Facts.from_metadata(stored.metadata), service.parse_key(uploaded["s3_key"])
    images = [_vary(facts, first, number, draw) for number in range(IMAGES)]
    for image in images:
        new = NewObject(str(image.key), b"x", stored.content_type, "no-cache", image.facts.to_metadata())
        await service.parts.store.create(new)
    return images


def _vary(facts: Facts, first: ImageKey, number: int, draw: random.Random) -> KnownImage:
    content = base64.b64decode((facts.thumbhash or "") + "==")
    thumbhash = base64.b64encode(content[:5] + draw.randbytes(len(content) - 5)).decode().rstrip("=")
    return KnownImage(replace(first, token=f"bench{number:03}"), replace(facts, thumbhash=thumbhash))


def measure_building(service: ImageService, kind: str, images: Sequence[KnownImage], *, rounds: int) -> None:
    """Without store and HTTP; the placeholders' data URIs decoded anew, and as they are once they were asked for."""

    def build() -> None:
        asyncio.run(_build(service, images))

    def build_anew() -> None:
        find_data_uri.cache_clear()
        build()

    for name, work in (("placeholders decoded anew", build_anew), ("placeholders known", build)):
        seconds = _median_seconds(work, rounds=rounds)
        print(MANIFESTS.report(len(images) / seconds), f" {kind}, of facts alone, {name}")


async def _build(service: ImageService, images: Sequence[KnownImage]) -> None:
    await service.build_manifests(images)


def measure_http(server: UploadService, kind: str, images: Sequence[KnownImage], *, rounds: int, batches: int) -> None:
    """One client, one batch after the other, on one connection."""
    body = json.dumps({"keys": [str(image.key) for image in images]})
    latencies: list[float] = []
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    post_batch(connection, body)
    cpu = server.serving_cpu_seconds()
    for _ in range(rounds * batches):
        started = time.perf_counter()
        length = post_batch(connection, body)
        latencies.append(time.perf_counter() - started)
    cpu = (server.serving_cpu_seconds() - cpu) / len(latencies)
    connection.close()
    latencies.sort()
    print(
        MANIFESTS.report(len(images) / statistics.fmean(latencies)),
        f" {kind}, POST of {len(images)}: p50 {latencies[len(latencies) // 2] * 1000:.0f} ms, "
        f"p95 {latencies[int(len(latencies) * 0.95)] * 1000:.0f} ms, CPU serving {cpu * 1000:.0f} ms, {length:,} bytes",
    )


def post_batch(connection: http.client.HTTPConnection, body: str) -> int:
    """Length of the answer, which holds a manifest for each key."""
    connection.request("POST", "/api/v1/manifests", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    content = answer.read()
    manifests = json.loads(content)["manifests"]
    assert answer.status == 200
    assert all(manifests.values())
    return len(content)


def _median_seconds(work: Callable[[], None], *, rounds: int) -> float:
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


if __name__ == "__main__":
    main()
