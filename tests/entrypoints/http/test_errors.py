"""Everything that goes wrong: one status per error, one shape of answer, nothing that a stranger should not read."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import HTTPException
from fastapi.testclient import TestClient

from app.core import exceptions
from app.core.exceptions import ErrorCode, ImageServiceError, S3AccessDenied, S3Unavailable
from app.core.logging import configure_logging, redact
from app.entrypoints.http.app import create_app
from app.entrypoints.http.error_handlers import STATUS_BY_ERROR
from app.services.memory_store import MemoryStore
from app.services.protocols import StoredObject
from tests.conftest import make_image_service
from tests.entrypoints.http.conftest import CONNECTION, Api, ServicesOf, assert_problem, make_settings, run_api

KEY = "users/123/20241201_143022_a1b2c3d4.jpg"
CAUSE = {"operation": "HeadObject", "s3_code": "AccessDenied", "s3_message": "arn:aws:iam::123456789012 is not allowed"}


class FailingStore(MemoryStore):
    """A store that answers everything with one error."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    async def head(self, key: str) -> StoredObject | None:
        raise self.error


def api_with(error: Exception, **settings: Any) -> Iterator[Api]:
    return run_api(make_image_service(FailingStore(error), CONNECTION), make_settings(**settings))


def concrete_errors(root: type[ImageServiceError] = ImageServiceError) -> list[type[ImageServiceError]]:
    """Every error class that has a code."""
    found = [kind for child in root.__subclasses__() for kind in concrete_errors(child)]
    return found + ([root] if "code" in vars(root) else [])


def test_every_error_has_a_status() -> None:
    """No error of this service leaves without a status that was chosen for it."""
    ours = {kind for kind in concrete_errors() if getattr(exceptions, kind.__name__, None) is kind}

    assert ours == set(STATUS_BY_ERROR)
    assert {kind.code for kind in ours} == set(ErrorCode)
    assert all(400 <= status <= 599 for status in STATUS_BY_ERROR.values())


def test_statuses_agree_with_whose_fault_it_is() -> None:
    """What the caller can mend is 4xx, everything else 5xx; what may pass by itself is 503 or 408."""
    for kind, status in STATUS_BY_ERROR.items():
        assert (status < 500) == (kind.fault == "caller"), kind
        assert not kind.retryable or status in {408, 503}, kind


def test_store_that_fails_for_a_while() -> None:
    """Clients are told to repeat, and when."""
    for api in api_with(S3Unavailable(cause=CAUSE)):
        answer = api.client.get(f"/api/v1/images/{KEY}")

    assert assert_problem(answer, 503, "S3_UNAVAILABLE")["retryable"]
    assert int(answer.headers["retry-after"]) > 0


def test_cause_stays_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Without DEBUG nothing of what the store said reaches the client; the log has it under the request's id."""
    for api in api_with(S3AccessDenied(cause=CAUSE)):
        answer = api.client.get(f"/api/v1/images/{KEY}", headers={"X-Request-ID": "find-me"})

    assert_problem(answer, 502, "S3_ACCESS_DENIED")
    assert "cause" not in answer.json()
    assert "arn:aws" not in answer.text
    [record] = [record for record in caplog.records if record.getMessage() == "request_failed"]
    assert vars(record)["cause"] == CAUSE
    assert vars(record)["request_id"] == "find-me"


def test_cause_is_shown_with_debug() -> None:
    """With DEBUG the client sees what the store said."""
    for api in api_with(S3AccessDenied(cause=CAUSE), debug=True):
        answer = api.client.get(f"/api/v1/images/{KEY}")

    assert assert_problem(answer, 502, "S3_ACCESS_DENIED")["cause"] == CAUSE


@pytest.mark.parametrize("debug", [False, True])
def test_unexpected_failure(caplog: pytest.LogCaptureFixture, debug: bool) -> None:
    """A bug of ours answers as a problem too; its text and traceback are for the log alone."""
    for api in api_with(ZeroDivisionError("secret=42"), debug=debug):
        answer = api.client.get(f"/api/v1/images/{KEY}")

    problem = assert_problem(answer, 500, "INTERNAL_ERROR")
    assert "secret" not in answer.text
    assert problem.get("cause") == ({"exception": "ZeroDivisionError"} if debug else None)
    [record] = [record for record in caplog.records if record.getMessage() == "unhandled_exception"]
    assert record.exc_info
    assert vars(record)["request_id"] == problem["request_id"]


