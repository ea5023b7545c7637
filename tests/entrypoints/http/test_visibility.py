"""Visibility over HTTP: said at the upload, changed afterwards."""

from __future__ import annotations

import pytest

from tests.entrypoints.http.conftest import PHOTO, Api, assert_problem, bearer

OWNER, OTHER, ADMIN = bearer("123"), bearer("9"), bearer("root", roles=["admin"])
ABSENT = "users/123/20241201_143022_a1b2c3d4.jpg"


@pytest.mark.parametrize(
    ("fields", "prefix", "visibility"),
    [
        ({}, "users/", "public"),
        ({"visibility": ""}, "users/", "public"),
        ({"visibility": "public"}, "users/", "public"),
        ({"visibility": "private"}, "private/users/", "private"),
        ({"image_type": "document", "visibility": "private"}, "documents/", "private"),
    ],
)
@pytest.mark.parametrize("is_batch", [False, True])
def test_upload_says_who_may_see_it(
    jwt_api: Api, fields: dict[str, str], prefix: str, visibility: str, is_batch: bool
) -> None:
    """An upload's form may close a single image; left out or empty, its type decides."""
    path, name = ("/api/v1/images/batch", "files") if is_batch else ("/api/v1/images", "file")
    form = {"image_type": "user"} | fields
    answer = jwt_api.client.post(path, files={name: ("a.jpg", PHOTO)}, data=form, headers=OWNER).json()
    key = (answer["outcomes"][0]["image"] if is_batch else answer)["s3_key"]
    described = jwt_api.client.get(f"/api/v1/images/{key}", headers=OWNER).json()

    assert key.startswith(f"{prefix}123/")
    assert (described["visibility"], described["image_type"]) == (visibility, form["image_type"])


@pytest.mark.parametrize("fields", [{"visibility": "secret"}, {"visibility": "public", "image_type": "document"}])
def test_visibility_that_cannot_be(jwt_api: Api, fields: dict[str, str]) -> None:
    """A visibility that does not exist, or that the type forbids, is refused; nothing is stored."""
    assert_problem(jwt_api.upload(PHOTO, headers=OWNER, **fields), 400, "REQUEST_INVALID")
    assert jwt_api.stored_keys() == []


@pytest.mark.parametrize("headers", [OWNER, ADMIN], ids=["owner", "admin"])
def test_owner_changes_who_sees_an_image(jwt_api: Api, headers: dict[str, str]) -> None:
    """The image is at its new key and gone from the old one; the same request again is answered alike."""
    public = jwt_api.store()["s3_key"]
    path, change = f"/api/v1/images/{public}", {"visibility": "private"}
    first = jwt_api.client.patch(path, json=change, headers=headers)
    again = jwt_api.client.patch(path, json=change, headers=headers)

    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()
    assert (first.json()["s3_key"], first.json()["visibility"]) == (f"private/{public}", "private")
    assert jwt_api.stored_keys() == [f"private/{public}"]
    assert jwt_api.client.get(f"/api/v1/files/{public}", headers=headers).status_code == 404
    back = jwt_api.client.patch(f"/api/v1/images/private/{public}", json={"visibility": "public"}, headers=headers)
    assert back.json()["s3_key"] == public
    assert jwt_api.client.get(f"/api/v1/files/{public}").status_code == 200


@pytest.mark.parametrize(
    ("headers", "key", "change", "status", "code"),
    [
        ({}, "user", {"visibility": "private"}, 401, "AUTHENTICATION_REQUIRED"),
        (OTHER, "user", {"visibility": "private"}, 403, "ACCESS_FORBIDDEN"),
        (OTHER, "document", {"visibility": "private"}, 404, "IMAGE_NOT_FOUND"),
        (OWNER, "document", {"visibility": "public"}, 400, "REQUEST_INVALID"),
        (OWNER, ABSENT, {"visibility": "private"}, 404, "IMAGE_NOT_FOUND"),
        (OWNER, "nonsense", {"visibility": "private"}, 400, "IMAGE_KEY_INVALID"),
        (OWNER, "user", {"visibility": "secret"}, 422, "REQUEST_INVALID"),
        (OWNER, "user", {}, 422, "REQUEST_INVALID"),
        (OWNER, "user", {"visibility": "private", "owner": "9"}, 422, "REQUEST_INVALID"),
    ],
)
def test_change_that_is_refused(
    jwt_api: Api, headers: dict[str, str], key: str, change: dict[str, str], status: int, code: str
) -> None:
    """Only an owner or an admin changes an image, and only what can be changed; nothing moves otherwise."""
    s3_key = jwt_api.store(key)["s3_key"] if key in ("user", "document") else key
    before = jwt_api.stored_keys()
    answer = jwt_api.client.patch(f"/api/v1/images/{s3_key}", json=change, headers=headers)
    assert_problem(answer, status, code)
    assert jwt_api.stored_keys() == before


def test_moved_private_image_of_others_looks_missing(jwt_api: Api) -> None:
    """A stranger who asks for an image's old key learns nothing of its new one."""
    private = jwt_api.store("user", visibility="private")["s3_key"]
    headers = OTHER | {"X-Request-ID": "same"}
    answers = [
        jwt_api.client.patch(f"/api/v1/images/{key}", json={"visibility": "public"}, headers=headers)
        for key in (private.removeprefix("private/"), private, ABSENT)
    ]
    assert len({answer.content for answer in answers}) == 1
    assert_problem(answers[0], 404, "IMAGE_NOT_FOUND")
