"""The error body on the wire: RFC 9457 problem+json, with the stable code."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from app.core.exceptions import ErrorCode, ImageServiceError

__all__ = ["ErrorCode", "InvalidField", "Problem", "problem_of"]

PROBLEM_JSON = "application/problem+json"


class InvalidField(BaseModel):
    """One field of a request that did not validate."""

    field: str = Field(examples=["body.image_type"])
    message: str = Field(examples=["Field required"])


class Problem(BaseModel):
    """RFC 9457 problem details. `code` is the contract; `title` and `detail` are for people."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "about:blank",
                    "status": 404,
                    "code": "IMAGE_NOT_FOUND",
                    "title": "There is no image at this key.",
                    "detail": "There is no image at this key.",
                    "request_id": "5f0c6f0e8d1b4a3f",
                    "retryable": False,
                }
            ]
        }
    )

    type: str = "about:blank"
    status: int
    code: ErrorCode
    title: str
    detail: str
    request_id: str
    retryable: bool
    errors: list[InvalidField] | None = None
    cause: dict[str, str] | None = None


def problem_of(
    error: ImageServiceError,
    *,
    status: int,
    request_id: str,
    debug: bool,
    errors: list[InvalidField] | None = None,
) -> Problem:
    """The public body of an error; the cause only when `debug` is on, a secret never."""
    return Problem(
        status=status,
        code=error.code,
        title=error.title,
        detail=error.detail,
        request_id=request_id,
        retryable=error.retryable,
        errors=errors,
        cause=error.cause if debug and error.cause else None,
    )