def test_failure_outside_the_routes(memory_image_service: Any) -> None:
    """Also what breaks in the application around the routes answers as a problem, with the request's id."""
    app = create_app(ServicesOf(memory_image_service, make_settings()))

    @app.get("/broken")
    def broken() -> None:
        raise ZeroDivisionError

    @app.get("/teapot")
    def teapot() -> None:
        raise HTTPException(418, "short and stout", headers={"X-Spout": "yes"})

    with TestClient(app) as client:
        assert_problem(client.get("/broken"), 500, "INTERNAL_ERROR")
        refused = client.get("/teapot")
    assert assert_problem(refused, 418, "REQUEST_INVALID")["detail"] == "short and stout"
    assert refused.headers["x-spout"] == "yes"


def test_unknown_address(api: Api) -> None:
    """An address that does not exist answers in the same shape."""
    assert_problem(api.client.get("/nowhere"), 404, "REQUEST_INVALID")
    assert_problem(api.client.get("/api/v1/"), 404, "REQUEST_INVALID")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/api/v1/images", "GET, POST"),
        ("POST", f"/api/v1/images/{KEY}", "DELETE, GET, HEAD, PATCH"),
        ("OPTIONS", f"/api/v1/files/{KEY}", "GET, HEAD"),
        ("POST", "/healthz", "GET"),
    ],
)
def test_method_that_an_address_does_not_know(api: Api, method: str, path: str, allowed: str) -> None:
    """A wrong method answers in the same shape and lists all that would do."""
    answer = api.client.request(method, path)

    assert_problem(answer, 405, "REQUEST_INVALID")
    assert answer.headers["allow"] == allowed


@pytest.mark.parametrize("sent", ["a", "A-Z_0.9", "x" * 64])
def test_request_id_of_the_client_is_kept(api: Api, sent: str) -> None:
    """A client that names its request finds the name in the answer."""
    assert api.client.get("/healthz", headers={"X-Request-ID": sent}).headers["x-request-id"] == sent


@pytest.mark.parametrize("sent", [b"", b"x" * 65, b"a b", b"a,b", b"<script>", "é".encode()])
def test_request_id_that_is_not_sane(api: Api, sent: bytes) -> None:
    """Anything else is replaced."""
    answer = api.client.get("/nowhere", headers=[(b"X-Request-ID", sent)])

    assert re.fullmatch(r"[0-9a-f]{16}", answer.headers["x-request-id"])
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


def test_every_request_has_a_line_in_the_log(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    """One line per request, without the query string, where signatures and tokens stand."""
    caplog.set_level(logging.INFO, "heaven.access")
    api.client.get("/api/v1/nowhere%0aforged?token=abc", headers={"X-Request-ID": "one"})

    [record] = [record for record in caplog.records if record.name == "heaven.access"]
    line = vars(record)
    assert (line["method"], line["path"], line["status"], line["request_id"]) == (
        "GET",
        "/api/v1/nowhere%0Aforged",
        404,
        "one",
    )
    assert line["duration_ms"] > 0
    assert "abc" not in str(line)


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_log_holds_no_secrets(capsys: pytest.CaptureFixture[str], log_format: str) -> None:
    """Tokens and signatures are blotted out of every record, also of other libraries', tracebacks included."""
    configure_logging(make_settings(log_format=log_format))
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
    log = logging.getLogger("somebody.else")
    log.warning("sent Authorization: Bearer %s to us", "opaque-token")
    log.warning("fetched /a.jpg?X-Amz-Expires=5&X-Amz-Signature=0123abcd&x=1", extra={"jwt_secret": "hush", "n": 1})
    log.error("failed", exc_info=ValueError(token))

    text = capsys.readouterr().err
    assert "X-Amz-Expires=5" in text
    assert "ValueError" in text
    for secret in ("opaque-token", "0123abcd", "hush", token, "c2lnbmF0dXJl"):
        assert secret not in text
    if log_format == "json":
        records = [json.loads(line) for line in text.splitlines()]
        assert [record["level"] for record in records] == ["warning", "warning", "error"]


def test_secrets_in_nested_values_are_blotted_out() -> None:
    """A secret is one at any depth."""
    assert redact(None, "", {"cause": {"token": "x", "n": 1}}) == {"cause": {"token": "***", "n": 1}}


def test_root_leads_to_the_documentation(api: Api) -> None:
    """Who opens the service in a browser sees its documentation."""
    answer = api.client.get("/")

    assert (answer.status_code, answer.headers["location"]) == (307, "/docs")
    assert api.client.get("/docs").status_code == 200
