"""What the embedded S3 keeps in its folder: credentials, ports and the names of its files, private to this user."""

from __future__ import annotations

import json
import os
import secrets
import socket
import tempfile
import time
from dataclasses import asdict, astuple, dataclass, field, fields
from pathlib import Path

# Each service also listens for gRPC at its port + 10000. Both stay below the range from which Linux and macOS give
# ports to outgoing connections, so that a remembered port is rarely taken by chance.
GRPC_PORT_OFFSET = 10_000
_PORTS = range(10_240, 22_760)
# The kernel may release a killed server's lock a moment before it closes its sockets.
_CLOSING_SECONDS = 0.5
_POLL_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Credentials:
    """The one identity that the server knows; an administrator of it."""

    access_key_id: str
    secret_access_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ServerPorts:
    """The loopback ports of one server; each also stands for its gRPC port."""

    s3: int
    filer: int
    master: int
    volume: int
    admin: int


@dataclass(frozen=True, slots=True)
class ServerFolder:
    """The files of one embedded S3, by name. `root` is absolute."""

    root: Path

    @property
    def objects(self) -> Path:
        return self.root / "data"

    @property
    def identities(self) -> Path:
        return self.root / "identities.json"

    @property
    def ports(self) -> Path:
        return self.root / "ports.json"

    @property
    def pid(self) -> Path:
        return self.root / "weed.pid"

    @property
    def log(self) -> Path:
        return self.root / "weed.log"

    @property
    def start_lock(self) -> Path:
        """Held by who starts or stops the server."""
        return self.root / "start.lock"

    @property
    def users_lock(self) -> Path:
        """Shared by all who use the server."""
        return self.root / "users.lock"

    @property
    def server_lock(self) -> Path:
        """Held by the server itself, for as long as it lives."""
        return self.root / "server.lock"


def create_folder(folder: ServerFolder) -> None:
    """Make the folder, closed to other users, and keep its secrets out of any Git repository around it."""
    folder.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.root.chmod(0o700)
    folder.objects.mkdir(mode=0o700, exist_ok=True)
    ignore = folder.root / ".gitignore"
    if not ignore.exists():
        _write_private(ignore, "*\n")


def find_credentials(folder: ServerFolder) -> Credentials | None:
    """Read the stored credentials; None where there are none that can be used."""
    try:
        identities = json.loads(folder.identities.read_bytes())["identities"]
        pair = identities[0]["credentials"][0]
        credentials = Credentials(str(pair["accessKey"]), str(pair["secretKey"]))
    except (FileNotFoundError, ValueError, LookupError, TypeError):
        return None
    folder.identities.chmod(0o600)
    return credentials


def create_credentials(folder: ServerFolder) -> Credentials:
    """Draw new credentials and store them where the server reads its identities."""
    credentials = Credentials(f"HEAVEN{secrets.token_hex(7).upper()}", secrets.token_hex(20))
    pair = {"accessKey": credentials.access_key_id, "secretKey": credentials.secret_access_key}
    identity = {"name": "heaven", "credentials": [pair], "actions": ["Admin", "Read", "Write", "List", "Tagging"]}
    _write_private(folder.identities, json.dumps({"identities": [identity]}))
    return credentials


def find_ports(folder: ServerFolder) -> ServerPorts | None:
    """Read the remembered ports; None where there are none that can be used."""
    try:
        stored = json.loads(folder.ports.read_bytes())
        return ServerPorts(**{name: int(port) for name, port in stored.items()})
    except (FileNotFoundError, ValueError, TypeError, AttributeError):
        return None


def reserve_ports(folder: ServerFolder, remembered: ServerPorts | None) -> ServerPorts:
    """Keep each remembered port that is free, replace the others, and remember the outcome."""
    free = find_free(remembered) if remembered else set()
    chosen: list[int] = []
    for wanted in astuple(remembered) if remembered else (None,) * len(fields(ServerPorts)):
        port = wanted if wanted in free else None
        while port is None or port in chosen:
            candidate = secrets.choice(_PORTS)
            port = candidate if _is_free(candidate) else None
        chosen.append(port)
    ports = ServerPorts(*chosen)
    _write_private(folder.ports, json.dumps(asdict(ports)))
    return ports


def find_free(ports: ServerPorts) -> set[int]:
    """The ports that nobody uses, each with its gRPC port. Waits half a second for those that are being closed."""
    deadline = time.monotonic() + _CLOSING_SECONDS
    while True:
        free = {port for port in astuple(ports) if _is_free(port)}
        if len(free) == len(astuple(ports)) or time.monotonic() > deadline:
            return free
        time.sleep(_POLL_SECONDS)


def _is_free(port: int) -> bool:
    """True when nobody listens on the port or its gRPC port, on loopback or on all addresses, as weed asks it."""
    return all(_can_bind(host, number) for number in (port, port + GRPC_PORT_OFFSET) for host in ("127.0.0.1", ""))


def _can_bind(host: str, port: int) -> bool:
    with socket.socket() as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind((host, port))
        except (OSError, OverflowError):
            return False
    return True


def _write_private(path: Path, text: str) -> None:
    """Replace a file whole or not at all; nobody else can read it at any moment (mkstemp opens with mode 0600)."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    _sync_directory(path.parent)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
