"""The upload services compared over HTTP, each started as its authors would start it, on one embedded store."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.bootstrap import EMBEDDED_BUCKET
from app.services.embedded_s3 import EmbeddedS3
from benchmarks.contenders import BENCH_NODE, BENCH_VENV, PEERS, PROJECT
from benchmarks.process_tree import cpu_seconds, processes_of, resident_bytes, tree_cpu_seconds

_START_SECONDS = 60
_STORE_EXECUTABLE = "weed"


@dataclass(frozen=True, slots=True)
class UploadService:
    """A running service. `pid` serves requests; its other processes, but for the store, are its workers."""

    name: str
    port: int
    path: str
    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        return self.process.pid

    def serving_cpu_seconds(self) -> float:
        """Of the process that serves, alone."""
        return cpu_seconds(self.pid)

    def cpu_seconds(self) -> float:
        """Of all its processes but the store's; those that have ended count, so nobody else's may."""
        return tree_cpu_seconds(self.pid) - sum(tree_cpu_seconds(pid) for pid in self._store_pids())

    def resident_megabytes(self) -> tuple[float, float]:
        """Of the process that serves, and of its hungriest worker."""
        workers = set(processes_of(self.pid)) - {self.pid} - set(self._store_pids())
        return resident_bytes(self.pid) / 1e6, max((resident_bytes(pid) for pid in workers), default=0) / 1e6

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)

    def _store_pids(self) -> list[int]:
        return [pid for pid in processes_of(self.pid) if _is_store(pid)]


def _is_store(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip() == _STORE_EXECUTABLE
    except OSError:
        return False


def start_ours(
    folder: Path, port: int, settings: Mapping[str, str] | None = None, *, workers: int = 1
) -> UploadService:
    """`heaven-images serve` with its embedded store; all that `settings` leave out has its default."""
    command = [sys.executable, "-m", "app.entrypoints.cli.main", "serve", "--port", str(port)]
    command += ["--workers", str(workers)]
    environment = {"PYTHONPATH": str(PROJECT), "LOG_LEVEL": "WARNING", **(settings or {})}
    process = start_process("ours", command, folder, environment)
    return when_ready(UploadService("ours", port, "/api/v1/images", process), "/readyz", folder)


def start_node(folder: Path, port: int, store: Mapping[str, str]) -> UploadService:
    """Fastify, sharp and the AWS SDK, in one process: sharp works in its thread pool."""
    command: list[str | Path] = ["node", PEERS / "node_service.mjs", str(port)]
    process = start_process(
        "node", command, folder, {"BENCH_NODE": f"{BENCH_NODE}/", "NODE_ENV": "production", **store}
    )
    return when_ready(UploadService("node", port, "/upload", process), "/ready", folder)


def start_fastapi(folder: Path, port: int, store: Mapping[str, str]) -> UploadService:
    """FastAPI, Pillow and boto3, in two worker processes of uvicorn."""
    uvicorn: list[str | Path] = [
        BENCH_VENV / "bin" / "uvicorn",
        "--workers",
        "2",
        "--port",
        str(port),
        "--log-level",
        "warning",
    ]
    process = start_process("fastapi", [*uvicorn, "--app-dir", PEERS, "fastapi_service:app"], folder, store)
    return when_ready(UploadService("fastapi", port, "/upload", process), "/ready", folder)


def store_environment(folder: Path) -> tuple[EmbeddedS3, dict[str, str]]:
    """Our service's embedded store, joined as any process of its folder may, and what its clients need to know."""
    store = EmbeddedS3(folder / ".heaven" / "s3")
    started = store.start()
    return store, {
        "S3_BUCKET_NAME": EMBEDDED_BUCKET,
        "S3_ENDPOINT_URL": started.endpoint_url,
        "AWS_REGION": started.region,
        "AWS_ACCESS_KEY_ID": started.access_key_id,
        "AWS_SECRET_ACCESS_KEY": started.secret_access_key,
    }


def find_store_pid(folder: Path) -> int:
    """The pid of our service's embedded store, which is nobody's child."""
    pid = EmbeddedS3(folder / ".heaven" / "s3").running_pid
    assert pid is not None
    return pid


def start_process(
    name: str, command: Sequence[str | Path], folder: Path, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """The running command; what it prints goes to `<name>.log` in the folder."""
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            [str(part) for part in command], cwd=folder, env=os.environ | environment, stdout=log, stderr=log
        )


def when_ready(service: UploadService, path: str, folder: Path) -> UploadService:
    """The service, once it answers the path with 200."""
    give_up_at = time.monotonic() + _START_SECONDS
    while time.monotonic() < give_up_at and service.process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=5)
        try:
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return service
        except OSError:
            time.sleep(0.02)
        finally:
            connection.close()
    service.process.kill()
    raise SystemExit((folder / f"{service.name}.log").read_text())
