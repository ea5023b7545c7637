"""libvips, loaded once with safe settings: known loaders only, no operation cache, one thread per picture."""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def load_vips() -> Any:
    """The pyvips module, configured. Loading takes a moment, so it happens at the first picture, in a worker thread."""
    import pyvips

    pyvips.block_untrusted_set(True)
    pyvips.cache_set_max(0)
    # Pictures run in parallel instead of the strips of one picture.
    pyvips.concurrency_set(1)
    return pyvips
