"""A fork server's entry whose workers do what the picture tells them: render truly, stall, crash, lie."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import time
from collections.abc import Callable

from app.core.exceptions import ImageTruncated
from app.images.recipes import Recipe, TransformedImage
from app.images.records import RenderedImage, RenderPlan, Rendition, Structure
from app.services.decoder import fork_server
from app.services.decoder.wire import WorkerEnd
from tests.services.workers.jobs import Job, framed
from tests.services.workers.lies import LIES
from tests.services.workers.transform_lies import TRANSFORM_LIES, honest

SECRET = "a-secret-of-the-picture"


def main(argument: str) -> None:
    """Runs the fork server with these workers."""
    fork_server.main(argument, render, transform)


def render(
    structure: Structure, *, file_size: int, plan: RenderPlan, emit: Callable[[Rendition], None]
) -> RenderedImage:
    """Does what the picture says: the name of a behaviour, and what it needs."""
    name, _, rest = structure.decodable.partition(b" ")
    return BEHAVIOURS[name.decode()](Job(structure, file_size, plan, emit, rest))


def transform(structure: Structure, recipe: Recipe, *, overlay: Structure | None) -> TransformedImage:
    """As `render`: a picture names the lie to tell of its transform, or one of the few other behaviours."""
    name, _, rest = structure.decodable.partition(b" ")
    if name == b"lie":
        return TRANSFORM_LIES[rest.decode()](recipe)
    if name == b"echo":
        # Unless both arrived as they were sent, this fails as a damaged picture.
        assert overlay
        assert (rest, overlay.decodable, overlay.width) == (b"picture", b"mark", 7)
        return honest(recipe)
    BEHAVIOURS[name.decode()](Job(structure, len(structure.decodable), RenderPlan(), lambda _: None, rest))
    raise AssertionError


def _honest(job: Job) -> RenderedImage:
    """Renders as planned, after as many seconds as the picture says."""
    time.sleep(float(job.rest.strip(b"\0") or 0))
    for rendition in job.renditions():
        job.emit(rendition)
    return job.result()


def _one(job: Job) -> RenderedImage:
    """Tells of one variant, then stalls."""
    job.emit(job.renditions()[0])
    return _stall(job)


def _stall(_: Job) -> RenderedImage:
    time.sleep(3600)
    raise AssertionError


def _spin(_: Job) -> RenderedImage:
    while True:
        pass


def _truncated(_: Job) -> RenderedImage:
    raise ImageTruncated(SECRET)


def _unforeseen(_: Job) -> RenderedImage:
    raise KeyError(SECRET)


def _exhaust(_: Job) -> RenderedImage:
    hoard = []
    while True:
        hoard.append(bytes(16 * 1024**2))


def _hoard(job: Job) -> RenderedImage:
    """Renders truly, with 100 MB in small pieces on the way."""
    pieces = [bytes(100_000) for _ in range(1_000)]
    pieces.clear()
    return _honest(job)


def _die(job: Job) -> RenderedImage:
    """By the signal that the picture names."""
    signal.raise_signal(int(job.rest))
    return _stall(job)


def _null(_: Job) -> RenderedImage:
    ctypes.string_at(0)
    raise AssertionError


def _leave(_: Job) -> RenderedImage:
    os._exit(0)


def _say(job: Job) -> RenderedImage:
    """The rest of the picture, straight onto the wire."""
    os.write(_wire(), job.rest)
    return _stall(job)


def _announce(job: Job) -> RenderedImage:
    """A variant with more bytes than anyone has."""
    os.write(_wire(), framed(b'{"kind":"variant","record":{}}', 0xFFFF_FFFF))
    return _stall(job)


def _bloat(job: Job) -> RenderedImage:
    """An original that is longer than the file sent."""
    return job.result(body=bytes(job.file_size + 1))


def _lie(job: Job) -> RenderedImage:
    return LIES[job.rest.decode()](job)


def _wire() -> int:
    """The worker's end of the channel, found as an intruder finds it."""
    return next(each for each in gc.get_objects() if isinstance(each, WorkerEnd))._descriptor


BEHAVIOURS: dict[str, Callable[[Job], RenderedImage]] = {
    "honest": _honest,
    "one": _one,
    "stall": _stall,
    "spin": _spin,
    "truncated": _truncated,
    "unforeseen": _unforeseen,
    "exhaust": _exhaust,
    "hoard": _hoard,
    "die": _die,
    "null": _null,
    "leave": _leave,
    "say": _say,
    "announce": _announce,
    "bloat": _bloat,
    "lie": _lie,
}
