"""Plain pyvips as its readme is usually copied: one `thumbnail_buffer` per file that is wanted."""

from __future__ import annotations

from collections.abc import Callable

import pyvips

from benchmarks.peers.work import Renditions, Work

_UNBOUNDED_HEIGHT = 10_000_000
_SUFFIXES = {"jpeg": ".jpg", "webp": ".webp"}


def naive_pyvips(work: Work) -> Callable[[], Renditions]:
    """Every file from the original, with shrink-on-load, upright, threads as they come."""

    def run() -> Renditions:
        made: Renditions = {}
        for width, _ in work.sizes:
            for name, quality in work.formats.items():
                image = pyvips.Image.thumbnail_buffer(work.content, width, height=_UNBOUNDED_HEIGHT)
                made[f"{width}.{name}"] = image.write_to_buffer(_SUFFIXES[name], Q=quality)
        return made

    return run
