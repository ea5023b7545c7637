"""Small JSON bodies, limited while they are read: in bytes, in silence and in time."""

from __future__ import annotations

from typing import Any, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from app.core.config import Settings
from app.core.exceptions import ImageTooLarge, InvalidRequest, TooManyFiles
from app.entrypoints.http.request_body import BodyLimits, LimitedBody

MAX_JSON_BYTES = 16 * 1024

Model = TypeVar("Model", bound=BaseModel)


def json_limits(settings: Settings, *, max_bytes: int = MAX_JSON_BYTES) -> BodyLimits:
    """Limits of a JSON body, in the times of uploads."""
    return BodyLimits(
        max_files=1,
        max_file_bytes=max_bytes,
        idle_seconds=settings.upload_idle_timeout_seconds,
        total_seconds=settings.upload_total_timeout_seconds,
    )


async def read_json(request: Request, model: type[Model], *, limits: BodyLimits) -> Model:
    """The request's JSON body as this model.

    Raises:
        InvalidRequest: it is not announced as JSON.
        RequestValidationError: it is no JSON, or not such a model; the fields are named.
        TooManyFiles, UploadTimedOut: it is too large, or came too slowly.
    """
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        raise InvalidRequest("The request must be application/json.")
    try:
        body = await Request(request.scope, LimitedBody(request.receive, limits)).body()
    except ImageTooLarge:
        raise TooManyFiles(f"The body of this request has at most {limits.max_bytes} bytes.") from None
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise RequestValidationError([_field(fault) for fault in error.errors(include_url=False)]) from None


def json_body(model: type[BaseModel]) -> dict[str, Any]:
    """The body in the API's documentation."""
    return {"required": True, "content": {"application/json": {"schema": model.model_json_schema()}}}


def _field(fault: Any) -> dict[str, Any]:
    """Without what was sent: it may hold anything, and is nothing to repeat."""
    return {"type": fault["type"], "loc": ("body", *fault["loc"]), "msg": fault["msg"], "input": None}
