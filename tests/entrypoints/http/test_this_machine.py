"""AUTH_MODE=none: whom a service without authentication answers, and whom not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from app.entrypoints.http.app import create_app
from app.services.image_service import ImageService
from app.services.memory_store import MemoryStore
from tests.conftest import make_image_service
from tests.entrypoints.http.conftest import CONNECTION, Api, ServicesOf, assert_problem, make_settings, run_api

IMAGES = "/api/v1/images"
MISSING = f"{IMAGES}/users/123/20241201_143022_a1b2c3d4.jpg"


@pytest.fixture(scope="module")
def open_api(clean_environment: None) -> Iterator[Api]:
    yield from run_api(make_image_service(MemoryStore(), CONNECTION), make_settings())


def make_open_app(service: ImageService) -> ASGIApp:
    return create_app(ServicesOf(service, make_settings()))


def assert_refused(answer: Any) -> None:
    assert "AUTH_MODE=jwt" in assert_problem(answer, 403, "ACCESS_FORBIDDEN")["detail"]


@pytest.mark.parametrize("host", ["unknown", "", "localhost", "testclient2", "127.0.0.1, 8.8.8.8", "/run/app.sock"])
def test_client_that_cannot_be_placed(memory_image_service: ImageService, host: str) -> None:
    """A caller whose address is no IP address may be anybody and is refused."""
    with TestClient(make_open_app(memory_image_service), client=(host, 1)) as client:
        assert_refused(client.get(IMAGES))


def test_client_without_address(memory_image_service: ImageService) -> None:
    """A caller without an address, as through a UNIX socket, may be anybody and is refused."""
    app = make_open_app(memory_image_service)

    async def without_client(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "client": None}, receive, send)

    assert_refused(TestClient(without_client).get(IMAGES))


@pytest.mark.parametrize("address", ["unknown", "127.0.0.1", "8.8.8.8"])
def test_behind_a_proxy(memory_image_service: ImageService, address: str) -> None:
    """Behind a proxy strangers may be, whatever address they claim: nobody is answered."""
    app: Any = ProxyHeadersMiddleware(make_open_app(memory_image_service))  # type: ignore[arg-type]
    client = TestClient(app, client=("127.0.0.1", 1))

    assert_refused(client.get(IMAGES, headers={"X-Forwarded-For": address}))
    assert_refused(client.get(IMAGES, headers={"Forwarded": f"for={address}"}))
    assert client.get(IMAGES).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:8000", "photos.localhost:8000", "127.0.0.1", "127.1.2.3:80", "[::1]:8000", "testserver"],
)
def test_host_that_is_this_machine(open_api: Api, host: str) -> None:
    """This machine's own names are answered."""
    assert open_api.client.get(IMAGES, headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "evillocalhost",
        "evil.example@localhost",
        "localhost@evil.example",
        "localhost:80:80",
        "127.0.0.1.evil.example",
        "192.168.1.5:8000",
        "0.0.0.0",
        "[2001:db8::1]",
        "",
    ],
)
def test_host_that_is_another_name(open_api: Api, host: str) -> None:
    """A page whose name was made to point here (DNS rebinding) reads and changes nothing."""
    assert_refused(open_api.client.get(IMAGES, headers={"Host": host}))


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "http://localhost.evil.example:8000"},
        {"Origin": "http://192.168.1.5"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "chrome-extension://localhost"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost:3000"},
    ],
    ids=str,
)
def test_page_of_another_site(open_api: Api, headers: dict[str, str]) -> None:
    """A page of another site, shown by the developer's browser, neither uploads nor deletes."""
    assert_refused(open_api.client.post(IMAGES, headers=headers))
    assert_refused(open_api.client.delete(MISSING, headers=headers))
    assert open_api.client.get(IMAGES, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://localhost:3000", "Sec-Fetch-Site": "same-site"},
        {"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "same-origin"},
        {"Origin": "https://[::1]"},
    ],
    ids=str,
)
def test_page_of_this_machine(open_api: Api, headers: dict[str, str]) -> None:
    """The documentation page and a front end on this machine may upload and delete, and so may programs."""
    assert_problem(open_api.client.delete(MISSING, headers=headers), 404, "IMAGE_NOT_FOUND")
