"""Grants over HTTP: who makes them, what they open at /files, and that nobody else is told of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from app.services.delivery_policy import DeliveryPolicy
from app.services.image_service import ImageService
from app.services.memory_store import MemoryStore
from app.services.protocols import NewObject
from tests.conftest import make_image_service
from tests.entrypoints.http.conftest import CONNECTION, PHOTO, Api, assert_problem, bearer, jwt_settings, run_api

OWNER, OTHER, ADMIN = bearer("123"), bearer("9"), bearer("root", roles=["admin"])
POLICY = DeliveryPolicy(keys=(b"a key that is long enough for grants",), private_cache_seconds=60)


@pytest.fixture
def grants(memory_image_service: ImageService) -> Iterator[Api]:
    """The application with AUTH_MODE=jwt and DELIVERY_KEYS."""
    yield from run_api(make_image_service(MemoryStore(), CONNECTION, delivery=POLICY), jwt_settings())


def ask(api: Api, body: Any, headers: dict[str, str] = OWNER) -> Any:
    return api.client.post("/api/v1/grants", json=body, headers=headers)


def test_grant_for_an_image(grants: Api) -> None:
    """An owner's grant shows strangers the image: whole, in part, unchanged, and its headers, until it expires."""
    key = grants.store("document")["s3_key"]
    answer = ask(grants, {"s3_key": key, "expires_in": 600})
    made = answer.json()
    path = f"/api/v1/files/{key}?grant={made['token']}"
    whole = grants.client.get(path)
    part = grants.client.get(path, headers={"Range": "bytes=2-5"})
    head = grants.client.head(path)
    unchanged = grants.client.get(path, headers={"If-None-Match": whole.headers["etag"]})

    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    assert (made["opens"], made["cdn"]) == (key, [])
    left = datetime.fromisoformat(made["expires_at"]).replace(tzinfo=UTC) - datetime.now(UTC)
    assert 590 < left.total_seconds() <= 600
    assert [each.status_code for each in (whole, part, head, unchanged)] == [200, 206, 200, 304]
    assert part.content == whole.content[2:6]
    for each in (whole, part, head, unchanged):
        assert each.headers["cache-control"] == "private, max-age=60"
        assert each.headers["referrer-policy"] == "no-referrer"


def test_grant_for_all_that_an_owner_has(grants: Api) -> None:
    """One grant opens a user's images of a type, those that come later too, and none of another user or type."""
    made = ask(grants, {"image_type": "user", "user_id": "123"}).json()
    mine, others, document = (
        grants.store("user", "123", visibility="private")["s3_key"],
        grants.store("user", "1234", visibility="private")["s3_key"],
        grants.store("document", "123")["s3_key"],
    )
    statuses = [
        grants.client.get(f"/api/v1/files/{key}?grant={made['token']}").status_code for key in (mine, others, document)
    ]
    assert made["opens"] == "users/123/"
    assert statuses == [200, 403, 403]


@pytest.mark.parametrize(
    ("headers", "body", "status", "code"),
    [
        ({}, {"image_type": "user", "user_id": "123"}, 401, "AUTHENTICATION_REQUIRED"),
        ({}, {"s3_key": "document"}, 401, "AUTHENTICATION_REQUIRED"),
        (OTHER, {"image_type": "user", "user_id": "123"}, 403, "ACCESS_FORBIDDEN"),
        (OTHER, {"s3_key": "document"}, 404, "IMAGE_NOT_FOUND"),
        (OTHER, {"s3_key": "user"}, 403, "ACCESS_FORBIDDEN"),
        (OWNER, {"s3_key": "documents/123/20241201_143022_a1b2c3d4.jpg"}, 404, "IMAGE_NOT_FOUND"),
        (OWNER, {"s3_key": "../secrets"}, 400, "IMAGE_KEY_INVALID"),
        (OWNER, {"s3_key": "document", "expires_in": 0}, 400, "URL_EXPIRY_INVALID"),
        (OWNER, {"s3_key": "document", "expires_in": 604_801}, 400, "URL_EXPIRY_INVALID"),
        (OWNER, {"s3_key": "document", "expires_in": 10**30}, 400, "URL_EXPIRY_INVALID"),
        (OWNER, {"image_type": "castle", "user_id": "123"}, 400, "IMAGE_TYPE_INVALID"),
        (ADMIN, {"image_type": "user", "user_id": "a/b"}, 400, "USER_ID_INVALID"),
        (OWNER, {}, 400, "REQUEST_INVALID"),
        (OWNER, {"s3_key": "document", "user_id": "123"}, 400, "REQUEST_INVALID"),
        (OWNER, {"image_type": "user"}, 400, "REQUEST_INVALID"),
        (OWNER, {"s3_key": "document", "expires_in": "60"}, 422, "REQUEST_INVALID"),
        (OWNER, {"s3_key": 7}, 422, "REQUEST_INVALID"),
        (OWNER, {"s3_key": "document", "surprise": 1}, 422, "REQUEST_INVALID"),
        (OWNER, ["s3_key"], 422, "REQUEST_INVALID"),
    ],
)
def test_what_is_not_granted(grants: Api, headers: dict[str, str], body: Any, status: int, code: str) -> None:
    """Only owners and admins make grants, of what there is, for up to seven days."""
    if isinstance(body, dict) and body.get("s3_key") in ("document", "user"):
        body = body | {"s3_key": grants.store(body["s3_key"])["s3_key"]}
    assert_problem(ask(grants, body, headers), status, code)


