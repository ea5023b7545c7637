"""What one upload costs, where its time goes, and what the service weighs before and after many of them."""

from __future__ import annotations

import argparse
import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import numpy
from PIL import Image, ImageOps

from app.images.inspection import inspect_image
from app.images.limits import PixelLimits
from app.images.records import RenderOptions
from app.services.decoder.decoding import open_image
from app.services.decoder.vips_library import load_vips
from app.services.decoder.vips_processor import render_image
from app.services.embedded_s3 import EmbeddedS3
from app.services.s3_connection import S3Connection, make_client

OPTIONS = RenderOptions(max_side_pixels=2560, jpeg_quality=82, webp_quality=80)
LIMITS = PixelLimits(max_pixels=100_000_000, max_side_pixels=30_000)
CLIENTS = 4


def draw_photo() -> bytes:
    """A 12-megapixel JPEG with the detail of a photo: smooth areas, edges and noise."""
    random = numpy.random.default_rng(7)
    down, across = numpy.mgrid[0:3024, 0:4032].astype(numpy.float32)
    waves = [128 + 90 * numpy.sin(across / (90 + 40 * band)) * numpy.cos(down / (120 - 20 * band)) for band in range(3)]
    pixels = numpy.stack(waves, axis=-1) + random.normal(0, 6, (3024, 4032, 1))
    pixels[1000:1600, 500:2500] *= 0.4
    buffer = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(numpy.uint8)).save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


