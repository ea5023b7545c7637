"""The problem answers in the API's documentation: per status, the codes it can carry and an example."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from typing import Any

from app.core.exceptions import ImageServiceError, InvalidRequest
from app.entrypoints.http.error_handlers import STATUS_BY_ERROR, VALIDATION_FAILED
from app.schemas.errors import PROBLEM_JSON, InvalidField, Problem

# What every route that asks the store can answer, whatever it is asked.
_ALWAYS = (500, 502, 503)
_RETRY_AFTER = {
    "description": "Seconds after which to repeat; there when `retryable` is true.",
    "schema": {"type": "integer", "minimum": 0},
}


def problem_answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that can refuse with these statuses; failures of the service are added."""
    return {status: _document(status) for status in sorted({*statuses, *_ALWAYS})}


@cache
def _document(status: int) -> dict[str, Any]:
    kinds = [kind for kind, its_status in STATUS_BY_ERROR.items() if its_status == status]
    if status == VALIDATION_FAILED:
        kinds.insert(0, InvalidRequest)
    document: dict[str, Any] = {
        "description": HTTPStatus(status).phrase,
        "content": {PROBLEM_JSON: {"schema": _schema(kinds), "example": _example(kinds[0], status)}},
    }
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        document["headers"] = {"Retry-After": _RETRY_AFTER}
    return document


def _schema(kinds: list[type[ImageServiceError]]) -> dict[str, Any]:
    """Written out, without references: an embedding application may have a `Problem` of its own."""
    field = InvalidField.model_json_schema()
    properties: dict[str, Any] = {
        "type": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "enum": [kind.code.value for kind in kinds]},
        "title": {"type": "string"},
        "detail": {"type": "string"},
        "request_id": {"type": "string"},
        "retryable": {"type": "boolean"},
        "errors": {"type": "array", "items": {"type": "object"} | {"properties": field["properties"]}},
        "cause": {"type": "object", "additionalProperties": {"type": "string"}, "description": "With DEBUG only."},
    }
    required = [name for name in Problem.model_fields if name not in {"errors", "cause"}]
    return {"title": "Problem", "type": "object", "properties": properties, "required": required}


def _example(kind: type[ImageServiceError], status: int) -> dict[str, Any]:
    return {
        "type": "about:blank",
        "status": status,
        "code": kind.code.value,
        "title": kind.title,
        "detail": kind.title,
        "request_id": "5f0c6f0e8d1b4a3f",
        "retryable": kind.retryable,
    }
