"""`/images` and `/urls`: what clients send and what they get."""

from __future__ import annotations

import io
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image

from app.services.protocols import NewObject
from tests.entrypoints.http.conftest import PHOTO, Api, assert_problem, bearer
from tests.pictures import make_jpeg, make_png

MISSING = "users/123/20241201_143022_a1b2c3d4.jpg"


def test_upload_answers_with_the_image_its_address_and_its_etag(api: Api) -> None:
    """After an upload the client knows the image, where it is described, and its validator."""
    answer = api.upload(make_jpeg(640, 480), user_id="123")

    assert answer.status_code == 201
    image = answer.json()
    assert image["s3_key"].startswith("users/123/")
    assert (image["file_name"], image["file_type"], image["user_id"]) == ("photo.jpg", "jpg", "123")
    assert (image["metadata"]["width"], image["metadata"]["height"]) == (640, 480)
    assert answer.headers["etag"] == image["etag"]
    described = api.client.get(answer.headers["location"])
    assert described.status_code == 200
    assert {name: described.json()[name] for name in image} == image


def test_upload_without_user_is_a_general_one(api: Api) -> None:
    """An admin who names no user stores a general image; a field left blank in a form is one not named."""
    keys = [api.upload(image_type="property").json()["s3_key"], api.upload(user_id="").json()["s3_key"]]

    assert [key.count("/") for key in keys] == [1, 1]


def test_location_works_for_a_user_id_that_needs_encoding(api: Api) -> None:
    """The address in `Location` can be followed, whatever the user id is made of."""
    answer = api.upload(user_id="zoë o'hara+1@x.org?#;41%")

    assert answer.status_code == 201
    assert api.client.get(answer.headers["location"]).json()["user_id"] == "zoë o'hara+1@x.org?#;41%"


def test_file_name_is_cut_to_its_last_segment(api: Api) -> None:
    """A path in the claimed file name goes nowhere."""
    answer = api.client.post(
        "/api/v1/images", files={"file": ("../../etc/passwd", PHOTO)}, data={"image_type": "user", "user_id": "1"}
    )

    assert answer.json()["file_name"] == "passwd"


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"", 422, "IMAGE_EMPTY"),
        (b"BM" + bytes(100), 415, "IMAGE_FORMAT_UNSUPPORTED"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "IMAGE_FORMAT_UNSUPPORTED"),
        (make_jpeg(640, 480)[:-400], 422, "IMAGE_TRUNCATED"),
        (make_png(64, 48).replace(b"IHDR", b"IHDX"), 422, "IMAGE_CORRUPT"),
    ],
    ids=["empty", "bmp", "svg", "cut short", "broken"],
)
def test_upload_of_what_is_no_good_picture(api: Api, content: bytes, status: int, code: str) -> None:
    """A file that cannot be stored is refused with the code that says why, and nothing is stored."""
    assert_problem(api.upload(content), status, code)
    assert api.stored_keys() == []


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"image_type": "castle"}, 400, "IMAGE_TYPE_INVALID"),
        ({"image_type": "user", "user_id": "../1"}, 400, "USER_ID_INVALID"),
        ({"image_type": "user", "user_id": "a\x00b"}, 400, "USER_ID_INVALID"),
    ],
    ids=["unknown type", "dots in the user id", "NUL in the user id"],
)
def test_upload_with_wrong_fields(api: Api, fields: dict[str, Any], status: int, code: str) -> None:
    """A type or a user id that cannot be is refused with its own code."""
    assert_problem(api.upload(**fields), status, code)


def test_upload_with_missing_fields_names_them(api: Api) -> None:
    """A form without a file, without a type, or with a text for a file names the field."""
    without_file = api.client.post("/api/v1/images", files={"other": b"x"}, data={"image_type": "user"})
    without_type = api.client.post("/api/v1/images", files={"file": PHOTO})
    text_for_file = api.client.post("/api/v1/images", files={"x": b""}, data={"file": "x", "image_type": "user"})

    problems = [
        assert_problem(answer, 422, "REQUEST_INVALID") for answer in (without_file, without_type, text_for_file)
    ]
    assert [problem["errors"][0]["field"] for problem in problems] == ["body.file", "body.image_type", "body.file"]


