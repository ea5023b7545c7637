"""libvips, loaded once with safe settings: known loaders only, no operation cache, one thread per picture."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from app.core.exceptions import InternalError

_loaded_in_process: int | None = None


def check_not_forked() -> None:
    """Returns when libvips is not loaded yet, or was by this very process: it does not survive a fork, calls hang.

    Raises:
        InternalError: the parent had processed pictures before it forked.
    """
    if _loaded_in_process not in {None, os.getpid()}:
        raise InternalError(
            "This process was forked after pictures had been processed: fork before the first upload, or spawn."
        )


@cache
def load_vips() -> Any:
    """The pyvips module, configured. Loading takes a moment, so it happens at the first picture, in a worker thread."""
    global _loaded_in_process
    _loaded_in_process = os.getpid()
    import pyvips

    pyvips.block_untrusted_set(True)
    pyvips.cache_set_max(0)
    # Pictures run in parallel instead of the strips of one picture.
    pyvips.concurrency_set(1)
    return pyvips
