"""Errors → answers: one status per error class, one problem+json body for everything that goes wrong."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from app.core import exceptions as errors
from app.core.exceptions import ImageServiceError
from app.core.logging import get_logger
from app.entrypoints.http.request_id import request_id_of
from app.schemas.errors import PROBLEM_JSON, InvalidField, Problem, problem_of

RETRY_AFTER_SECONDS = 2
CLIENT_CLOSED_REQUEST = 499
VALIDATION_FAILED = 422

STATUS_BY_ERROR: dict[type[ImageServiceError], int] = {
    errors.ConfigurationError: 500,
    errors.EmbeddedS3Unavailable: 503,
    errors.AuthKeysUnavailable: 503,
    errors.SandboxUnavailable: 500,
    errors.ProcessingOverloaded: 503,
    errors.InternalError: 500,
    errors.InvalidRequest: 400,
    errors.InvalidImageType: 400,
    errors.InvalidUserId: 400,
    errors.InvalidImageKey: 400,
    errors.InvalidExpiry: 400,
    errors.InvalidCursor: 400,
    errors.InvalidTransform: 400,
    errors.InvalidSignature: 403,
    errors.UrlExpired: 403,
    errors.InvalidGrant: 403,
    errors.TooManyFiles: 413,
    errors.UploadTimedOut: 408,
    errors.RangeNotSatisfiable: 416,
    errors.AuthenticationRequired: 401,
    errors.AccessForbidden: 403,
    errors.ImageNotFound: 404,
    errors.ImageEmpty: 422,
    errors.ImageTooLarge: 413,
    errors.ImageTooManyPixels: 422,
    errors.ImageTooManyFrames: 422,
    errors.ImageTooComplex: 422,
    errors.ImageFormatUnsupported: 415,
    errors.ImageTruncated: 422,
    errors.ImageCorrupt: 422,
    errors.S3ConnectionFailed: 503,
    errors.S3Unavailable: 503,
    errors.S3UploadFailed: 502,
    errors.S3DownloadFailed: 502,
    errors.S3DeleteFailed: 502,
    errors.S3ListFailed: 502,
    errors.S3BucketNotFound: 502,
    errors.S3AccessDenied: 502,
    errors.S3InvalidCredentials: 502,
    errors.S3ClockSkewed: 502,
    errors.S3WrongRegion: 502,
}

# What the framework, or an embedding application's `authenticate`, refuses with nothing but a status.
_ERROR_BY_STATUS: dict[int, type[ImageServiceError]] = {
    401: errors.AuthenticationRequired,
    403: errors.AccessForbidden,
    408: errors.UploadTimedOut,
    413: errors.ImageTooLarge,
}
_SENTENCES = {404: "There is nothing at this address.", 405: "This address does not answer that method."}

_log = get_logger("heaven.http")


def status_of(error: ImageServiceError) -> int:
    """The HTTP status of an error; a subclass without an entry of its own has its base's."""
    for kind in type(error).__mro__:
        if kind in STATUS_BY_ERROR:
            return STATUS_BY_ERROR[kind]
    return 500


def describe(error: ImageServiceError, request: Request, *, debug: bool) -> Problem:
    """The error as the problem that this request's answer shows."""
    return problem_of(error, status=status_of(error), request_id=request_id_of(request.scope), debug=debug)


def answer_error(request: Request, error: Exception, *, debug: bool) -> Response:
    """The answer to a request that ended with this error; what an operator has to know goes to the log."""
    if isinstance(error, ClientDisconnect):
        return Response(status_code=CLIENT_CLOSED_REQUEST)
    if isinstance(error, RequestValidationError):
        return _answer_invalid_fields(request, error, debug=debug)
    if isinstance(error, HTTPException):
        return _answer_http_exception(request, error, debug=debug)
    if isinstance(error, ImageServiceError):
        return answer_service_error(request, error, status=status_of(error), debug=debug)
    _log.error("unhandled_exception", request_id=request_id_of(request.scope), exc_info=error)
    internal = errors.InternalError(cause={"exception": type(error).__name__})
    return _answer(request, describe(internal, request, debug=debug))


def add_error_handler(app: FastAPI, kind: type[Exception] = ImageServiceError, *, debug: bool = False) -> None:
    """Answers errors of this kind that leave any route of the application; by default those of the image service.

    For an application that calls `image_service` in routes of its own: without it such an error is its 500.
    """

    async def answer(request: Request, error: Exception) -> Response:
        return answer_error(request, error, debug=debug)

    app.add_exception_handler(kind, answer)


def answer_service_error(
    request: Request,
    error: ImageServiceError,
    *,
    status: int,
    debug: bool,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The problem answer to an error of ours, with the headers that its status calls for."""
    request_id = request_id_of(request.scope)
    if status >= 500:
        # Refusing a crowd is what is meant to happen.
        tell = _log.warning if isinstance(error, errors.ProcessingOverloaded) else _log.error
        tell("request_failed", request_id=request_id, code=error.code.value, status=status, cause=error.cause)
    problem = problem_of(error, status=status, request_id=request_id, debug=debug)
    return _answer(request, problem, headers=_headers_for(error, status) | dict(headers or {}))


def _headers_for(error: ImageServiceError, status: int) -> dict[str, str]:
    if status == 503 and error.retryable:
        return {"Retry-After": str(RETRY_AFTER_SECONDS)}
    if status == 401:
        return {"WWW-Authenticate": "Bearer"}
    if isinstance(error, errors.RangeNotSatisfiable):
        return {"Content-Range": f"bytes */{error.size}"}
    return {}


def _answer_invalid_fields(request: Request, error: RequestValidationError, *, debug: bool) -> Response:
    fields = [
        InvalidField(field=".".join(str(part) for part in entry["loc"]), message=str(entry["msg"]))
        for entry in error.errors()
    ]
    problem = problem_of(
        errors.InvalidRequest("Some fields of the request are missing or wrong."),
        status=VALIDATION_FAILED,
        request_id=request_id_of(request.scope),
        debug=debug,
        errors=fields,
    )
    return _answer(request, problem)


def _answer_http_exception(request: Request, error: HTTPException, *, debug: bool) -> Response:
    fallback = errors.InternalError if error.status_code >= 500 else errors.InvalidRequest
    kind = _ERROR_BY_STATUS.get(error.status_code, fallback)
    sentence = _SENTENCES.get(error.status_code) or (error.detail if isinstance(error.detail, str) else None)
    return answer_service_error(request, kind(sentence), status=error.status_code, debug=debug, headers=error.headers)


def _answer(request: Request, problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    body = problem.model_dump_json(exclude_none=True).encode()
    answer = Response(body, status_code=problem.status, media_type=PROBLEM_JSON, headers=headers)
    answer.headers["Cache-Control"] = "no-store"
    if request.method == "HEAD":
        answer.body = b""
    return answer
