"""Fixtures of the HTTP tests: the application on a store in memory, tokens, and a few stored images."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jwt
import pytest
from fastapi.testclient import TestClient

from app.bootstrap import Services
from app.core.config import AuthMode, Settings
from app.entrypoints.http.app import create_app
from app.services.image_service import ImageService
from app.services.memory_store import MemoryStore
from app.services.results import UploadResult
from app.services.s3_connection import S3Connection
from app.services.sandbox.measures import Confinement
from tests.conftest import IMAGE_TYPES, make_image_service
from tests.pictures import make_jpeg

SECRET = "a secret for tests that is long enough"
PHOTO = make_jpeg(64, 48)
CONNECTION = S3Connection(
    bucket="photos", region="eu-central-1", access_key_id="AKIAEXAMPLE", secret_access_key="example"
)


class ServicesOf(Services):
    """The services of one given image service; nothing is started."""

    def __init__(self, image_service: ImageService, settings: Settings) -> None:
        self.settings = settings
        self.embedded = None
        self.cdn_invalidation = None
        self.image_service = image_service

    def connect(self) -> S3Connection:
        return CONNECTION

    def start_workers(self) -> Confinement:
        return Confinement.of(())

    def close(self) -> None:
        raise AssertionError("the application closes only what it made")


def make_settings(**changes: Any) -> Settings:
    """Settings for tests; without changes AUTH_MODE=none."""
    return Settings.load(image_types=dict(IMAGE_TYPES), **changes)


def jwt_settings(**changes: Any) -> Settings:
    """Settings with AUTH_MODE=jwt and the tests' secret."""
    return make_settings(auth_mode=AuthMode.JWT, jwt_secret=SECRET, **changes)


def make_token(sub: Any = "123", *, key: Any = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    """A token good for an hour; a claim given as None is left out."""
    every = {"sub": sub, "exp": int(time.time()) + 3600} | claims
    return jwt.encode({name: value for name, value in every.items() if value is not None}, key, algorithm=algorithm)


def bearer(sub: str, **claims: Any) -> dict[str, str]:
    """The headers of a user; `roles=["admin"]` makes an admin."""
    return {"Authorization": f"Bearer {make_token(sub, **claims)}"}


@dataclass(frozen=True)
class Api:
    """The application's client and the image service behind it."""

    client: TestClient
    service: ImageService

    def upload(self, content: bytes = PHOTO, *, headers: dict[str, str] | None = None, **fields: str) -> Any:
        """`POST /images` with a file and these fields (image_type: user)."""
        return self.client.post(
            "/api/v1/images",
            files={"file": ("photo.jpg", content, "image/jpeg")},
            data={"image_type": "user"} | fields,
            headers=headers,
        )

    def store(self, image_type: str = "user", user_id: str | None = "123", **options: Any) -> UploadResult:
        """An image put there without asking the API."""
        assert self.client.portal
        return self.client.portal.call(lambda: self.service.upload_image(PHOTO, image_type, user_id, **options))

    def stored_keys(self) -> list[str]:
        """Everything in the store."""
        assert self.client.portal
        listed = self.client.portal.call(self.service.parts.store.list, "")
        return [entry.key for entry in listed]


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """What an application sets up for logging ends with its test."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    for handler in set(root.handlers).difference(handlers):
        root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture
def api(memory_image_service: ImageService) -> Iterator[Api]:
    """The application with AUTH_MODE=none: everyone is an admin."""
    yield from run_api(memory_image_service, make_settings())


@pytest.fixture
def jwt_api(memory_image_service: ImageService) -> Iterator[Api]:
    """The application with AUTH_MODE=jwt."""
    yield from run_api(memory_image_service, jwt_settings())


@pytest.fixture(scope="module")
def shared_jwt_api(clean_environment: None) -> Iterator[Api]:
    """As `jwt_api`, one for all tests of a file, with whatever they store: for large tables of cases."""
    yield from run_api(make_image_service(MemoryStore(), CONNECTION), jwt_settings())


def run_api(service: ImageService, settings: Settings) -> Iterator[Api]:
    """The application with these settings, started and stopped."""
    app = create_app(ServicesOf(service, settings))
    with TestClient(app, follow_redirects=False) as client:
        yield Api(client, service)


def assert_problem(response: Any, status: int, code: str) -> dict[str, Any]:
    """The response is a problem of this status and code, whole and under its request's id."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert (problem["status"], problem["code"]) == (status, code)
    assert {"type", "title", "detail", "request_id", "retryable"} <= problem.keys()
    assert problem["request_id"] == response.headers["x-request-id"]
    return problem
