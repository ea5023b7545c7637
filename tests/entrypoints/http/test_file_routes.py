"""`/files`: bytes, validators, ranges, and headers that keep a picture a picture."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator
from datetime import timedelta
from email.utils import parsedate_to_datetime

import pytest

from app.core.exceptions import S3ConnectionFailed
from app.entrypoints.http.app import create_app
from app.entrypoints.http.conditions import format_date
from app.entrypoints.http.file_routes import format_disposition
from app.services.memory_store import MemoryStore
from app.services.protocols import ByteRange, ObjectStream, StoredObject
from tests.conftest import make_image_service
from tests.entrypoints.http.conftest import CONNECTION, Api, ServicesOf, assert_problem, make_settings, run_api
from tests.pictures import make_jpeg
from tests.running_service import run_service


class CountingStore(MemoryStore):
    """A store that remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    async def head(self, key: str) -> StoredObject | None:
        self.asked.append("head")
        return await super().head(key)

    async def get(self, key: str, byte_range: ByteRange | None = None) -> ObjectStream:
        self.asked.append("get")
        return await super().get(key, byte_range)


class BreakingStore(MemoryStore):
    """A store whose connection breaks in the middle of every object, of which it sends so many bytes at a time."""

    def __init__(self, piece_bytes: int) -> None:
        super().__init__()
        self.piece_bytes = piece_bytes

    async def get(self, key: str, byte_range: ByteRange | None = None) -> ObjectStream:
        whole = await super().get(key, byte_range)

        async def half() -> AsyncGenerator[bytes, None]:
            async for chunk in whole.chunks:
                for start in range(0, len(chunk) // 2, self.piece_bytes):
                    yield chunk[start : start + self.piece_bytes]
            raise S3ConnectionFailed

        return ObjectStream(whole.object, half())


def test_file_is_the_stored_picture_with_its_headers(api: Api) -> None:
    """A picture is served under its own type, cacheable for ever, and can be neither script nor page."""
    stored = api.store(file_name='Zoë\'s "bath".HEIC')
    answer = api.client.get(f"/api/v1/files/{stored['s3_key']}")

    assert answer.status_code == 200
    assert len(answer.content) == stored["file_size"] == int(answer.headers["content-length"])
    expected = {
        "content-type": "image/jpeg",
        "etag": stored["etag"],
        "accept-ranges": "bytes",
        "cache-control": "public, max-age=31536000, immutable",
        "x-content-type-options": "nosniff",
        "content-security-policy": "default-src 'none'; sandbox",
        "cross-origin-resource-policy": "cross-origin",
        "content-disposition": (
            "inline; filename=\"Zo_'s _bath_.jpg\"; filename*=UTF-8''Zo%C3%AB%27s%20%22bath%22.jpg"
        ),
    }
    assert {name: answer.headers[name] for name in expected} == expected


def test_private_file_is_not_for_shared_caches(api: Api) -> None:
    """Nobody's cache hands a private picture to the next one who asks."""
    answer = api.client.get(f"/api/v1/files/{api.store('document')['s3_key']}")

    assert answer.headers["cache-control"] == "private, no-store"
    assert answer.headers["vary"] == "Authorization"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cross-origin-resource-policy"] == "same-site"


def test_head_has_the_headers_of_get(api: Api) -> None:
    """HEAD tells all that GET would, without the picture."""
    path = f"/api/v1/files/{api.store()['s3_key']}"
    got, head = api.client.get(path), api.client.head(path)

    assert head.content == b""
    ignored = {"x-request-id", "date"}
    assert {k: v for k, v in head.headers.items() if k not in ignored} == {
        k: v for k, v in got.headers.items() if k not in ignored
    }


def test_plain_get_asks_the_store_once() -> None:
    """A picture costs one request to the store; conditions cost one more."""
    store = CountingStore()
    for api in run_api(make_image_service(store, CONNECTION), make_settings()):
        path = f"/api/v1/files/{api.store()['s3_key']}"
        store.asked.clear()
        api.client.get(path)
        plain = list(store.asked)
        api.client.get(path, headers={"Range": "bytes=0-1"})

    assert plain == ["get"]
    assert store.asked == ["get", "head", "get"]


@pytest.mark.parametrize(
    ("header", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=0-9", 0, 9),
        ("bytes=5-", 5, None),
        ("bytes=-7", -7, None),
        ("bytes=-999999", 0, None),
        ("bytes=3-999999999999999999", 3, None),
        ("BYTES=0-9", 0, 9),
    ],
)
def test_range_of_a_file(api: Api, header: str, first: int, last: int | None) -> None:
    """One range is answered with exactly its bytes and where they lie."""
    path = f"/api/v1/files/{api.store()['s3_key']}"
    whole = api.client.get(path).content
    first = first if first >= 0 else len(whole) + first
    last = len(whole) - 1 if last is None else last
    answer = api.client.get(path, headers={"Range": header})

    assert answer.status_code == 206
    assert answer.headers["content-range"] == f"bytes {first}-{last}/{len(whole)}"
    assert answer.content == whole[first : last + 1]
    assert int(answer.headers["content-length"]) == len(answer.content)


@pytest.mark.parametrize(
    "header",
    ["bytes=0-1,3-4", "bytes=4-2", "bytes=-", "bytes=a-b", "lines=1-2", "bytes 0-1", "", "bytes=" + "9" * 5000 + "-"],
)
def test_range_that_is_not_understood(api: Api, header: str) -> None:
    """Several ranges, other units and nonsense are answered with the whole file."""
    stored = api.store()
    answer = api.client.get(f"/api/v1/files/{stored['s3_key']}", headers={"Range": header})

    assert answer.status_code == 200
    assert len(answer.content) == stored["file_size"]


@pytest.mark.parametrize("header", ["bytes=99999999-", "bytes=-0"])
def test_range_behind_the_end(api: Api, header: str) -> None:
    """A range outside the file is refused, and the answer tells the file's length."""
    stored = api.store()
    answer = api.client.get(f"/api/v1/files/{stored['s3_key']}", headers={"Range": header})

    assert_problem(answer, 416, "RANGE_NOT_SATISFIABLE")
    assert answer.headers["content-range"] == f"bytes */{stored['file_size']}"


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("{etag}", 304),
        ("W/{etag}", 304),
        ('"x", {etag} , "y"', 304),
        ("*", 304),
        ('"x"', 200),
        ("x", 200),
        ("", 200),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_if_none_match(api: Api, method: str, header: str, status: int) -> None:
    """A client that names the ETag it has, alone or among others, is not sent the picture again."""
    stored = api.store()
    headers = {"If-None-Match": header.replace("{etag}", stored["etag"])}
    answer = api.client.request(method, f"/api/v1/files/{stored['s3_key']}", headers=headers)

    assert answer.status_code == status
    assert answer.headers["etag"] == stored["etag"]
    assert status == 200 or answer.content == b""


def test_if_modified_since(api: Api) -> None:
    """By date: unchanged since then is 304; If-None-Match, where both are sent, decides alone."""
    path = f"/api/v1/files/{api.store()['s3_key']}"
    modified = parsedate_to_datetime(api.client.get(path).headers["last-modified"])
    earlier = format_date(modified - timedelta(seconds=1))

    def status(**headers: str) -> int:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return int(api.client.get(path, headers=sent).status_code)

    assert status(If_Modified_Since=format_date(modified)) == 304
    assert status(If_Modified_Since=earlier) == 200
    assert status(If_Modified_Since="yesterday") == 200
    assert status(If_Modified_Since=format_date(modified), If_None_Match='"x"') == 200
    assert status(If_Modified_Since=earlier, If_None_Match="*") == 304


def test_if_range(api: Api) -> None:
    """A range of a picture that is another one by now would be garbage: then the whole is sent."""
    stored = api.store()
    path = f"/api/v1/files/{stored['s3_key']}"
    modified = api.client.get(path).headers["last-modified"]

    statuses = [
        api.client.get(path, headers={"Range": "bytes=0-1", "If-Range": condition}).status_code
        for condition in (stored["etag"], modified, f"W/{stored['etag']}", '"x"', "Sun, 01 Dec 2019 14:30:22 GMT")
    ]

    assert statuses == [206, 206, 200, 200, 200]


@pytest.mark.parametrize(
    "date",
    [
        "Mon, 01 Jan 2024 00:00:00 +99999999999999999999",
        "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
        "Mon, 01 Jan 0001 00:00:00 +2359",
    ],
)
def test_date_beyond_all_numbers(api: Api, date: str) -> None:
    """A date that no calendar has is as good as none."""
    path = f"/api/v1/files/{api.store()['s3_key']}"

    assert api.client.get(path, headers={"If-Modified-Since": date}).status_code == 200
    assert api.client.get(path, headers={"Range": "bytes=0-1", "If-Range": date}).status_code == 200


def test_store_that_breaks_off_breaks_the_connection() -> None:
    """A download that the store cannot finish breaks the connection: no short picture looks whole."""
    service = make_image_service(BreakingStore(100), CONNECTION)
    for api in run_api(service, make_settings()):
        stored = api.store()
    with run_service(create_app(ServicesOf(service, make_settings()))) as running:
        request = f"GET /api/v1/files/{stored['s3_key']} HTTP/1.1\r\nHost: localhost\r\n\r\n"
        with socket.create_connection(("127.0.0.1", running.port), timeout=10) as connection:
            connection.sendall(request.encode())
            answer = b"".join(iter(lambda: connection.recv(65536), b""))

    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert f"content-length: {stored['file_size']}".encode() in head.lower()
    assert 0 < len(body) < stored["file_size"]


def test_store_that_breaks_off_at_the_beginning() -> None:
    """As long as nothing has been sent, a store that fails is told of with its code."""
    service = make_image_service(BreakingStore(1_000_000), CONNECTION)
    for api in run_api(service, make_settings()):
        stored = api.store()
        answer = api.client.get(f"/api/v1/files/{stored['s3_key']}")
        assert_problem(answer, 503, "S3_CONNECTION_FAILED")


def test_missing_file(api: Api) -> None:
    """A file that is not there is a problem, not a page."""
    assert_problem(api.client.get("/api/v1/files/rooms/20241201_143022_a1b2c3d4.png"), 404, "IMAGE_NOT_FOUND")


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("plain.jpg", 'inline; filename="plain.jpg"'),
        ("50%.jpg", "inline; filename=\"50_.jpg\"; filename*=UTF-8''50%25.jpg"),
        ("照片.jpg", "inline; filename=\"__.jpg\"; filename*=UTF-8''%E7%85%A7%E7%89%87.jpg"),
    ],
)
def test_names_in_headers(name: str, header: str) -> None:
    """File names of any script survive the header, and none breaks it."""
    assert format_disposition(name) == header


def test_large_file_streams_whole(api: Api) -> None:
    """A picture of several chunks arrives byte for byte."""
    answer = api.upload(make_jpeg(1600, 1200))
    image = answer.json()

    assert len(api.client.get(f"/api/v1/files/{image['s3_key']}").content) == image["file_size"]
