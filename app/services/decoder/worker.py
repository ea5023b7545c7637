"""A worker: takes one picture at a time from the service, renders it, and ends with the first error."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from app.core.exceptions import ErrorCode, ImageError
from app.images.recipes import Recipe, TransformedImage
from app.images.records import RenderedImage, RenderPlan, Rendition, Structure
from app.services.decoder.plain_records import from_plain, to_plain
from app.services.decoder.wire import Message, WorkerEnd

# What libvips, libjpeg and the others say when an allocation fails.
_MEMORY_WORDS = ("out of memory", "insufficient memory", "memory allocation", "cannot allocate", "failed to allocate")

_REST_AFTER_SECONDS = 2.0


class Render(Protocol):
    """What a worker does with a picture: `app.services.decoder.engine.render_picture`, or a stand-in of a test."""

    def __call__(
        self, structure: Structure, *, file_size: int, plan: RenderPlan, emit: Callable[[Rendition], None]
    ) -> RenderedImage: ...


class TransformPicture(Protocol):
    """What it does by a recipe: `app.services.decoder.transforming.transform_picture`, or a stand-in of a test."""

    def __call__(self, structure: Structure, recipe: Recipe, *, overlay: Structure | None) -> TransformedImage: ...


@dataclass(frozen=True, slots=True)
class Skills:
    """Everything that a worker can do."""

    render: Render
    transform: TransformPicture


def work(service: WorkerEnd, skills: Skills, rest: Callable[[], object]) -> None:
    """Serves picture after picture, until the service has gone or one of them fails; `rest` when there are none."""
    while message := _next(service, rest):
        content, body = message
        # From here on the picture may be to blame for whatever happens.
        service.send({"kind": "begun"})
        try:
            _serve(service, skills, content, body)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the service is told and this worker ends
            service.send(_describe(error))
            return
        # Not held until the next one comes.
        del message, content, body


def _next(service: WorkerEnd, rest: Callable[[], object]) -> tuple[Message, bytes] | None:
    if service.is_quiet(_REST_AFTER_SECONDS):
        rest()
    return service.receive()


def _serve(service: WorkerEnd, skills: Skills, content: Message, body: bytes) -> None:
    if "recipe" in content:
        _transform(service, skills.transform, content, body)
    else:
        _render(service, skills.render, content, body)


def _render(service: WorkerEnd, render: Render, content: Message, body: bytes) -> None:
    structure = from_plain(Structure, content["structure"], body)
    plan = from_plain(RenderPlan, content["plan"])

    def emit(finished: Rendition) -> None:
        service.send({"kind": "variant", "record": to_plain(finished)}, finished.body)

    rendered = render(structure, file_size=content["file_size"], plan=plan, emit=emit)
    service.send({"kind": "result", "record": to_plain(replace(rendered, variants=()))}, rendered.body)


def _transform(service: WorkerEnd, transform: TransformPicture, content: Message, body: bytes) -> None:
    size = content["picture_size"]
    structure = from_plain(Structure, content["structure"], body[:size])
    overlay = from_plain(Structure, content["overlay"], body[size:]) if content["overlay"] else None
    transformed = transform(structure, from_plain(Recipe, content["recipe"]), overlay=overlay)
    service.send({"kind": "result", "record": to_plain(transformed)}, transformed.body)


def _describe(error: BaseException) -> Message:
    """The failure as a code; of an error that nobody foresaw, its class and the line of code too, never its text."""
    if _is_about_memory(error):
        return {"kind": "failed", "code": ErrorCode.IMAGE_TOO_COMPLEX.value}
    if isinstance(error, ImageError):
        return {"kind": "failed", "code": error.code.value}
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else ""
    return {"kind": "failed", "code": ErrorCode.INTERNAL_ERROR.value, "error": type(error).__name__, "place": place}


def _is_about_memory(error: BaseException | None) -> bool:
    for _ in range(10):
        if error is None:
            return False
        if isinstance(error, MemoryError) or any(word in str(error).lower() for word in _MEMORY_WORDS):
            return True
        error = error.__cause__ or error.__context__
    return False
