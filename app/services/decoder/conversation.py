"""What is said with a worker about one picture; nothing that it says is believed unseen."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from app.core.exceptions import (
    ErrorCode,
    ImageCorrupt,
    ImageError,
    ImageTooComplex,
    ImageTruncated,
    SandboxUnavailable,
)
from app.images.records import Rendition, Structure
from app.services.decoder.fork_server_client import HiredWorker, WorkerExit
from app.services.decoder.wire import Announcement, ChannelClosed, ChannelGarbage, Message
from app.services.sandbox.measures import Confinement, Measure

# What a worker may say of a picture; anything else is a fault of its own.
_REFUSALS: dict[str, type[ImageError]] = {
    ErrorCode.IMAGE_TRUNCATED.value: ImageTruncated,
    ErrorCode.IMAGE_CORRUPT.value: ImageCorrupt,
    ErrorCode.IMAGE_TOO_COMPLEX.value: ImageTooComplex,
}
Answer_co = TypeVar("Answer_co", covariant=True)
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


class Job(Protocol[Answer_co]):
    """Something to be done with one picture: `RenderJob` or `TransformJob`."""

    @property
    def structure(self) -> Structure: ...

    @property
    def file_size(self) -> int: ...

    def question(self) -> tuple[Message, bytes]:
        """What the worker is asked."""
        ...

    def hear_answer(self, talk: Talk, *, deliver: Callable[[Rendition], None]) -> Answer_co:
        """The verified answer; raises as `converse` does."""
        ...


@dataclass(frozen=True, slots=True)
class Talk:
    """A conversation that has begun, until `deadline`."""

    worker: HiredWorker
    deadline: float

    def hear(self) -> Announcement:
        """The next message, without its bytes; no failure.

        Raises:
            ImageTruncated, ImageCorrupt, ImageTooComplex, WorkerFailed: the worker says that it failed.
            WorkerDied, TimeoutError, ChannelGarbage: it says nothing.
        """
        heard = _hear(self.worker, has_begun=True, deadline=self.deadline)
        if heard.content.get("kind") == "failed":
            raise _failure(heard)
        return heard

    def receive(self, size: int, *, most: int) -> bytes:
        """The bytes of a message.

        Raises:
            OutputTooLarge: it announced more than `most`.
            WorkerDied, TimeoutError: they did not come.
        """
        if size > most:
            raise OutputTooLarge
        try:
            return self.worker.channel.receive(size, deadline=self.deadline)
        except ChannelClosed:
            raise WorkerDied(self.worker.wait_for_exit(), has_begun=True) from None


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


def converse(
    worker: HiredWorker, job: Job[Answer_co], *, deadline: float, deliver: Callable[[Rendition], None]
) -> Answer_co:
    """The verified answer; `deliver` gets each verified variant before.

    Raises:
        ImageTruncated, ImageCorrupt, ImageTooComplex: as the worker says.
        WorkerDied, WorkerFailed, OutputTooLarge, TimeoutError: as they say.
        NotAsPlanned, NotSuchRecord, ChannelGarbage: it lies, or is broken.
    """
    try:
        worker.channel.send(*job.question(), deadline=deadline)
    except ChannelClosed:
        raise WorkerDied(worker.wait_for_exit(), has_begun=False) from None
    if _hear(worker, has_begun=False, deadline=deadline).content != {"kind": "begun"}:
        raise ChannelGarbage
    return job.hear_answer(Talk(worker, deadline), deliver=deliver)


def _hear(worker: HiredWorker, *, has_begun: bool, deadline: float) -> Announcement:
    try:
        return worker.channel.announced(deadline=deadline)
    except ChannelClosed:
        raise WorkerDied(worker.wait_for_exit(), has_begun=has_begun) from None


def _failure(heard: Announcement) -> Exception:
    code = heard.content.get("code")
    if isinstance(code, str) and code in _REFUSALS:
        return _REFUSALS[code]()
    error, place = str(heard.content.get("error")), str(heard.content.get("place"))
    return WorkerFailed(
        error if _ERROR_NAME.fullmatch(error) else "unnamed", place if _PLACE.fullmatch(place) else "unknown"
    )
