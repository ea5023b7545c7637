"""The C library's allocator, set so that the memory of a long-lived service stays flat."""

from __future__ import annotations

import ctypes
import sys

# mallopt(3): parameters of glibc's malloc.h.
_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
_ARENAS = 2
# Above what a socket is read in, so that the pieces of a request's body are not mapped and unmapped one by one: at
# 128 KiB that doubled the cost of reading an upload.
_MMAP_THRESHOLD_BYTES = 1024 * 1024


def keep_memory_flat() -> bool:
    """Limits glibc to two arenas and returns large blocks to the system at once; whether that was possible.

    Each thread that handles pictures otherwise keeps an arena as large as the largest it ever saw. Where the allocator
    is another one (musl, macOS, Windows) nothing happens.
    """
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_M_ARENA_MAX, _ARENAS) and mallopt(_M_MMAP_THRESHOLD, _MMAP_THRESHOLD_BYTES))
