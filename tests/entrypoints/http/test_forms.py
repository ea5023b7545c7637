"""Multipart forms that are malformed, oversized in some part, or at a limit."""

from __future__ import annotations

import pytest

from app.core.image_types import ImageType
from app.services.memory_store import MemoryStore
from tests.conftest import IMAGE_TYPES, make_image_service
from tests.entrypoints.http.conftest import CONNECTION, PHOTO, assert_problem, make_settings, run_api
from tests.entrypoints.http.raw_uploads import MAX_UPLOAD_BYTES, PATH, form
from tests.pictures import make_png


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ([f'Content-Disposition: form-data; name="f{at}"\r\n\r\nx' for at in range(50)], 400),
        (['Content-Disposition: form-data; name="image_type"\r\n\r\n' + "x" * 100_000], 400),
        (['Content-Disposition: form-data; name="file"; filename="a"\r\n\r\nx'] * 2, 413),
        (["Content-Disposition: form-data\r\n\r\nx"], 400),
        (["X: y\r\n\r\nx"], 400),
        (["no colon\r\n\r\nx"], 400),
        (["X-Long: " + "y" * 100_000 + "\r\n\r\nx"], 400),
        ([f"X-{at}: y" for at in range(2000)], 400),
        ([""], 400),
    ],
    ids=[
        "too many fields",
        "a field too long",
        "too many files",
        "no name",
        "no disposition",
        "no header",
        "a header too long",
        "broken parts",
        "empty part",
    ],
)
def test_forms_made_to_hurt(parts: list[str], status: int) -> None:
    """A form with too many or malformed parts is refused cleanly."""
    body = "".join(f"--xx\r\n{part}\r\n" for part in parts) + "--xx--\r\n"
    service = make_image_service(MemoryStore(), CONNECTION)
    for api in run_api(service, make_settings()):
        answer = api.client.post(PATH, content=body, headers={"Content-Type": "multipart/form-data; boundary=xx"})
        assert_problem(answer, status, "BATCH_TOO_LARGE" if status == 413 else "REQUEST_INVALID")


@pytest.mark.parametrize("charset", ["utf-16", "idna", "undefined", "hex", "unicode_escape", "x" * 200, "é"])
def test_form_in_any_charset(charset: str) -> None:
    """A charset that does not exist or does not fit is no crash."""
    service = make_image_service(MemoryStore(), CONNECTION)
    body = form(PHOTO).replace(b"user", b"us\xff\xfe\\xer")
    content_type = f"multipart/form-data; boundary=xx; charset={charset}".encode("latin-1")
    for api in run_api(service, make_settings()):
        answer = api.client.post(PATH, content=body, headers=[(b"Content-Type", content_type)])
        assert 400 <= answer.status_code < 500
        assert answer.json()["code"] in {"REQUEST_INVALID", "IMAGE_TYPE_INVALID"}


def test_limit_of_a_type_above_the_general_one() -> None:
    """A type that allows larger files than the rest gets them through."""
    picture = make_png(40, 30)
    large = picture + bytes(2 * MAX_UPLOAD_BYTES - len(picture))
    types = {**IMAGE_TYPES, "poster": ImageType(prefix="posters", max_upload_bytes=2 * MAX_UPLOAD_BYTES)}
    service = make_image_service(MemoryStore(), CONNECTION, max_upload_bytes=MAX_UPLOAD_BYTES, types=types)
    for api in run_api(service, make_settings()):
        assert api.upload(large, image_type="poster").status_code == 201
        assert_problem(api.upload(large, image_type="user"), 413, "IMAGE_TOO_LARGE")
        assert_problem(api.upload(large + b"x", image_type="poster"), 413, "IMAGE_TOO_LARGE")


def test_file_of_a_batch_over_its_limit() -> None:
    """In a batch, too, each file has its own limit, and the others pass."""
    service = make_image_service(MemoryStore(), CONNECTION, max_upload_bytes=MAX_UPLOAD_BYTES)
    for api in run_api(service, make_settings()):
        files = [("files", ("a.jpg", PHOTO)), ("files", ("b.jpg", PHOTO + bytes(MAX_UPLOAD_BYTES)))]
        outcomes = api.client.post(f"{PATH}/batch", files=files, data={"image_type": "user"}).json()["outcomes"]
    assert [outcome["status"] for outcome in outcomes] == [201, 413]
