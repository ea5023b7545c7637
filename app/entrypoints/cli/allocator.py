"""The C library's allocator, set so that the memory of a long-lived service stays flat."""

from __future__ import annotations

import ctypes
import sys

# mallopt(3): parameters of glibc's malloc.h.
_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
_ARENAS = 2
_MMAP_THRESHOLD_BYTES = 128 * 1024


def keep_memory_flat() -> bool:
    """Limits glibc to two arenas and returns large blocks to the system at once; whether that was possible.

    Each decoding thread otherwise keeps an arena as large as the largest picture it ever saw. Where the allocator is
    another one (musl, macOS, Windows) nothing happens.
    """
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_M_ARENA_MAX, _ARENAS) and mallopt(_M_MMAP_THRESHOLD, _MMAP_THRESHOLD_BYTES))
