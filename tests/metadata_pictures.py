"""Every picture with planted metadata, by name: all containers, all places that may hold something.

    content = PLANTED["jpeg exif"].make()

The same name always gives the same bytes.
"""

from __future__ import annotations

from tests.planted import gifs, heifs, jpegs, pngs, tiffs, webps
from tests.planted.registry import PLANTED

__all__ = ["PLANTED", "gifs", "heifs", "jpegs", "pngs", "tiffs", "webps"]