@dataclass(frozen=True)
class Service:
    """A running service: where it answers and its process id."""

    url: str
    process: subprocess.Popen[bytes]

    def upload(self, client: httpx2.Client, photo: bytes) -> dict[str, object]:
        answer = client.post(
            f"{self.url}/api/v1/images",
            files={"file": ("photo.jpg", photo, "image/jpeg")},
            data={"image_type": "user", "user_id": "1"},
            timeout=60,
        )
        answer.raise_for_status()
        result: dict[str, object] = answer.json()
        return result

    def resident_megabytes(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


def start_service(folder: Path, port: int) -> Service:
    command = [sys.executable, "-m", "app.entrypoints.cli.main", "serve", "--port", str(port)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1]), "LOG_LEVEL": "WARNING"}
    with (folder / "serve.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    give_up_at = time.monotonic() + 30
    while time.monotonic() < give_up_at and process.poll() is None:
        try:
            if httpx2.get(f"{url}/readyz", timeout=5).status_code == 200:
                return Service(url, process)
        except httpx2.TransportError:
            pass
        time.sleep(0.02)
    raise SystemExit((folder / "serve.log").read_text())


def milliseconds(job: Callable[[], object]) -> float:
    started = time.perf_counter()
    job()
    return (time.perf_counter() - started) * 1000


def usual_stack(photo: bytes, connection: S3Connection) -> Callable[[], object]:
    """Pillow and boto3 as most back ends write them first."""
    client = make_client(connection)

    def upload() -> None:
        with Image.open(io.BytesIO(photo)) as opened:
            image = ImageOps.exif_transpose(opened)
        image.thumbnail((2560, 2560))
        buffer = io.BytesIO()
        image.convert("RGB").save(buffer, "JPEG", quality=82, optimize=True)
        client.put_object(Bucket=connection.bucket, Key="users/1/usual.jpg", Body=buffer.getvalue())

    return upload


def measure_stages(photo: bytes) -> dict[str, float]:
    structure = inspect_image(photo, LIMITS)
    checking = milliseconds(lambda: inspect_image(photo, LIMITS))
    decoding = milliseconds(lambda: open_image(structure, max_side_pixels=2560).copy_memory())
    rendering = milliseconds(lambda: render_image(structure, file_size=len(photo), options=OPTIONS))
    stored = render_image(structure, file_size=len(photo), options=OPTIONS).body
    decoded = load_vips().Image.new_from_buffer(stored, "").copy_memory()
    encoding = milliseconds(lambda: decoded.jpegsave_buffer(Q=82, optimize_coding=True, keep="none"))
    resizing = max(0.0, rendering - decoding - encoding)
    return {"check": checking, "decode": decoding, "resize, colour, rotate": resizing, "encode": encoding}


def measure_reading(service: Service, client: httpx2.Client, photo: bytes) -> float:
    """The round trip of a body of this size that is refused after it was read: HTTP, parsing and counting alone."""
    refused = b"\x00" * len(photo)

    def post() -> None:
        client.post(f"{service.url}/api/v1/images", files={"file": ("a", refused)}, data={"image_type": "user"})

    return milliseconds(post)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photo", nargs="?", type=Path)
    parser.add_argument("--uploads", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--port", type=int, default=18_080)
    arguments = parser.parse_args()
    photo = arguments.photo.read_bytes() if arguments.photo else draw_photo()

    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        service = start_service(Path(folder), arguments.port)
        store = EmbeddedS3(Path(folder) / ".heaven" / "s3")
        try:
            with httpx2.Client() as client:
                idle = service.resident_megabytes()
                first = service.upload(client, photo)
                print(f"start to first stored upload      {time.perf_counter() - started:7.2f} s")
                print(f"memory of the service, idle       {idle:7.1f} MB")
                usual = usual_stack(photo, embedded_connection(store, str(first["url"])))
                report_uploads(service, client, photo, first, usual, arguments.rounds)
                report_memory(service, photo, arguments.uploads)
        finally:
            service.process.terminate()
            service.process.wait(30)
            store.stop()


def report_uploads(
    service: Service,
    client: httpx2.Client,
    photo: bytes,
    first: dict[str, object],
    usual: Callable[[], object],
    rounds: int,
) -> None:
    print(f"photo as sent / as stored         {len(photo):,} / {first['file_size']:,} bytes")
    runs: dict[str, list[float]] = {"upload over HTTP": [], "reading the request": [], "Pillow and boto3, no HTTP": []}
    for _ in range(rounds):
        runs["upload over HTTP"].append(milliseconds(lambda: service.upload(client, photo)))
        runs["reading the request"].append(measure_reading(service, client, photo))
        runs["Pillow and boto3, no HTTP"].append(milliseconds(usual))
        for stage, duration in measure_stages(photo).items():
            runs.setdefault(f"  of it: {stage}", []).append(duration)
    medians = {name: statistics.median(values) for name, values in runs.items()}
    stages = sum(value for name, value in medians.items() if name.startswith("  of it"))
    medians["  of it: store, and the rest"] = medians["upload over HTTP"] - medians["reading the request"] - stages
    for name, median in medians.items():
        print(f"{name:<34}{median:7.1f} ms")
    ratio = medians["Pillow and boto3, no HTTP"] / medians["upload over HTTP"]
    print(f"usual stack / ours                {ratio:7.2f} x")


def embedded_connection(store: EmbeddedS3, url: str) -> S3Connection:
    """The service's own embedded store, which this process joins like any other of the same folder."""
    started = store.start()
    bucket = urlsplit(url).path.split("/")[1]
    return S3Connection(
        bucket,
        started.region,
        endpoint_url=started.endpoint_url,
        access_key_id=started.access_key_id,
        secret_access_key=started.secret_access_key,
    )


def report_memory(service: Service, photo: bytes, uploads: int) -> None:
    before = service.resident_megabytes()
    started = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool, httpx2.Client() as client:
        list(pool.map(lambda _: service.upload(client, photo), range(uploads)))
    duration = time.perf_counter() - started
    print(f"{uploads} uploads, {CLIENTS} clients            {uploads / duration:7.2f} uploads/s")
    print(f"memory after those uploads        {before:7.1f} MB")
    print(f"memory after all                  {service.resident_megabytes():7.1f} MB")


if __name__ == "__main__":
    main()
