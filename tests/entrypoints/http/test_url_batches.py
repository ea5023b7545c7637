"""`POST /urls` and stable URLs: who gets which, all or none, and nothing of it from the store."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from app.core.exceptions import S3ConnectionFailed
from app.services.memory_store import MemoryStore
from tests.conftest import make_image_service
from tests.entrypoints.http.conftest import CONNECTION, Api, assert_problem, bearer, jwt_settings, run_api

PATH = "/api/v1/urls"
NOW = datetime(2024, 12, 1, 14, 59, 30, 123456, tzinfo=UTC)
NAME = "20241201_143022_a1b2c3d4.jpg"
HEADERS: dict[str, dict[str, str]] = {
    "anonymous": {},
    "owner": bearer("123"),
    "other": bearer("1234"),
    "admin": bearer("root", roles=["editor", "admin"]),
    "almost admin": bearer("1234", roles="admin"),
}
KEYS = {
    "public": f"users/123/{NAME}",
    "public, in no folder": f"users/{NAME}",
    "of a private type": f"documents/123/{NAME}",
    "of a private type, in no folder": f"documents/{NAME}",
    "private alone": f"private/users/123/{NAME}",
    "private alone, in no folder": f"private/users/{NAME}",
}


class FailingStore(MemoryStore):
    """A store that nobody may ask."""

    def __getattribute__(self, name: str) -> Any:
        if name in {"create", "head", "get", "delete", "list", "check_bucket"}:
            raise S3ConnectionFailed
        return super().__getattribute__(name)


@pytest.fixture(scope="module")
def storeless(clean_environment: None) -> Iterator[Api]:
    """The application with AUTH_MODE=jwt on a store that fails whatever it is asked."""
    yield from run_api(make_image_service(FailingStore(), CONNECTION, now=lambda: NOW), jwt_settings())


def may_have(caller: str, kind: str) -> bool:
    if kind.startswith("public") or caller == "admin":
        return True
    return caller == "owner" and "no folder" not in kind


def ask(api: Api, *keys: Any, caller: str = "admin", **fields: Any) -> Any:
    return api.client.post(PATH, json={"keys": list(keys), **fields}, headers=HEADERS[caller])


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


@pytest.mark.parametrize(("caller", "kind"), list(itertools.product(HEADERS, KEYS)))
def test_who_gets_which_urls(storeless: Api, caller: str, kind: str) -> None:
    """Public images are everyone's; private ones are in their owner's folder, or for admins; the store is not asked."""
    answer = ask(storeless, KEYS["public"], KEYS[kind], caller=caller)

    if may_have(caller, kind):
        assert answer.status_code == 200
        assert list(answer.json()["urls"]) == list(dict.fromkeys([KEYS["public"], KEYS[kind]]))
    else:
        problem = assert_problem(answer, 404, "IMAGE_NOT_FOUND")
        assert problem["detail"] == "There is no image at keys[1]."
        assert "X-Amz" not in answer.text


def test_a_batch_tells_its_lifetime(storeless: Api) -> None:
    """URLs of a batch hold as long as asked, an hour unless told, and the answer says until when; nobody keeps it."""
    lifetimes: list[tuple[dict[str, Any], str]] = [
        ({}, "2024-12-01T15:59:30.000000"),
        ({"expires_in": 60}, "2024-12-01T15:00:30.000000"),
    ]
    for fields, ends in lifetimes:
        answer = ask(storeless, *KEYS.values(), **fields)
        batch = answer.json()

        assert answer.headers["Cache-Control"] == "no-store"
        assert batch["expires_at"] == ends
        for key, url in batch["urls"].items():
            assert urlsplit(url).path == f"/{key}"
            assert query_of(url)["X-Amz-Date"] == "20241201T145930Z"
            assert query_of(url)["X-Amz-Expires"] == str(fields.get("expires_in", 3600))


def test_stable_urls_of_a_batch(storeless: Api) -> None:
    """With `stable` URLs are those of the window, from `GET` too, and both say how long they still hold."""
    batch = ask(storeless, KEYS["public"], stable=True).json()
    single = storeless.client.get(f"{PATH}/{KEYS['public']}?stable=true")

    url = batch["urls"][KEYS["public"]]
    assert (query_of(url)["X-Amz-Date"], query_of(url)["X-Amz-Expires"]) == ("20241201T140000Z", "7200")
    assert single.json()["presigned_url"] == url
    assert single.json()["expires_at"] == batch["expires_at"] == "2024-12-01T16:00:00.000000"
    assert single.json()["expires_in"] == 3629
    assert single.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("expires_in", [3600, 60])
def test_stable_and_a_lifetime(storeless: Api, expires_in: int) -> None:
    """Both at once are refused, whatever the lifetime."""
    batch = ask(storeless, KEYS["public"], stable=True, expires_in=expires_in)
    single = storeless.client.get(f"{PATH}/{KEYS['public']}?stable=true&expires_in={expires_in}")

    assert_problem(batch, 400, "REQUEST_INVALID")
    assert_problem(single, 400, "REQUEST_INVALID")


@pytest.mark.parametrize("expires_in", [0, -1, 604_801, 10**30])
def test_lifetime_out_of_bounds(storeless: Api, expires_in: int) -> None:
    """A lifetime out of bounds has its own code; who may not have the image does not even learn that."""
    assert_problem(ask(storeless, KEYS["public"], expires_in=expires_in), 400, "URL_EXPIRY_INVALID")
    refused = ask(storeless, KEYS["of a private type"], caller="other", expires_in=expires_in)
    assert_problem(refused, 404, "IMAGE_NOT_FOUND")


@pytest.mark.parametrize("key", ["nonsense", "", "variants/private/users/123/x/640.webp", "users/../x", "x" * 5000])
def test_wrong_key_of_a_batch(storeless: Api, key: str) -> None:
    """What is not the key of an image is named by its place, and the whole batch is refused."""
    problem = assert_problem(ask(storeless, KEYS["public"], key), 400, "IMAGE_KEY_INVALID")

    assert problem["detail"].startswith("keys[1] ")
    assert len(problem["detail"]) < 300


def test_a_thousand_and_no_more(storeless: Api) -> None:
    """A batch has up to 1,000 keys."""
    keys = [f"users/{number}/{NAME}" for number in range(1000)]

    assert list(ask(storeless, *keys, caller="anonymous").json()["urls"]) == keys
    assert_problem(ask(storeless, *keys, KEYS["public"]), 413, "BATCH_TOO_LARGE")
    assert ask(storeless).json()["urls"] == {}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"keys": "users/1"}',
        b'{"keys": [1]}',
        b'{"keys": [null]}',
        b'{"keys": ["\\ud800"]}',
        b"{}",
        b'{"keys": [], "expires_in": "60"}',
        b'{"keys": [], "expires_in": true}',
        b'{"keys": [], "expires_in": 1.5}',
        b'{"keys": [], "stable": 1}',
        b"[" * 10_000,
    ],
    ids=repr,
)
def test_body_that_is_not_understood(storeless: Api, body: bytes) -> None:
    """Whatever else is sent is a problem with its place, never a fault of the service."""
    answer = storeless.client.post(PATH, content=body, headers={"Content-Type": "application/json"})

    problem = assert_problem(answer, 422, "REQUEST_INVALID")
    assert problem["errors"][0]["field"].startswith("body")


def test_body_of_another_type(storeless: Api) -> None:
    """A body must say that it is JSON: no form of another site can ask."""
    answer = storeless.client.post(PATH, content=b'{"keys": []}', headers={"Content-Type": "text/plain"})

    assert_problem(answer, 400, "REQUEST_INVALID")


def test_a_hundred_thousand_wrong_keys(storeless: Api) -> None:
    """However many keys are wrong, the answer is short."""
    answer = storeless.client.post(
        PATH, content=b'{"keys": [' + b"1," * 200_000 + b"1]}", headers={"Content-Type": "application/json"}
    )

    assert_problem(answer, 422, "REQUEST_INVALID")
    assert len(answer.content) < 1000


def test_body_too_large(storeless: Api) -> None:
    """A body over half a megabyte is refused, announced or in pieces, before it is read as JSON."""
    body = b'{"keys": ["' + b"x" * 700_000
    headers = {"Content-Type": "application/json"}

    announced = storeless.client.post(PATH, content=body, headers=headers)
    in_pieces = storeless.client.post(
        PATH, content=iter([body[at : at + 65536] for at in range(0, 700_000, 65536)]), headers=headers
    )

    assert_problem(announced, 413, "BATCH_TOO_LARGE")
    assert_problem(in_pieces, 413, "BATCH_TOO_LARGE")