@pytest.mark.parametrize(
    ("content", "content_type", "status", "code"),
    [
        (b"{}", "text/plain", 400, "REQUEST_INVALID"),
        (b"{", "application/json", 422, "REQUEST_INVALID"),
        (b"", "application/json; charset=utf-8", 422, "REQUEST_INVALID"),
        (b"\xff", "application/json", 422, "REQUEST_INVALID"),
        (b" " * 100_000, "application/json", 413, "BATCH_TOO_LARGE"),
    ],
)
def test_body_that_is_no_small_json(grants: Api, content: bytes, content_type: str, status: int, code: str) -> None:
    """A body that is not JSON, or too large, is refused and not kept in memory."""
    headers = OWNER | {"Content-Type": content_type}
    answer = grants.client.post("/api/v1/grants", content=content, headers=headers)
    assert_problem(answer, status, code)


def test_without_keys_there_are_no_grants(jwt_api: Api) -> None:
    """A service without DELIVERY_KEYS says so, and takes no grant of anybody."""
    key = jwt_api.store("document")["s3_key"]
    problem = assert_problem(ask(jwt_api, {"s3_key": key}), 400, "REQUEST_INVALID")
    assert "DELIVERY_KEYS" in problem["detail"]
    answer = jwt_api.client.get(f"/api/v1/files/{key}?grant=i1999999999.{'A' * 43}", headers=OWNER)
    assert_problem(answer, 403, "GRANT_INVALID")


def test_wrong_grant_tells_nothing(grants: Api) -> None:
    """Whether a private image exists is not told to those whose grant is for another."""
    stored = grants.store("document")["s3_key"]
    missing = "documents/123/20241201_143022_a1b2c3d4.jpg"
    token = ask(grants, {"image_type": "user", "user_id": "123"}).json()["token"]
    headers = {"X-Request-ID": "same"}
    answers = [grants.client.get(f"/api/v1/files/{key}?grant={token}", headers=headers) for key in (stored, missing)]
    assert_problem(answers[0], 403, "GRANT_INVALID")
    assert answers[0].content == answers[1].content


def test_image_of_somebody_else_in_the_folder(grants: Api) -> None:
    """A user's grant does not open what lies in their folder and is another's, however it came there."""
    public = grants.store("user", "123", owner="9")["s3_key"]
    store, portal = grants.service.parts.store, grants.client.portal
    assert portal
    stored = portal.call(store.head, public)
    assert stored
    key = f"private/{public}"
    portal.call(store.create, NewObject(key, PHOTO, "image/jpeg", "no-store", stored.metadata))
    token = ask(grants, {"image_type": "user", "user_id": "123"}).json()["token"]

    for method in ("GET", "HEAD"):
        assert grants.client.request(method, f"/api/v1/files/{key}?grant={token}").status_code == 404
    assert grants.client.get(f"/api/v1/files/{public}?grant={token}").status_code == 200


def test_grant_is_not_logged(grants: Api, caplog: pytest.LogCaptureFixture) -> None:
    """Who reads the log sees no pictures by it: no line holds a grant, good or bad."""
    key = grants.store("document")["s3_key"]
    token = ask(grants, {"s3_key": key}).json()["token"]
    caplog.clear()
    for text in (token, f"{token[:-2]}xy"):
        grants.client.get(f"/api/v1/files/{key}?grant={text}")

    # But for the lines of the test's own client, which name the URL it asks for.
    written = str([vars(record) for record in caplog.records if record.name != "httpx2"])
    assert written.count("/api/v1/files/") >= 2
    assert token[:-2].partition(".")[2] not in written
