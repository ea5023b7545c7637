"""The embedded S3: a real SeaweedFS for development, shared by all processes that use the same folder.

    start()  ──► a server lives and answers? ──► use it
                 otherwise ──► launch one, wait until it answers, use it
    stop()   ──► give the own share back ──► nobody else has one? end the server

Three locks in the folder, all released by the kernel when their holder dies: `start.lock` is held while starting or
stopping, `users.lock` is shared by the users, `server.lock` is held by the server itself. So a service that is killed
leaves a server that the next start finds, uses and finally stops; and no two servers ever share a folder.

Other users of the machine can reach SeaweedFS' own gRPC ports on loopback: this is a store for development.
"""

from __future__ import annotations

import http
import threading
from dataclasses import dataclass, field
from pathlib import Path

from app.core.exceptions import EmbeddedS3Unavailable
from app.services.embedded_s3_folder import (
    Credentials,
    ServerFolder,
    ServerPorts,
    create_credentials,
    create_folder,
    find_credentials,
    find_ports,
    reserve_ports,
)
from app.services.embedded_s3_locks import SharedUse, exclusive_lock, require_file_locks
from app.services.embedded_s3_process import HOST, ServerProcess, find_weed, http_status, remove_stale_sockets

_REGION = "us-east-1"
_STOPPING_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class EmbeddedConnection:
    """How to reach the embedded S3, as an administrator of it."""

    endpoint_url: str
    region: str
    access_key_id: str
    secret_access_key: str = field(repr=False)


