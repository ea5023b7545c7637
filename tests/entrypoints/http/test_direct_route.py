"""Routes without dependencies: the same promises as the others, and nothing that they do not ask for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import APIRouter, Depends, FastAPI
from fastapi.testclient import TestClient
from starlette.requests import Request
from starlette.responses import Response

from app.core.exceptions import ImageNotFound
from app.entrypoints.http.direct_route import direct_route_class
from app.entrypoints.http.problem_route import list_methods
from tests.entrypoints.http.conftest import assert_problem


async def show_text(request: Request) -> Response:
    """The text of the path."""
    text = request.path_params["text"]
    if text == "missing":
        raise ImageNotFound
    if text == "broken":
        raise ZeroDivisionError
    return Response(text)


def refuse() -> None:
    raise AssertionError("a dependency was asked")


@pytest.fixture
def client() -> Iterator[TestClient]:
    router = APIRouter(route_class=direct_route_class(debug=False), dependencies=[Depends(refuse)])
    answers: dict[int | str, dict[str, Any]] = {200: {"description": "The text."}}
    router.add_api_route("/direct/{text}", show_text, methods=["GET"], responses=answers, response_class=Response)
    router.add_api_route("/direct/{text}", show_text, methods=["HEAD"], response_class=Response)
    list_methods(router.routes)
    app = FastAPI()
    app.include_router(router, prefix="/under")
    with TestClient(app) as client:
        yield client


def test_it_asks_its_endpoint_alone(client: TestClient) -> None:
    """Neither the router's dependencies nor its prefix stand between the request and the answer."""
    answer = client.get("/under/direct/a%20b", headers={"X-Request-ID": "mine"})

    assert (answer.status_code, answer.text, answer.headers["x-request-id"]) == (200, "a b", "mine")
    assert client.head("/under/direct/a").status_code == 200


def test_errors_are_problems(client: TestClient) -> None:
    """What goes wrong is answered as on every other route, bugs included."""
    assert_problem(client.get("/under/direct/missing"), 404, "IMAGE_NOT_FOUND")
    assert_problem(client.get("/under/direct/broken"), 500, "INTERNAL_ERROR")
    refused = client.post("/under/direct/a", content=b"unread")
    assert_problem(refused, 405, "REQUEST_INVALID")
    assert refused.headers["allow"] == "GET, HEAD"


def test_it_is_documented(client: TestClient) -> None:
    """The API's documentation shows it with its answers."""
    paths = client.get("/openapi.json").json()["paths"]

    assert paths["/under/direct/{text}"]["get"]["responses"]["200"]["description"] == "The text."
