"""What the C library's allocator keeps of freed memory, given back to the system."""

from __future__ import annotations

import ctypes
import sys
from typing import Any


def _find_trim() -> Any:
    """malloc_trim(3), which only glibc has; looked up where files may still be opened."""
    return getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None


_trim = _find_trim()


def give_memory_back() -> None:
    """Returns freed pages to the system, where the allocator can."""
    if _trim is not None:
        _trim(0)