@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data", "", "text/plain; charset=x"])
def test_upload_that_is_no_form(api: Api, content_type: str) -> None:
    """A body that is no multipart form, or one without a boundary, is refused."""
    answer = api.client.post("/api/v1/images", content=b"{}", headers={"Content-Type": content_type})

    assert_problem(answer, 400, "REQUEST_INVALID")


def test_batch_has_an_outcome_per_file(api: Api) -> None:
    """One bad file of a batch never loses the others; outcomes come in the order of the files."""
    files = [("a.jpg", PHOTO), ("b.jpg", b"no picture"), ("c.png", make_png(20, 10))]
    answer = api.client.post(
        "/api/v1/images/batch", files=[("files", file) for file in files], data={"image_type": "room"}
    )

    assert answer.status_code == 200
    outcomes = answer.json()["outcomes"]
    assert [(outcome["file_name"], outcome["status"]) for outcome in outcomes] == [
        ("a.jpg", 201),
        ("b.jpg", 415),
        ("c.png", 201),
    ]
    assert outcomes[1]["error"]["code"] == "IMAGE_FORMAT_UNSUPPORTED"
    assert not {"errors", "cause"} & outcomes[1]["error"].keys()
    assert outcomes[1]["error"]["request_id"] == answer.headers["x-request-id"]
    assert sorted(api.stored_keys()) == sorted(outcomes[at]["image"]["s3_key"] for at in (0, 2))


def test_batch_of_too_many_files(api: Api) -> None:
    """More than 20 files in one batch are refused together."""
    files = [("files", (f"{at}.jpg", PHOTO)) for at in range(21)]

    assert_problem(
        api.client.post("/api/v1/images/batch", files=files, data={"image_type": "room"}), 413, "BATCH_TOO_LARGE"
    )
    assert api.stored_keys() == []


def test_list_pages_through_a_user(api: Api) -> None:
    """Following `next_cursor` shows every image of a user once, in the order of time."""
    stored = sorted(api.store()["s3_key"] for _ in range(5))
    api.store(user_id="1234")

    found: list[str] = []
    cursor = ""
    for _ in range(3):
        page = api.client.get(
            "/api/v1/images", params={"user_id": "123", "image_type": "user", "limit": 2, "cursor": cursor}
        ).json()
        found += [image["s3_key"] for image in page["images"]]
        cursor = page["next_cursor"]
    assert found == stored
    assert cursor is None


@pytest.mark.parametrize(
    ("parameters", "status", "code"),
    [
        ({"limit": "0"}, 422, "REQUEST_INVALID"),
        ({"limit": "1001"}, 422, "REQUEST_INVALID"),
        ({"limit": "many"}, 422, "REQUEST_INVALID"),
        ({"cursor": "rubbish"}, 400, "CURSOR_INVALID"),
        ({"image_type": "castle"}, 400, "IMAGE_TYPE_INVALID"),
        ({"user_id": "a/b"}, 400, "USER_ID_INVALID"),
    ],
)
def test_list_with_wrong_parameters(api: Api, parameters: dict[str, str], status: int, code: str) -> None:
    """What cannot be listed is refused with the code that says why."""
    assert_problem(api.client.get("/api/v1/images", params=parameters), status, code)


def test_head_says_whether_an_image_is_there(api: Api) -> None:
    """HEAD answers 200 or 404, without a body."""
    stored = api.store()
    there = api.client.head(f"/api/v1/images/{stored['s3_key']}")
    missing = api.client.head(f"/api/v1/images/{MISSING}")

    assert (there.status_code, there.content, there.headers["etag"]) == (200, b"", stored["etag"])
    assert (missing.status_code, missing.content) == (404, b"")


def test_description_that_the_client_already_has(api: Api) -> None:
    """A client that sends the ETag it has is told that nothing changed."""
    stored = api.store()
    path = f"/api/v1/images/{stored['s3_key']}"

    assert api.client.get(path, headers={"If-None-Match": stored["etag"]}).status_code == 304
    assert api.client.get(path, headers={"If-None-Match": '"another"'}).status_code == 200


def test_delete_is_known_by_its_status(api: Api) -> None:
    """The first delete answers 204, the second 404."""
    path = f"/api/v1/images/{api.store()['s3_key']}"

    assert api.client.delete(path).status_code == 204
    assert api.stored_keys() == []
    assert_problem(api.client.delete(path), 404, "IMAGE_NOT_FOUND")


