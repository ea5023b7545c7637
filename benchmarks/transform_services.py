"""The services that are asked for pictures nobody has asked for: ours, thumbor and ipx, each on all of the cores."""

from __future__ import annotations

import http.client
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from app.images.formats import ImageFormat
from app.images.keys import encode_key
from app.images.signatures import SignedPicture, sign_picture
from app.images.transform_text import canonical_text, make_transform
from app.services.delivery_policy import IMG_PREFIX
from benchmarks.contenders import IPX_NODE, PEERS, THUMBOR_VENV
from benchmarks.process_tree import tree_cpu_seconds
from benchmarks.upload_clients import multipart_body, post_photo
from benchmarks.upload_services import UploadService, find_store_pid, start_ours, start_process, when_ready

WIDTH = 640
QUALITY = 80
_SIGNING_KEY = "a key of the benchmark that is long enough to sign"
_PEER_PROCESSES = 2


@dataclass(frozen=True, slots=True)
class Picture:
    """What is asked for: an original by its number, as WebP of 640 pixels, a few steps of quality off the usual."""

    original: int
    quality_steps: int = 0


@dataclass(slots=True)
class TransformService(ABC):
    """A running service; its processes listen on a port each, and clients are dealt out to them evenly."""

    name: str
    processes: Sequence[UploadService]
    quality: int = QUALITY

    @abstractmethod
    def path_of(self, picture: Picture) -> str:
        """Where the picture is."""

    def cpu_seconds(self) -> float:
        """Of all its processes but the store's."""
        return sum(process.cpu_seconds() for process in self.processes)

    def serving_cpu_seconds(self) -> float:
        """Of the processes that listen."""
        return sum(process.serving_cpu_seconds() for process in self.processes)

    def store_cpu_seconds(self) -> float:
        """Of the store that it runs; 0 without one."""
        return 0.0

    def stop(self) -> None:
        for process in self.processes:
            process.stop()


@dataclass(slots=True)
class Ours(TransformService):
    """`heaven-images serve`, with the keys of the originals uploaded to it."""

    store_pid: int = 0
    keys: list[str] = field(default_factory=list)

    def store_cpu_seconds(self) -> float:
        return tree_cpu_seconds(self.store_pid)

    def path_of(self, picture: Picture) -> str:
        key = self.keys[picture.original]
        quality = self.quality + picture.quality_steps
        text = canonical_text(make_transform(width=WIDTH, quality=quality, format=ImageFormat.WEBP))
        signature = sign_picture(SignedPicture(text, key), _SIGNING_KEY.encode())
        return f"{IMG_PREFIX}/{signature}/{text}/{encode_key(key)}"

    def upload(self, original: Path) -> None:
        """Stores one more original with its variants."""
        body = multipart_body(original.read_bytes())
        while (answer := post_photo(self.processes[0], body)) is None:
            continue
        self.keys.append(answer["s3_key"])


@dataclass(slots=True)
class Thumbor(TransformService):
    """thumbor, which names originals by their files."""

    def path_of(self, picture: Picture) -> str:
        filters = f"filters:format(webp):quality({self.quality + picture.quality_steps})"
        return f"/unsafe/{WIDTH}x0/{filters}/{picture.original}.jpg"


@dataclass(slots=True)
class Ipx(TransformService):
    """ipx, likewise."""

    def path_of(self, picture: Picture) -> str:
        return f"/w_{WIDTH},f_webp,q_{self.quality + picture.quality_steps}/{picture.original}.jpg"


def start_our_service(folder: Path, port: int, originals: Sequence[Path]) -> Ours:
    """Ours at default settings but for a signing key, with the originals uploaded."""
    process = start_ours(folder, port, {"DELIVERY_KEYS": _SIGNING_KEY})
    service = Ours("ours", [process], store_pid=find_store_pid(folder))
    for original in originals:
        service.upload(original)
    return service


def start_thumbor(folder: Path, port: int, originals: Path) -> Thumbor:
    """Two processes: each resizes on its event loop, one picture at a time."""
    conf = PEERS / "thumbor_service" / "thumbor.conf"
    processes = []
    for number in range(_PEER_PROCESSES):
        own_port = str(port + number)
        options: list[str | Path] = ["-p", own_port, "-i", "127.0.0.1", "-c", conf, "-l", "error"]
        command = [THUMBOR_VENV / "bin" / "thumbor", *options]
        process = start_process(f"thumbor{number}", command, folder, {"BENCH_ORIGINALS": str(originals)})
        service = UploadService(f"thumbor{number}", port + number, "/", process)
        processes.append(when_ready(service, "/healthcheck", folder))
    return Thumbor("thumbor", processes)


def start_ipx(folder: Path, port: int, originals: Path, *, processes: int) -> Ipx:
    """ipx in one process or more; sharp resizes in a pool of four threads in each."""
    name = f"ipx x{processes}"
    environment = {"BENCH_NODE": f"{IPX_NODE}/", "BENCH_ORIGINALS": str(originals), "NODE_ENV": "production"}
    started = []
    for number in range(processes):
        own_name = f"ipx{processes}-{number}"
        command: list[str | Path] = ["node", PEERS / "ipx_service" / "server.mjs", str(port + number)]
        process = start_process(own_name, command, folder, environment)
        started.append(when_ready(UploadService(own_name, port + number, "/", process), "/w_16/0.jpg", folder))
    return Ipx(name, started)


def fetch(service: TransformService, picture: Picture) -> bytes:
    """The picture, asked for once."""
    connection = http.client.HTTPConnection("127.0.0.1", service.processes[0].port, timeout=120)
    try:
        return fetch_over(connection, service, picture)
    finally:
        connection.close()


def fetch_over(connection: http.client.HTTPConnection, service: TransformService, picture: Picture) -> bytes:
    """The picture over a connection that stays open; the benchmark ends when it is no WebP."""
    path = service.path_of(picture)
    connection.request("GET", path)
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != 200 or content[:4] != b"RIFF" or content[8:12] != b"WEBP":
        raise SystemExit(f"{service.name} answered {answer.status} to {path}: {content[:500]!r}")
    return content
