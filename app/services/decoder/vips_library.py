"""The image libraries, imported without being used, and libvips configured once a process begins to use it."""

from __future__ import annotations

import os
from functools import cache
from importlib import import_module
from typing import Any

from app.core.exceptions import InternalError

# Pillow, numpy and pyvips import parts of themselves at the first use, from files that a confined worker cannot read.
_CODEC_MODULES = (
    "numpy",
    # For np.unique.
    "numpy.ma",
    "pyvips",
    "pi_heif",
    "PIL.AvifImagePlugin",
    "PIL.Image",
    "PIL.ImageOps",
    "PIL.JpegImagePlugin",
    "PIL.PngImagePlugin",
    # For EXIF, of any format.
    "PIL.TiffImagePlugin",
    "PIL.WebPImagePlugin",
)
_loaded_in_process: int | None = None


def import_codecs() -> None:
    """Loads every library that rendering needs. None of them is used yet, so this process may still fork."""
    for name in _CODEC_MODULES:
        import_module(name)


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
    """The pyvips module, configured: known loaders only, no operation cache, one thread per picture."""
    global _loaded_in_process
    _loaded_in_process = os.getpid()
    import pyvips

    pyvips.block_untrusted_set(True)
    pyvips.cache_set_max(0)
    # Pictures run in parallel instead of the strips of one picture.
    pyvips.concurrency_set(1)
    return pyvips
