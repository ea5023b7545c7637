"""Multipart bodies, limited while they are read: in bytes, in files and fields, in silence and in time."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

from fastapi.exceptions import RequestValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.types import Message, Receive

from app.core.exceptions import ImageTooLarge, InvalidRequest, TooManyFiles, UploadTimedOut
from app.images.focal_points import parse_focal_point

MULTIPART_OVERHEAD_BYTES = 64 * 1024
_MAX_FIELDS = 10
_MAX_FIELD_BYTES = 4096
# As JSON writes numbers; no nan, no underscores, no digits of other scripts.
_NUMBER = re.compile(r"-?\d{1,30}(\.\d{1,30})?([eE][+-]?\d{1,3})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """What one request body may be: files and their bytes; seconds between two messages and in all."""

    max_files: int
    max_file_bytes: int
    idle_seconds: float
    total_seconds: float

    @property
    def max_bytes(self) -> int:
        """The whole body, with what multipart adds."""
        return self.max_files * self.max_file_bytes + MULTIPART_OVERHEAD_BYTES


class LimitedBody:
    """A receive channel that stops a body too large or too slow; the bytes are counted, whatever the headers said."""

    def __init__(self, receive: Receive, limits: BodyLimits) -> None:
        self._receive = receive
        self._limits = limits
        self._received_bytes = 0
        self._ends_at = time.monotonic() + limits.total_seconds

    async def __call__(self) -> Message:
        """The next message.

        Raises:
            ImageTooLarge: more bytes than allowed.
            UploadTimedOut: the client was silent, or slow, for too long.
        """
        patience = min(self._limits.idle_seconds, self._ends_at - time.monotonic())
        try:
            async with asyncio.timeout(max(patience, 0)):
                message = await self._receive()
        except TimeoutError:
            raise UploadTimedOut from None
        self._received_bytes += len(message.get("body", b""))
        check_body_size(self._received_bytes, self._limits)
        return message


def check_body_size(size: int, limits: BodyLimits) -> None:
    """Returns when a body of `size` bytes is allowed.

    Raises:
        ImageTooLarge: it is not.
    """
    if size > limits.max_bytes:
        files = "" if limits.max_files == 1 else f", {limits.max_files} files in one request"
        raise ImageTooLarge(f"A file may have at most {limits.max_file_bytes} bytes{files}.")


@asynccontextmanager
async def reading_form(request: Request, limits: BodyLimits) -> AsyncIterator[FormData]:
    """The request's multipart form; its temporary files end with the block, and with any error or disconnect.

    Raises:
        ImageTooLarge, UploadTimedOut: see `LimitedBody`; a length announced as too large is refused unread.
        TooManyFiles: more than `limits.max_files`.
        InvalidRequest: it is not a multipart form, or one with too many or too long fields.
    """
    announced = request.headers.get("content-length", "")
    check_body_size(int(announced) if announced.isdecimal() else 0, limits)
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "multipart/form-data":
        raise InvalidRequest("The request must be multipart/form-data.")
    form = await _parse(Request(request.scope, LimitedBody(request.receive, limits)), limits)
    try:
        yield form
    finally:
        await form.close()


class _WholeFormParser(MultiPartParser):
    """Refuses a form without its end: Starlette returns what there is and leaves the file begun last open."""

    def __init__(self, request: Request, limits: BodyLimits) -> None:
        self._is_whole = False
        super().__init__(
            request.headers,
            self._check_end(request.stream()),
            max_files=limits.max_files,
            max_fields=_MAX_FIELDS,
            max_part_size=_MAX_FIELD_BYTES,
        )

    def on_end(self) -> None:
        self._is_whole = True

    async def _check_end(self, chunks: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        async with aclosing(chunks):
            async for chunk in chunks:
                yield chunk
        if not self._is_whole:
            # Raised where the parser closes its files on errors.
            raise MultiPartException("it ends too early.")


async def _parse(request: Request, limits: BodyLimits) -> FormData:
    try:
        return await _WholeFormParser(request, limits).parse()
    except MultiPartException as error:
        if error.message.startswith("Too many files"):
            raise TooManyFiles(f"At most {limits.max_files} per request.") from None
        raise InvalidRequest(f"The form cannot be read: {error.message}") from None
    except ValueError:
        # A `charset` whose codec fails in its own way.
        raise InvalidRequest("The form cannot be read: its text is not in the charset it names.") from None


def require_text(form: FormData, name: str) -> str:
    """The text of a field that must be there.

    Raises:
        RequestValidationError: it is missing, or a file.
    """
    text = find_text(form, name)
    if text is None:
        raise _invalid_field(name, "Field required")
    return text


def find_text(form: FormData, name: str) -> str | None:
    """The text of a field, or None where it is missing or empty, as browsers send fields left blank.

    Raises:
        RequestValidationError: it is a file.
    """
    value = form.get(name)
    if isinstance(value, UploadFile):
        raise _invalid_field(name, "Input should be a text, not a file")
    return value or None


def find_focal_point(form: FormData) -> tuple[float, float] | None:
    """The point in `focal_x` and `focal_y`, or None where both are missing or empty.

    Raises:
        InvalidRequest: one is missing, or no number from 0 to 1.
    """
    texts = [find_text(form, name) for name in ("focal_x", "focal_y")]
    if texts == [None, None]:
        return None
    point = parse_focal_point([_parse_number(text) for text in texts])
    return point.x, point.y


def _parse_number(text: str | None) -> float:
    if text is None or not _NUMBER.fullmatch(text):
        raise InvalidRequest("A focal point needs both focal_x and focal_y, numbers from 0 to 1.")
    return float(text)


def require_files(form: FormData, name: str) -> list[UploadFile]:
    """The files of a field that must hold one at least.

    Raises:
        RequestValidationError: there is none, or the field is a text.
    """
    values = form.getlist(name)
    files = [value for value in values if isinstance(value, UploadFile)]
    if not values:
        raise _invalid_field(name, "Field required")
    if len(files) != len(values):
        raise _invalid_field(name, "Input should be a file, not a text")
    return files


def _invalid_field(name: str, message: str) -> RequestValidationError:
    return RequestValidationError([{"type": "value_error", "loc": ("body", name), "msg": message, "input": None}])