class EmbeddedS3:
    """One use of the SeaweedFS that keeps its objects under `folder`.

    Listens on loopback only and refuses requests that are not signed with its own credentials. Objects that were
    acknowledged survive `kill -9` of the server and of the service; a power failure may lose the last seconds, since
    SeaweedFS does not fsync. Making one does no I/O.
    """

    def __init__(self, folder: Path, *, start_timeout_seconds: float = 20.0, weed: Path | None = None) -> None:
        self._folder = ServerFolder(folder.absolute())
        self._server = ServerProcess(self._folder)
        self._start_timeout_seconds = start_timeout_seconds
        self._weed = weed
        self._use: SharedUse | None = None
        self._mutex = threading.Lock()

    @property
    def running_pid(self) -> int | None:
        """The server's pid, whoever started it; None when no server runs for the folder."""
        require_file_locks()
        return self._server.find_pid()

    def is_running_at(self, endpoint_url: str | None) -> bool:
        """Whether a server runs for the folder at this address, also one whose pid this process cannot see."""
        require_file_locks()
        ports = find_ports(self._folder)
        return self._server.is_alive() and ports is not None and endpoint_url == _endpoint_url(ports.s3)

    def for_forked_child(self) -> EmbeddedS3:
        """The same store for the process that has just been forked, which takes a share of its own at `start`.

        Otherwise parent and child had one share, and the server ended under the child when the parent gave it back.
        """
        self._forget_inherited_use()
        return EmbeddedS3(self._folder.root, start_timeout_seconds=self._start_timeout_seconds, weed=self._weed)

    def start(self) -> EmbeddedConnection:
        """Return once the server answers: the one that runs for this folder, otherwise a new one.

        Call it again at any time: it starts the server anew where it has died. Blocks for about a second.

        Raises: EmbeddedS3Unavailable; repeating helps only after doing what it says.
        """
        require_file_locks()
        with self._mutex:
            try:
                create_folder(self._folder)
                with exclusive_lock(self._folder.start_lock, self._lock_seconds):
                    return self._start_locked()
            except OSError as exc:
                raise self._folder_fault(exc) from exc

    def stop(self) -> None:
        """Give back this use of the server, and end the server if that was the last one. Objects stay.

        Raises: EmbeddedS3Unavailable when the server cannot be ended.
        """
        with self._mutex:
            self._forget_inherited_use()
            use, self._use = self._use, None
            if use is None:
                return
            try:
                with exclusive_lock(self._folder.start_lock, self._lock_seconds):
                    if use.is_the_only_one():
                        self._server.terminate(find_ports(self._folder))
            except OSError as exc:
                raise self._folder_fault(exc) from exc
            finally:
                use.close()

    @property
    def _lock_seconds(self) -> float:
        return 2 * self._start_timeout_seconds + _STOPPING_SECONDS

    def _folder_fault(self, exc: OSError) -> EmbeddedS3Unavailable:
        reason = exc.strerror or type(exc).__name__
        return EmbeddedS3Unavailable(
            f"The embedded S3 store cannot use its folder, which lies in HEAVEN_HOME: {reason}.",
            cause={"folder": str(self._folder.root), "exception": str(exc)},
        )

    def _forget_inherited_use(self) -> None:
        if self._use is not None and self._use.is_inherited:
            self._use.close()
            self._use = None

    def _start_locked(self) -> EmbeddedConnection:
        self._forget_inherited_use()
        use = self._use or SharedUse(self._folder.users_lock)
        try:
            connection = self._find_running(use) or self._launch()
            use.hold()
        except BaseException:
            use.close()
            self._use = None
            raise
        self._use = use
        return connection

    def _find_running(self, use: SharedUse) -> EmbeddedConnection | None:
        """Find the server that runs and can be used. One that cannot be used is ended, unless others use it."""
        if not self._server.is_alive():
            return None
        credentials, ports = find_credentials(self._folder), find_ports(self._folder)
        if credentials and ports and self._server.becomes_ready(ports.s3, self._start_timeout_seconds):
            return _connection(credentials, ports.s3)
        if not self._server.is_alive():
            return None
        if not use.is_the_only_one():
            raise EmbeddedS3Unavailable(
                "The running SeaweedFS does not answer, and other processes use it. "
                "Stop them, or end it, and start again.",
                cause={"folder": str(self._folder.root), "pid": str(self._server.find_pid() or "not visible here")},
            )
        self._server.terminate(ports)
        return None

    def _launch(self) -> EmbeddedConnection:
        weed = find_weed(self._weed)
        credentials = find_credentials(self._folder) or create_credentials(self._folder)
        # A port may be taken between choosing and binding it: once more, on other ports. A second failure is no chance.
        for remembered in (self._find_stale_ports(), None):
            ports = reserve_ports(self._folder, remembered)
            self._server.launch(weed, ports)
            if self._server.becomes_ready(ports.s3, self._start_timeout_seconds):
                self._check_refuses_strangers(ports.s3)
                return _connection(credentials, ports.s3)
            ended_by_itself = not self._server.is_alive()
            self._server.terminate(ports)
            if not ended_by_itself:
                break
        raise self._start_fault(credentials, ended_by_itself=ended_by_itself)

    def _find_stale_ports(self) -> ServerPorts | None:
        ports = find_ports(self._folder)
        if ports is not None:
            remove_stale_sockets(ports)
        return ports

    def _check_refuses_strangers(self, s3_port: int) -> None:
        status = http_status(s3_port, "/")
        if status != http.HTTPStatus.FORBIDDEN:
            self._server.terminate(find_ports(self._folder))
            raise EmbeddedS3Unavailable(
                f"SeaweedFS answered {status} to a request without credentials, so it was stopped."
            )

    def _start_fault(self, credentials: Credentials, *, ended_by_itself: bool) -> EmbeddedS3Unavailable:
        happened = "ended at once" if ended_by_itself else f"was not ready after {self._start_timeout_seconds:g} s"
        tail = self._server.log_tail(credentials.secret_access_key)
        return EmbeddedS3Unavailable(
            f"SeaweedFS {happened}. The end of its log says why.",
            cause={"log": str(self._folder.log), "log_end": tail},
        )


def _endpoint_url(s3_port: int) -> str:
    return f"http://{HOST}:{s3_port}"


def _connection(credentials: Credentials, s3_port: int) -> EmbeddedConnection:
    return EmbeddedConnection(
        endpoint_url=_endpoint_url(s3_port),
        region=_REGION,
        access_key_id=credentials.access_key_id,
        secret_access_key=credentials.secret_access_key,
    )
