"""Who may what: every caller × route × visibility, and the rules of uploads and listings."""

from __future__ import annotations

import itertools

import pytest
from fastapi.testclient import TestClient

from app.entrypoints.http.app import create_app
from app.entrypoints.http.router import Caller
from app.services.image_service import ImageService
from tests.entrypoints.http.conftest import PHOTO, Api, ServicesOf, assert_problem, bearer, make_settings

HEADERS: dict[str, dict[str, str]] = {
    "anonymous": {},
    "owner": bearer("123"),
    "other": bearer("1234"),
    "admin": bearer("root", roles=["editor", "admin"]),
    "almost admin": bearer("1234", roles="admin"),
}
TYPES = {"public": "user", "private": "document"}
READS = [
    ("GET", "images"),
    ("HEAD", "images"),
    ("GET", "files"),
    ("HEAD", "files"),
    ("GET", "urls"),
]
ROUTES = [*READS, ("DELETE", "images")]

# Everything else is 404 for reads of private images and 200 for reads of public ones.
DELETES = {
    ("anonymous", "public"): 401,
    ("anonymous", "private"): 401,
    ("owner", "public"): 204,
    ("owner", "private"): 204,
    ("other", "public"): 403,
    ("other", "private"): 404,
    ("almost admin", "public"): 403,
    ("almost admin", "private"): 404,
    ("admin", "public"): 204,
    ("admin", "private"): 204,
}


def expected_status(caller: str, method: str, visibility: str) -> int:
    if method == "DELETE":
        return DELETES[caller, visibility]
    return 200 if visibility == "public" or caller in {"owner", "admin"} else 404


@pytest.mark.parametrize(
    ("caller", "route", "visibility", "user_id"),
    # An image in its owner's folder, and one in no folder, whose owner is known by its metadata alone.
    list(itertools.product(HEADERS, ROUTES, TYPES, ["123", None])),
)
def test_who_may_read_and_delete(
    shared_jwt_api: Api, caller: str, route: tuple[str, str], visibility: str, user_id: str | None
) -> None:
    """Public images are everyone's to see; private ones and deletions are for the owner and admins."""
    method, place = route
    key = shared_jwt_api.store(TYPES[visibility], user_id, owner="123")["s3_key"]
    answer = shared_jwt_api.client.request(method, f"/api/v1/{place}/{key}", headers=HEADERS[caller])

    assert answer.status_code == expected_status(caller, method, visibility)
    assert (key in shared_jwt_api.stored_keys()) == (answer.status_code != 204)


@pytest.mark.parametrize(
    ("caller", "route"), list(itertools.product(["anonymous", "other", "almost admin"], ROUTES)), ids=str
)
def test_private_image_of_others_looks_missing(shared_jwt_api: Api, caller: str, route: tuple[str, str]) -> None:
    """Nobody learns from an answer whether somebody else's private image exists."""
    method, place = route
    stored = shared_jwt_api.store("document")["s3_key"]
    missing = "documents/123/20241201_143022_a1b2c3d4.jpg"
    headers = HEADERS[caller] | {"X-Request-ID": "same", "If-None-Match": "*", "Range": "bytes=999999-"}

    answers = [
        shared_jwt_api.client.request(method, f"/api/v1/{place}/{key}", headers=headers) for key in (stored, missing)
    ]

    assert answers[0].status_code == answers[1].status_code
    assert answers[0].content == answers[1].content
    assert dict(answers[0].headers) == dict(answers[1].headers)


def test_presigned_url_is_refused_before_its_lifetime_is_looked_at(jwt_api: Api) -> None:
    """A wrong lifetime does not tell whether a private image exists."""
    stored = jwt_api.store("document")["s3_key"]
    answer = jwt_api.client.get(f"/api/v1/urls/{stored}?expires_in=0", headers=HEADERS["other"])

    assert_problem(answer, 404, "IMAGE_NOT_FOUND")


@pytest.mark.parametrize(
    ("caller", "user_id", "status", "folder", "owner"),
    [
        ("anonymous", None, 401, None, None),
        ("anonymous", "123", 401, None, None),
        ("owner", None, 201, "123", "123"),
        ("owner", "123", 201, "123", "123"),
        ("owner", "1234", 403, None, None),
        ("other", "123", 403, None, None),
        ("admin", None, 201, None, "root"),
        ("admin", "123", 201, "123", "123"),
    ],
)
@pytest.mark.parametrize("path", ["/api/v1/images", "/api/v1/images/batch"])
def test_who_may_upload_where(
    jwt_api: Api, path: str, caller: str, user_id: str | None, status: int, folder: str | None, owner: str | None
) -> None:
    """Users upload under their own id, named or not; admins anywhere; the owner is kept with the image."""
    is_batch = path.endswith("batch")
    data = {"image_type": "user"} | ({"user_id": user_id} if user_id else {})
    files = {"files" if is_batch else "file": ("a.jpg", PHOTO)}
    answer = jwt_api.client.post(path, files=files, data=data, headers=HEADERS[caller])

    assert answer.status_code == (200 if is_batch and status == 201 else status)
    if status != 201:
        assert jwt_api.stored_keys() == []
        return
    image = answer.json()["outcomes"][0]["image"] if is_batch else answer.json()
    assert image["user_id"] == folder
    described = jwt_api.client.get(f"/api/v1/images/{image['s3_key']}", headers=HEADERS["admin"]).json()
    assert described["owner"] == owner


