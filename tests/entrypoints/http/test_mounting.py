"""The router in somebody else's application: it keeps its promises with nothing but itself."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import FastAPI, Header, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.testclient import TestClient
from pydantic import BaseModel
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import JSONResponse

from app.bootstrap import default_services
from app.entrypoints.http.router import Caller, create_image_router
from app.services.image_service import ImageService
from app.services.memory_store import MemoryStore
from tests.conftest import make_image_service
from tests.entrypoints.http.conftest import CONNECTION, PHOTO, assert_problem, jwt_settings, make_settings
from tests.entrypoints.http.test_errors import FailingStore


class Problem(BaseModel):
    """The host's own idea of a problem."""

    what: int


def make_host(service: ImageService, **options: Any) -> FastAPI:
    """An application with handlers, middleware and models of its own, all of them in our way."""
    host = FastAPI()
    settings = options.pop("settings", None) or make_settings()
    host.include_router(create_image_router(service, settings=settings, **options), prefix="/media")

    @host.exception_handler(Exception)
    @host.exception_handler(StarletteHTTPException)
    @host.exception_handler(RequestValidationError)
    async def grab(_request: Request, _error: Exception) -> JSONResponse:
        return JSONResponse({"host": "was here"}, status_code=599)

    @host.get("/own", responses={400: {"model": Problem}})
    def own() -> Problem:
        return Problem(what=1)

    async def pass_on(request: Request, call_next: Any) -> Any:
        return await call_next(request)

    host.add_middleware(BaseHTTPMiddleware, dispatch=pass_on)
    return host


@pytest.fixture
def host(memory_image_service: ImageService) -> Iterator[TestClient]:
    with TestClient(make_host(memory_image_service)) as client:
        yield client


def post(client: TestClient, content: bytes = PHOTO, **fields: str) -> Any:
    return client.post("/media/images", files={"file": ("a.jpg", content)}, data={"image_type": "user"} | fields)


def test_upload_and_download_under_a_prefix(host: TestClient) -> None:
    """An image uploaded in the host's application is found where `Location` says."""
    answer = post(host, user_id="7")

    assert answer.status_code == 201
    assert answer.headers["location"] == f"/media/images/{answer.json()['s3_key']}"
    assert host.get(answer.headers["location"]).status_code == 200
    assert host.get(f"/media/files/{answer.json()['s3_key']}").headers["content-type"] == "image/jpeg"


def test_errors_keep_their_shape(host: TestClient) -> None:
    """Our errors are problem+json with a request id, whatever handlers the host has."""
    assert_problem(host.get("/media/images?limit=0"), 422, "REQUEST_INVALID")
    assert_problem(host.get("/media/images/x"), 400, "IMAGE_KEY_INVALID")
    assert_problem(host.put("/media/images"), 405, "REQUEST_INVALID")
    assert_problem(post(host, b"no picture"), 415, "IMAGE_FORMAT_UNSUPPORTED")
    assert_problem(post(host, image_type="castle"), 400, "IMAGE_TYPE_INVALID")
    assert host.get("/nowhere").json() == {"host": "was here"}
    assert host.get("/own").json() == {"what": 1}


def test_unexpected_failure_is_answered_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A bug of ours is our problem answer and our line in the host's log."""
    caplog.set_level(logging.INFO)
    with TestClient(make_host(make_image_service(FailingStore(ZeroDivisionError()), CONNECTION))) as client:
        answer = client.get("/media/images/users/1/20241201_143022_a1b2c3d4.jpg")

    problem = assert_problem(answer, 500, "INTERNAL_ERROR")
    [record] = [record for record in caplog.records if record.getMessage() == "unhandled_exception"]
    assert vars(record)["request_id"] == problem["request_id"]


def test_body_limit_holds(memory_image_service: ImageService) -> None:
    """A body over the limit is refused without the host's help."""
    service = make_image_service(MemoryStore(), CONNECTION, max_upload_bytes=1000)
    with TestClient(make_host(service)) as client:
        assert_problem(post(client, bytes(100_000)), 413, "IMAGE_TOO_LARGE")


def test_authentication_of_the_host(memory_image_service: ImageService) -> None:
    """The host names the callers by a dependency of its own; ours says who may what."""

    async def who(x_user: Annotated[str | None, Header()] = None) -> Caller:
        if x_user == "banned":
            raise HTTPException(403, "You are banned.")
        if x_user == "unknown":
            raise HTTPException(401, "Log in first.")
        return Caller(user_id=x_user, is_admin=x_user == "boss")

    with TestClient(make_host(memory_image_service, authenticate=who)) as client:

        def status(user: str | None, user_id: str) -> int:
            headers = {"X-User": user} if user else {}
            form = {"image_type": "user", "user_id": user_id}
            answer = client.post("/media/images", files={"file": PHOTO}, data=form, headers=headers)
            return int(answer.status_code)

        assert [status("1", "1"), status("1", "2"), status("boss", "2"), status(None, "1")] == [201, 403, 201, 401]
        banned = client.get("/media/images", headers={"X-User": "banned"})
        assert assert_problem(banned, 403, "ACCESS_FORBIDDEN")["detail"] == "You are banned."
        unknown = client.get("/media/images", headers={"X-User": "unknown"})
        assert assert_problem(unknown, 401, "AUTHENTICATION_REQUIRED")["detail"] == "Log in first."


def test_two_routers_in_one_application(memory_image_service: ImageService) -> None:
    """Two routers with different settings do not disturb each other."""
    host = FastAPI()
    host.include_router(create_image_router(memory_image_service, settings=make_settings()), prefix="/open")
    host.include_router(create_image_router(memory_image_service, settings=jwt_settings()), prefix="/closed")
    with TestClient(host) as client:
        assert client.get("/open/images").status_code == 200
        assert_problem(client.get("/closed/images"), 401, "AUTHENTICATION_REQUIRED")


def test_documentation_of_the_host_is_whole(host: TestClient) -> None:
    """Our routes and the host's stand in one OpenAPI document, each with its own models."""
    document = host.get("/openapi.json").json()

    assert {"/media/images", "/media/files/{s3_key}", "/own"} <= set(document["paths"])
    assert "what" in str(document["components"]["schemas"])


def test_router_of_the_environment() -> None:
    """Without arguments the router is that of the environment, and connects to nothing when it is made."""
    router = create_image_router()
    default_services.cache_clear()

    assert {"/images", "/images/batch"} <= {getattr(route, "path", "") for route in router.routes}
    assert not Path(".heaven").exists()
