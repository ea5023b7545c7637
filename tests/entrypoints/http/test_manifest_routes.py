"""`/manifests`, and the manifest in what is told of one image: who sees which, and what caches may keep."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.services.memory_store import MemoryStore
from app.services.protocols import StoredObject
from tests.conftest import make_image_service
from tests.entrypoints.http.conftest import (
    CONNECTION,
    Api,
    assert_problem,
    bearer,
    jwt_settings,
    run_api,
)
from tests.images.manifest_cases import Markup
from tests.services.emitting import PLANS, EmittingProcessor

PATH = "/api/v1/manifests"
MISSING = "users/123/20241201_143022_a1b2c3d4.jpg"
CLOCK = {"now": datetime(2024, 12, 1, 14, 30, tzinfo=UTC)}


class AskedStore(MemoryStore):
    """Remembers what it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.heads: list[str] = []

    async def head(self, key: str) -> StoredObject | None:
        """See `ObjectStore.head`."""
        self.heads.append(key)
        return await super().head(key)


@pytest.fixture
def store() -> AskedStore:
    return AskedStore()


@pytest.fixture
def api(store: AskedStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """The application with AUTH_MODE=jwt, on an engine that makes variants without decoding anything."""
    monkeypatch.setitem(CLOCK, "now", CLOCK["now"])
    service = make_image_service(
        store, CONNECTION, processor=EmittingProcessor(), plans=PLANS, now=lambda: CLOCK["now"]
    )
    yield from run_api(service, jwt_settings())


def ask(api: Api, *keys: str, headers: dict[str, str] | None = None, **fields: Any) -> Any:
    return api.client.post(PATH, json={"keys": list(keys), **fields}, headers=headers)


def test_manifests_of_a_page_of_images(api: Api) -> None:
    """A front end asks once for all images of a page, and gets what it needs of each, in its order."""
    keys = [api.store()["s3_key"] for _ in range(3)]
    answer = ask(api, keys[2], MISSING, keys[0], sizes="(max-width: 600px) 100vw, 50vw")

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "private, no-store"
    manifests = answer.json()["manifests"]
    assert list(manifests) == [keys[2], MISSING, keys[0]]
    assert manifests[MISSING] is None
    assert manifests[keys[0]]["sizes"] == "(max-width: 600px) 100vw, 50vw"
    described = api.client.get(f"/api/v1/images/{keys[0]}", params={"sizes": "(max-width: 600px) 100vw, 50vw"})
    assert described.json()["manifest"] == manifests[keys[0]]


@pytest.mark.parametrize(
    ("caller", "sees"),
    [(None, False), ("other", False), ("owner", True), ("admin", True)],
)
@pytest.mark.parametrize("visibility", ["type", "single"])
def test_private_images_of_others_are_null(
    api: Api, store: AskedStore, caller: str | None, sees: bool, visibility: str
) -> None:
    """A private image of somebody else looks exactly like one that is not there."""
    options = ("document", {}) if visibility == "type" else ("user", {"visibility": "private"})
    private = api.store(options[0], "owner", **options[1])["s3_key"]
    public = api.store("user", "owner")["s3_key"]
    store.heads.clear()
    headers = None if caller is None else bearer(caller, roles=["admin"] if caller == "admin" else [])
    manifests = ask(api, private, public, headers=headers).json()["manifests"]

    assert manifests[public]["visibility"] == "public"
    assert (manifests[private] is not None) == sees
    if sees:
        assert "X-Amz-Signature=" in manifests[private]["src"]
    # How long the answer takes tells strangers nothing either.
    assert (private in store.heads) == (caller is not None)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"keys": [MISSING] * 101}, 413, "BATCH_TOO_LARGE"),
        ({"keys": ["x" * 200_000]}, 413, "BATCH_TOO_LARGE"),
        ({"keys": ["users/../x.jpg"]}, 400, "IMAGE_KEY_INVALID"),
        ({"keys": ["variants/users/123/20241201_143022_a1b2c3d4/640-2b9db108.jpg"]}, 400, "IMAGE_KEY_INVALID"),
        ({"keys": [MISSING], "sizes": "x" * 501}, 400, "REQUEST_INVALID"),
        ({"keys": [7]}, 422, "REQUEST_INVALID"),
        ({"keys": MISSING}, 422, "REQUEST_INVALID"),
        ({"keys": [MISSING], "size": "50vw"}, 422, "REQUEST_INVALID"),
        ({}, 422, "REQUEST_INVALID"),
        ([], 422, "REQUEST_INVALID"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_questions_that_are_none(api: Api, store: AskedStore, body: Any, status: int, code: str) -> None:
    """What cannot be answered is refused with the code that says why, before the store is asked."""
    assert_problem(api.client.post(PATH, json=body), status, code)
    assert store.heads == []


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b'{"keys": ["\\ud800"]}', b"[" * 5000])
def test_bodies_that_are_no_json(api: Api, content: bytes) -> None:
    """A body that cannot be read is a mistake of the client's."""
    headers = {"Content-Type": "application/json"}
    assert_problem(api.client.post(PATH, content=content, headers=headers), 422, "REQUEST_INVALID")


