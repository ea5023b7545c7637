"""No path gives another owner's private image: every caller × image × route × token.

A new route that shows images, or signs URLs of them, joins by a row in `ROUTES`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from app.core.delivery_settings import DeliveryAccess
from app.images.grants import make_image_grant, make_owner_grant
from app.images.records import Qualities, RenderPlan
from app.images.variants import VariantTable
from app.services.delivery_policy import DeliveryPolicy
from app.services.image_service import ImageService
from app.services.memory_store import MemoryStore
from app.services.results import UploadResult
from tests.conftest import IMAGE_TYPES, make_image_service
from tests.entrypoints.http.conftest import CONNECTION, Api, bearer, jwt_settings, run_api

KEYS = (b"the key that signs, long enough for all", b"the key of the day before, long enough")
WRONG_KEY = b"a key of somebody else, long enough too"
API = "/api/v1"

CALLERS: dict[str, dict[str, str]] = {
    "anonymous": {},
    "owner": bearer("123"),
    "other": bearer("1234"),
    "admin": bearer("root", roles=["admin"]),
}


@dataclass(frozen=True)
class Stored:
    """How an image was stored: its type, folder, owner and visibility."""

    image_type: str
    user_id: str | None
    owner: str | None
    visibility: str | None
    is_private: bool


IMAGES = {
    "public": Stored("user", "123", "123", None, is_private=False),
    "private type": Stored("document", "123", "123", None, is_private=True),
    "single private": Stored("user", "123", "123", "private", is_private=True),
    "single private, no folder": Stored("user", None, "123", "private", is_private=True),
    "private type, nobody's": Stored("document", None, None, None, is_private=True),
}


def _tokens(service: ImageService, image: Stored, s3_key: str) -> dict[str, tuple[str, bool]]:
    """Grants by what they are, and whether they open this image."""
    key = service.parse_key(s3_key)
    soon = datetime.now(UTC) + timedelta(hours=1)
    granted = make_image_grant(key, expires_at=soon, signing_key=KEYS[0])
    folder = make_owner_grant(key.prefix, "123", expires_at=soon, signing_key=KEYS[1])
    return {
        "none": ("", False),
        "for it": (granted, True),
        "for its owner": (folder, image.user_id == "123"),
        "for another image": (
            make_image_grant(replace(key, token="00000000"), expires_at=soon, signing_key=KEYS[0]),
            False,
        ),
        "for its sibling": (
            make_image_grant(replace(key, is_private=not key.is_private), expires_at=soon, signing_key=KEYS[0]),
            False,
        ),
        "of another owner": (make_owner_grant(key.prefix, "1234", expires_at=soon, signing_key=KEYS[0]), False),
        "of another type": (make_owner_grant("rooms", "123", expires_at=soon, signing_key=KEYS[0]), False),
        "expired": (make_image_grant(key, expires_at=soon - timedelta(hours=2), signing_key=KEYS[0]), False),
        "tampered": (granted[:-3] + ("A" if granted[-3] != "A" else "B") + granted[-2:], False),
        "prolonged": (f"i{int(soon.timestamp()) + 9999}.{granted.partition('.')[2]}", False),
        "of a wrong key": (make_image_grant(key, expires_at=soon, signing_key=WRONG_KEY), False),
        "nonsense": ("é", False),
    }


Ask = Callable[[Any, str, str, dict[str, str]], Any]


def by_path(method: str, place: str, json: Any, client: Any, key: str, token: str, headers: dict[str, str]) -> Any:
    """A request whose path ends with the key, with the token where there is one."""
    body = {} if json is None else {"json": json}
    query = {"grant": token} if token else {}
    return client.request(method, f"{place}/{key}", params=query, headers=headers, **body)


def by_body(
    place: str, make_body: Callable[[str], Any], client: Any, key: str, token: str, headers: dict[str, str]
) -> Any:
    """A request that names the key in its body."""
    query = {"grant": token} if token else {}
    return client.post(f"{API}{place}", json=make_body(key), params=query, headers=headers)


def is_ok(answer: Any, _: str) -> bool:
    """Whether the answer gave something: it did unless it is an error."""
    return bool(answer.status_code < 400)


@dataclass(frozen=True)
class Route:
    """A way to an image. `who` may go it: those who may see the image, or only those who may change it."""

    ask: Ask
    takes_grants: bool = False
    knows_callers: bool = True
    changes: bool = False
    by_folder: bool = False
    shows: Callable[[Any, str], bool] = is_ok


ROUTES = {
    "GET files": Route(partial(by_path, "GET", f"{API}/files", None), takes_grants=True),
    "HEAD files": Route(partial(by_path, "HEAD", f"{API}/files", None), takes_grants=True),
    "GET images": Route(partial(by_path, "GET", f"{API}/images", None)),
    "HEAD images": Route(partial(by_path, "HEAD", f"{API}/images", None)),
    "GET urls": Route(partial(by_path, "GET", f"{API}/urls", None)),
    "POST urls": Route(partial(by_body, "/urls", lambda key: {"keys": [key]}), by_folder=True),
    "POST manifests": Route(
        partial(by_body, "/manifests", lambda key: {"keys": [key]}),
        shows=lambda answer, key: is_ok(answer, key) and answer.json()["manifests"][key] is not None,
    ),
    "GET img": Route(partial(by_path, "GET", "/img/-/w:32,f:webp", None), takes_grants=True, knows_callers=False),
    "HEAD img": Route(partial(by_path, "HEAD", "/img/-/w:32,f:webp", None), takes_grants=True, knows_callers=False),
    "POST grants": Route(partial(by_body, "/grants", lambda key: {"s3_key": key}), changes=True),
    "PATCH images": Route(partial(by_path, "PATCH", f"{API}/images", {"visibility": "private"}), changes=True),
    "DELETE images": Route(partial(by_path, "DELETE", f"{API}/images", None), changes=True),
}

# Uploads and listings of one's own (see below), and the service's health.
SHOW_NO_IMAGE = {f"{API}/images", f"{API}/images/batch", "/healthz", "/readyz"}


def may(caller: str, image: Stored, route: Route, *, is_granted: bool, token: str) -> bool:
    """The rule: public images are everyone's to see, private ones their owner's, admins' and grant holders'."""
    is_owner = caller == "admin" or (caller == "owner" and image.owner == "123")
    if route.changes:
        return is_owner
    if route.takes_grants and token and image.is_private:
        return is_granted
    if route.takes_grants and token and not route.knows_callers:
        return is_granted
    if not image.is_private:
        return True
    if route.by_folder and caller == "owner":
        return image.user_id == "123"
    return is_owner and route.knows_callers


@pytest.fixture(scope="module")
def delivering(clean_environment: None) -> Iterator[Api]:
    """The application with grants, and presets and widths open to all."""
    table = VariantTable(widths=(32,), presets=()).specs()
    plan = RenderPlan(max_side_pixels=2560, qualities=Qualities(82, 80, 60), variants=table)
    service = make_image_service(
        MemoryStore(),
        CONNECTION,
        plans=dict.fromkeys(IMAGE_TYPES, plan),
        delivery=DeliveryPolicy(access=DeliveryAccess.PRESETS, keys=KEYS),
    )
    yield from run_api(service, jwt_settings())


def store(api: Api, image: Stored) -> UploadResult:
    return api.store(image.image_type, image.user_id, owner=image.owner, visibility=image.visibility)


@pytest.mark.parametrize(("route", "image"), list(itertools.product(ROUTES, IMAGES)))
def test_who_sees_what(delivering: Api, route: str, image: str) -> None:
    """Whoever asks, on whatever path, with whatever token: exactly those see a private image who may."""
    way, stored = ROUTES[route], IMAGES[image]
    key = store(delivering, stored)["s3_key"]
    for caller, headers in CALLERS.items():
        for name, (token, opens) in _tokens(delivering.service, stored, key).items():
            answer = way.ask(delivering.client, key, token, headers)
            expected = may(caller, stored, way, is_granted=opens, token=token)
            assert way.shows(answer, key) == expected, (caller, name, answer.status_code, answer.text)
            assert answer.status_code < 500
            if not expected:
                assert "X-Amz-" not in answer.text
                assert "location" not in answer.headers
            if way.changes and expected:
                key = store(delivering, stored)["s3_key"]
                break


def test_no_route_is_missing(delivering: Api) -> None:
    """Every route of the API is in the table, or is known to show no single image."""
    documented = delivering.client.get("/openapi.json").json()["paths"]
    routes = {
        f"{method.upper()} {path.removeprefix(API).strip('/').partition('/')[0]}"
        for path, methods in documented.items()
        for method in methods
        if path not in SHOW_NO_IMAGE
    }
    assert routes == set(ROUTES)


@pytest.mark.parametrize("route", [name for name, route in ROUTES.items() if not route.takes_grants])
def test_grant_helps_nowhere_else(delivering: Api, route: str) -> None:
    """A grant shows pictures: it does not describe, sign, change or grant."""
    key = store(delivering, IMAGES["single private"])["s3_key"]
    token = delivering.service.create_grant(s3_key=key)["token"]
    answer = ROUTES[route].ask(delivering.client, key, token, {})
    assert not ROUTES[route].shows(answer, key)


@pytest.mark.parametrize(
    ("caller", "parameters", "sees"),
    [
        ("owner", {}, True),
        ("owner", {"user_id": "123"}, True),
        ("owner", {"user_id": "123", "image_type": "user"}, True),
        ("other", {}, False),
        ("other", {"user_id": "123"}, False),
        ("other", {"user_id": "123", "image_type": "user"}, False),
        ("admin", {}, True),
        ("admin", {"user_id": "123"}, True),
        ("anonymous", {"user_id": "123"}, False),
    ],
)
def test_who_finds_a_single_private_image_in_a_listing(
    jwt_api: Api, caller: str, parameters: dict[str, str], sees: bool
) -> None:
    """Others' listings of a user show what is public; the user's own and admins' show all."""
    public, private = (store(jwt_api, IMAGES[name])["s3_key"] for name in ("public", "single private"))
    answer = jwt_api.client.get(f"{API}/images", params=parameters, headers=CALLERS[caller])
    listed = [image["s3_key"] for image in answer.json().get("images", [])]
    assert (private in listed) == sees
    assert (public in listed) == (caller != "anonymous" and not (caller == "other" and not parameters))


def test_cursor_at_a_private_image_is_none_for_others(jwt_api: Api) -> None:
    """A cursor that the owner's listing gave does not tell a stranger of private images."""
    for _ in range(2):
        store(jwt_api, IMAGES["single private"])
    page = jwt_api.client.get(f"{API}/images?limit=1", headers=CALLERS["owner"]).json()
    parameters = {"cursor": page["next_cursor"], "user_id": "123"}
    answer = jwt_api.client.get(f"{API}/images", params=parameters, headers=CALLERS["other"])
    assert (answer.status_code, answer.json()["code"]) == (400, "CURSOR_INVALID")