def test_stranger_does_not_learn_the_owner(jwt_api: Api) -> None:
    """Who owns a general image is told to its owner and to admins only."""
    key = jwt_api.store("property", None, owner="root")["s3_key"]

    owners = {
        caller: jwt_api.client.get(f"/api/v1/images/{key}", headers=headers).json()["owner"]
        for caller, headers in HEADERS.items()
    }

    assert owners == {"anonymous": None, "owner": None, "other": None, "almost admin": None, "admin": "root"}


@pytest.mark.parametrize(
    ("caller", "parameters", "expected"),
    [
        ("anonymous", {}, 401),
        ("anonymous", {"user_id": "123"}, 401),
        ("owner", {}, ["documents/123", "users/123"]),
        ("owner", {"user_id": "123"}, ["documents/123", "users/123"]),
        ("owner", {"image_type": "document"}, ["documents/123"]),
        ("other", {}, []),
        ("other", {"user_id": "123"}, ["users/123"]),
        ("other", {"user_id": "123", "image_type": "user"}, ["users/123"]),
        ("other", {"user_id": "123", "image_type": "document"}, 403),
        ("other", {"user_id": "123", "image_type": "castle"}, 400),
        ("admin", {}, ["documents/123", "documents/9", "rooms", "users/123"]),
        ("admin", {"user_id": "123"}, ["documents/123", "users/123"]),
        ("admin", {"image_type": "document"}, ["documents/123", "documents/9"]),
    ],
)
def test_who_may_list_what(jwt_api: Api, caller: str, parameters: dict[str, str], expected: int | list[str]) -> None:
    """Users list all that is their own and what is public of others; admins everything."""
    for image_type, user_id in [("user", "123"), ("document", "123"), ("document", "9"), ("room", None)]:
        jwt_api.store(image_type, user_id, owner=user_id)
    answer = jwt_api.client.get("/api/v1/images", params=parameters, headers=HEADERS[caller])

    if isinstance(expected, int):
        assert answer.status_code == expected
    else:
        assert sorted(image["s3_key"].rpartition("/")[0] for image in answer.json()["images"]) == expected


def test_cursor_of_another_listing_opens_nothing(jwt_api: Api) -> None:
    """A cursor from a listing one may not see is refused."""
    for _ in range(2):
        jwt_api.store("document", "123")
    page = jwt_api.client.get("/api/v1/images?limit=1", headers=HEADERS["owner"]).json()
    answer = jwt_api.client.get(
        "/api/v1/images", params={"cursor": page["next_cursor"], "user_id": "123"}, headers=HEADERS["other"]
    )

    assert_problem(answer, 400, "CURSOR_INVALID")


@pytest.mark.parametrize(("method", "place"), READS)
def test_wrong_token_is_refused_where_none_was_needed(shared_jwt_api: Api, method: str, place: str) -> None:
    """A token that is not valid is an error, also for what anyone may see."""
    key = shared_jwt_api.store()["s3_key"]
    answer = shared_jwt_api.client.request(method, f"/api/v1/{place}/{key}", headers={"Authorization": "Bearer x.y.z"})

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


def test_refused_upload_is_not_read(jwt_api: Api) -> None:
    """A client without a token is refused before anything it sends is kept."""
    answer = jwt_api.client.post(
        "/api/v1/images", content=b"x" * 1000, headers={"Content-Type": "multipart/form-data; boundary=x"}
    )

    assert_problem(answer, 401, "AUTHENTICATION_REQUIRED")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("127.8.9.1", 200),
        ("::1", 200),
        ("::ffff:127.0.0.1", 200),
        ("192.168.1.5", 403),
        ("0.0.0.0", 403),
        ("::ffff:10.0.0.1", 403),
        ("2001:db8::1", 403),
    ],
)
def test_without_authentication_only_this_machine_is_answered(
    memory_image_service: ImageService, host: str, status: int
) -> None:
    """AUTH_MODE=none lets this machine do everything and every other one nothing."""
    app = create_app(ServicesOf(memory_image_service, make_settings()))
    with TestClient(app, client=(host, 50000)) as client:
        answer = client.get("/api/v1/images")

    assert answer.status_code == status
    if status == 403:
        assert "AUTH_MODE=jwt" in assert_problem(answer, 403, "ACCESS_FORBIDDEN")["detail"]


def test_caller_without_name_is_anonymous() -> None:
    """An embedding application says "nobody" by a caller with no user id."""
    assert Caller(user_id=None, is_admin=False).is_anonymous
    assert not Caller(user_id=None, is_admin=True).is_anonymous
