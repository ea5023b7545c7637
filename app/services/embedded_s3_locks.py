"""File locks that the kernel releases when their holder dies: who starts, who uses, who serves the embedded S3."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

from app.core.exceptions import EmbeddedS3Unavailable

_POLL_SECONDS = 0.01


def require_file_locks() -> None:
    """Raises: EmbeddedS3Unavailable where the platform has no flock (Windows); repeating does not help."""
    if fcntl is None:
        raise EmbeddedS3Unavailable(
            "The embedded S3 store needs a POSIX system (Linux, macOS, WSL). "
            "Set S3_ENDPOINT_URL and S3_BUCKET_NAME to use any S3 store."
        )


@contextlib.contextmanager
def exclusive_lock(path: Path, timeout_seconds: float) -> Iterator[int]:
    """Hold the lock alone and yield its descriptor.

    Raises: EmbeddedS3Unavailable when another process keeps the lock for longer; repeating later may help.
    """
    descriptor = _open_lock(path)
    try:
        deadline = time.monotonic() + timeout_seconds
        while not _try_lock(descriptor, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                _give_up_on(path, timeout_seconds)
            time.sleep(_POLL_SECONDS)
        yield descriptor
    finally:
        os.close(descriptor)


def _give_up_on(path: Path, timeout_seconds: float) -> NoReturn:
    raise EmbeddedS3Unavailable(
        f"Another process has been starting or stopping the embedded S3 for over {timeout_seconds:.0f} s. "
        "Wait for it, or end it.",
        cause={"lock": str(path)},
    )


def is_locked(path: Path) -> bool:
    """True while somebody holds the lock alone. Asks for a shared lock, so that askers do not see each other."""
    try:
        descriptor = _open_lock(path)
    except FileNotFoundError:
        return False
    try:
        return not _try_lock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


class SharedUse:
    """One user's share of the server. The kernel gives it back when the process dies, however it dies.

    Call the methods only while holding the start lock: turning a shared lock into an exclusive one is not atomic.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = _open_lock(path)
        self._process = os.getpid()

    @property
    def is_inherited(self) -> bool:
        """True in a forked child: unlocking there would take the parent's share away."""
        return self._process != os.getpid()

    def is_the_only_one(self) -> bool:
        """Tell whether nobody else has a share. Afterwards the own share may be lost: hold it again, or close."""
        return _try_lock(self._descriptor, fcntl.LOCK_EX)

    def hold(self) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    def close(self) -> None:
        os.close(self._descriptor)


def _open_lock(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