@pytest.mark.parametrize(
    ("headers", "remains"),
    [(bearer("123"), False), (bearer("root", roles=["admin"]), False), (bearer("1234"), True)],
    ids=["owner", "admin", "other"],
)
def test_delete_that_was_cut_short_is_finished_by_the_next(
    jwt_api: Api, headers: dict[str, str], remains: bool
) -> None:
    """What a broken delete left of an image goes when its owner or an admin deletes again; the answer is 404."""
    assert jwt_api.client.portal
    leftover = f"{jwt_api.service.parse_key(MISSING).variants_prefix}w100.jpg"
    variant = NewObject(leftover, PHOTO, "image/jpeg", "no-cache")
    jwt_api.client.portal.call(jwt_api.service.parts.store.create, variant)

    answer = jwt_api.client.delete(f"/api/v1/images/{MISSING}", headers=headers)

    assert_problem(answer, 404, "IMAGE_NOT_FOUND")
    assert (leftover in jwt_api.stored_keys()) == remains


def test_urls_of_an_image(api: Api) -> None:
    """The presigned URL lives as long as it was asked to, and the answer says until when."""
    key = api.store()["s3_key"]
    urls = api.client.get(f"/api/v1/urls/{key}", params={"expires_in": 60}).json()

    assert urls["url"].endswith(key)
    assert parse_qs(urlsplit(urls["presigned_url"]).query)["X-Amz-Expires"] == ["60"]
    assert urls["expires_in"] == 60
    assert len(urls["expires_at"]) == len("2024-12-01T14:30:22.123456")


@pytest.mark.parametrize("expires_in", ["0", "-1", "604801", "99999999999999999999"])
def test_urls_for_too_long_or_no_time(api: Api, expires_in: str) -> None:
    """A URL lives from one second to seven days."""
    answer = api.client.get(f"/api/v1/urls/{MISSING}", params={"expires_in": expires_in})

    assert_problem(answer, 400, "URL_EXPIRY_INVALID")


@pytest.mark.parametrize(
    "key",
    [
        "x",
        "%00",
        "%FF%FE",
        "users/%2e%2e/rooms/20241201_143022_a1b2c3d4.jpg",
        "users/..%2f..%2f20241201_143022_a1b2c3d4.jpg",
        "users/1%002/20241201_143022_a1b2c3d4.jpg",
        "users/123/20241201_143022_a1b2c3d4.jpg%0d%0aSet-Cookie:x=1",
        "incoming/20241201_143022_a1b2c3d4.jpg",
        "variants/users/123/20241201_143022_a1b2c3d4.jpg",
        "users/123/20249901_143022_a1b2c3d4.jpg",
        "users//20241201_143022_a1b2c3d4.jpg",
        "a" * 5000,
    ],
)
@pytest.mark.parametrize(
    ("method", "place"),
    [("GET", "images"), ("HEAD", "images"), ("DELETE", "images"), ("GET", "files"), ("HEAD", "files"), ("GET", "urls")],
)
def test_keys_that_are_none(shared_jwt_api: Api, method: str, place: str, key: str) -> None:
    """Nothing but a key of a known image type reaches the store."""
    answer = shared_jwt_api.client.request(method, f"/api/v1/{place}/{key}", headers=bearer("1"))

    assert answer.status_code == 400
    if method != "HEAD":
        assert_problem(answer, 400, "IMAGE_KEY_INVALID")


def test_encoded_slashes_name_the_same_image(api: Api) -> None:
    """Clients that encode the slashes of a key find the image too."""
    key = api.store()["s3_key"]

    assert api.client.get(f"/api/v1/images/{key.replace('/', '%2F')}").json()["s3_key"] == key


def test_stored_picture_comes_back_upright_and_without_metadata(api: Api) -> None:
    """A phone photo lying on its side is served upright, with nothing of where it was taken."""
    answer = api.upload(make_jpeg(80, 60, orientation=6, gps=True))
    picture: Any = Image.open(io.BytesIO(api.client.get(f"/api/v1/files/{answer.json()['s3_key']}").content))

    sent = answer.json()["metadata"]["source"]
    assert picture.size == (sent["width"], sent["height"])
    assert not picture.getexif()
