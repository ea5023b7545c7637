"""Resource limits of a worker process, which it cannot raise again."""

from __future__ import annotations

import sys

if sys.platform != "win32":
    # Here and not where it is used: by then there are no files.
    import resource

# Threads of the whole user: 128 workers, the most there can be, with eight each.
_MAX_THREADS = 1024


def limit_resources(*, memory_bytes: int, cpu_seconds: int) -> None:
    """Bounds this process: everything mapped to `memory_bytes`, CPU over its whole life to `cpu_seconds`.

    Also no file grows, no core is written, no memory is locked, and no descriptor can be opened beside those that are
    open: a call that would make one fails. Mapped is more than resident, so resident memory stays below, shared memory
    and libraries included. macOS does not enforce the bound on memory.

    Raises:
        OSError: the system lacks one of these limits; the others hold.
    """
    if sys.platform == "win32":
        raise OSError("Windows has no resource limits")
    limits = {
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_CPU: cpu_seconds,
        resource.RLIMIT_NOFILE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
    }
    refusals = [refusal for limit, most in limits.items() if (refusal := _lower(limit, most))]
    if refusals:
        raise OSError(refusals[0])


def limit_threads() -> None:
    """Bounds the threads and processes of this user, wherever they were started: for users that are ours alone.

    Raises:
        OSError: the system refused.
    """
    if refusal := _lower(resource.RLIMIT_NPROC, _MAX_THREADS):
        raise OSError(refusal)


def _lower(limit: int, most: int) -> str:
    """Sets both bounds of a limit, never above what it was; why the system refused, or nothing."""
    _, hard = resource.getrlimit(limit)
    bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
    try:
        resource.setrlimit(limit, (bound, bound))
    except (OSError, ValueError) as error:
        return str(error)
    return ""
