"""What is said with a worker about one picture; nothing that it says is believed unseen."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from app.core.exceptions import (
    ErrorCode,
    ImageCorrupt,
    ImageError,
    ImageTooComplex,
    ImageTruncated,
    SandboxUnavailable,
)
from app.images.records import RenderedImage, RenderPlan, Rendition, Structure
from app.images.verification import Verifier
from app.services.decoder.fork_server_client import HiredWorker, WorkerExit
from app.services.decoder.plain_records import from_plain, to_plain
from app.services.decoder.wire import Announcement, ChannelClosed, ChannelGarbage
from app.services.sandbox.measures import Confinement, Measure

# What a worker may say of a picture; anything else is a fault of its own.
_REFUSALS: dict[str, type[ImageError]] = {
    ErrorCode.IMAGE_TRUNCATED.value: ImageTruncated,
    ErrorCode.IMAGE_CORRUPT.value: ImageCorrupt,
    ErrorCode.IMAGE_TOO_COMPLEX.value: ImageTooComplex,
}
_ERROR_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_PLACE = re.compile(r"[a-z0-9_]{1,64}\.py:\d{1,5}")


class WorkerDied(Exception):
    """The worker ended before its picture was done. `exit` is None when nobody could tell how."""

    def __init__(self, exit_: WorkerExit | None, *, has_begun: bool) -> None:
        self.exit = exit_
        self.has_begun = has_begun


class WorkerFailed(Exception):
    """The worker met an error that nobody foresaw; `error` names its class, `place` its line of code."""

    def __init__(self, error: str, place: str) -> None:
        self.error = error
        self.place = place


class OutputTooLarge(Exception):
    """The worker announced more bytes than a picture may become."""


@dataclass(frozen=True, slots=True)
class Job:
    """One picture to be rendered; see `ImageProcessor.render`."""

    structure: Structure
    file_size: int
    plan: RenderPlan


def hear_confinement(worker: HiredWorker, *, deadline: float) -> Confinement:
    """How far a new worker is confined, once it waits for its first picture.

    Raises:
        WorkerDied: it ended before.
        SandboxUnavailable: it could not be confined as asked.
        TimeoutError: it is not ready in time.
    """
    content = _hear(worker, has_begun=False, deadline=deadline).content
    if content.get("kind") == "refusal":
        raise SandboxUnavailable(content["detail"])
    # It has not seen a stranger's byte yet: so far it is believed.
    return Confinement.of(tuple(Measure(each) for each in content["reached"]))


def converse(worker: HiredWorker, job: Job, *, deadline: float, deliver: Callable[[Rendition], None]) -> RenderedImage:
    """The verified result; `deliver` gets each verified variant before.

    Raises:
        ImageTruncated, ImageCorrupt, ImageTooComplex: as the worker says.
        WorkerDied, WorkerFailed, OutputTooLarge, TimeoutError: as they say.
        NotAsPlanned, NotSuchRecord, ChannelGarbage: it lies, or is broken.
    """
    _ask(worker, job, deadline=deadline)
    if _hear(worker, has_begun=False, deadline=deadline).content != {"kind": "begun"}:
        raise ChannelGarbage
    verifier = Verifier(job.structure, file_size=job.file_size, plan=job.plan)
    while True:
        heard = _hear(worker, has_begun=True, deadline=deadline)
        match heard.content.get("kind"):
            case "variant":
                body = _receive(worker, heard.size, most=verifier.allowed_variant_bytes, deadline=deadline)
                deliver(verifier.accept_variant(from_plain(Rendition, heard.content.get("record"), body)))
            case "result":
                body = _receive(worker, heard.size, most=job.file_size, deadline=deadline)
                return verifier.accept_result(from_plain(RenderedImage, heard.content.get("record"), body))
            case "failed":
                raise _failure(heard)
            case _:
                raise ChannelGarbage


def _ask(worker: HiredWorker, job: Job, *, deadline: float) -> None:
    question = {"structure": to_plain(job.structure), "file_size": job.file_size, "plan": to_plain(job.plan)}
    try:
        worker.channel.send(question, job.structure.decodable, deadline=deadline)
    except ChannelClosed:
        raise WorkerDied(worker.wait_for_exit(), has_begun=False) from None


def _hear(worker: HiredWorker, *, has_begun: bool, deadline: float) -> Announcement:
    try:
        return worker.channel.announced(deadline=deadline)
    except ChannelClosed:
        raise WorkerDied(worker.wait_for_exit(), has_begun=has_begun) from None


def _receive(worker: HiredWorker, size: int, *, most: int, deadline: float) -> bytes:
    if size > most:
        raise OutputTooLarge
    try:
        return worker.channel.receive(size, deadline=deadline)
    except ChannelClosed:
        raise WorkerDied(worker.wait_for_exit(), has_begun=True) from None


def _failure(heard: Announcement) -> Exception:
    code = heard.content.get("code")
    if isinstance(code, str) and code in _REFUSALS:
        return _REFUSALS[code]()
    error, place = str(heard.content.get("error")), str(heard.content.get("place"))
    return WorkerFailed(
        error if _ERROR_NAME.fullmatch(error) else "unnamed", place if _PLACE.fullmatch(place) else "unknown"
    )