def test_body_of_another_kind(api: Api) -> None:
    """A form is not taken for JSON."""
    assert_problem(api.client.post(PATH, content=json.dumps({"keys": []})), 400, "REQUEST_INVALID")


def test_a_hundred_long_keys_fit(api: Api) -> None:
    """The longest keys there are may all be sent in one request, however they are encoded."""
    key = "users/" + "ü" * 64 + "/20241201_143022_a1b2c3d4.jpg"
    body = json.dumps({"keys": [key] * 100, "sizes": "ü" * 500})
    answer = api.client.post(PATH, content=body, headers={"Content-Type": "application/json"})
    assert answer.json() == {"manifests": {key: None}}


def test_description_of_a_private_image_is_never_the_one_of_yesterday(api: Api) -> None:
    """Its URLs end: no cache keeps it, no ETag says that an old copy is still good, and it is new in each window."""
    stored = api.store("document", "owner")
    path, owner = f"/api/v1/images/{stored['s3_key']}", bearer("owner")
    first = api.client.get(path, headers=owner)
    CLOCK["now"] += timedelta(hours=1)
    again = api.client.get(path, headers=owner | {"If-None-Match": f"{stored['etag']}, *"})
    any_copy = api.client.get(path, headers=owner | {"If-None-Match": "*"})
    head = api.client.head(path, headers=owner)

    for answer in (first, again, any_copy, head):
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "private, no-store")
        assert "etag" not in answer.headers
    assert first.json()["manifest"]["expires_at"] < again.json()["manifest"]["expires_at"]
    assert first.json()["manifest"]["src"] != again.json()["manifest"]["src"]


def test_description_of_a_public_image_is_asked_for_again(api: Api) -> None:
    """A public image's description can be kept, and is confirmed by its ETag."""
    stored = api.store()
    path = f"/api/v1/images/{stored['s3_key']}"
    answer = api.client.get(path, headers={"If-None-Match": stored["etag"]})

    assert (answer.status_code, answer.headers["cache-control"]) == (304, "private, no-cache")


EVIL = "\"'><script>alert(1)</script>"


def test_nothing_that_a_client_sends_becomes_markup(api: Api) -> None:
    """User ids, file names and `sizes` full of quotes and angle brackets stay text in the snippet."""
    user_id = "\"><img src=x onerror='alert(1)'>"
    stored = api.store("user", user_id, file_name=EVIL)
    answer = api.client.get(f"/api/v1/images/{_quoted(stored['s3_key'])}")
    manifest = ask(api, stored["s3_key"], sizes=EVIL).json()["manifests"][stored["s3_key"]]

    for snippet in (answer.json()["manifest"]["picture"], manifest["picture"]):
        markup = Markup(snippet)
        assert markup.tags == ["picture", "source", "img"]
        assert not any(markup.texts)
    assert markup.image["sizes"] == EVIL
    assert markup.image["src"] == manifest["src"]


def _quoted(key: str) -> str:
    return "".join(f"%{byte:02X}" for byte in key.encode())
