"""URLs of images: the same bucket and key however the store is reached, made without network."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from app.core.config import AddressingStyle, Settings
from app.core.exceptions import InvalidExpiry, InvalidImageKey, S3InvalidCredentials
from app.services.image_service import ImageService
from app.services.memory_store import MemoryStore
from app.services.protocols import NewObject
from app.services.s3_connection import S3Connection
from app.services.s3_presign import S3UrlSigner, encode_key
from app.services.s3_service import S3Service
from tests.conftest import BucketFactory, make_image_service
from tests.fetching import fetch

KEY = "users/123/20241201_143022_a1b2c3d4.jpg"
ODD_KEY = "users/a b+c%é&d=e#f?g/20241201_143022_a1b2c3d4.jpg"
ODD_PATH = "users/a%20b%2Bc%25%C3%A9%26d%3De%23f%3Fg/20241201_143022_a1b2c3d4.jpg"
SECRET = "secret-that-signs-and-is-never-shown"


def connection(**changes: Any) -> S3Connection:
    values = {"bucket": "photos", "region": "eu-central-1", "access_key_id": "AKIAEXAMPLE", "secret_access_key": SECRET}
    return S3Connection(**(values | changes))


@cache
def service_at(where: S3Connection) -> ImageService:
    return make_image_service(MemoryStore(), where)


# name → connection, public URL, beginning of the presigned URL
PLACES: dict[str, tuple[S3Connection, str, str]] = {
    "us-east-1": (
        connection(region="us-east-1"),
        f"https://photos.s3.us-east-1.amazonaws.com/{KEY}",
        f"https://photos.s3.us-east-1.amazonaws.com/{KEY}?",
    ),
    "another region": (
        connection(),
        f"https://photos.s3.eu-central-1.amazonaws.com/{KEY}",
        f"https://photos.s3.eu-central-1.amazonaws.com/{KEY}?",
    ),
    "china": (
        connection(region="cn-north-1"),
        f"https://photos.s3.cn-north-1.amazonaws.com.cn/{KEY}",
        f"https://photos.s3.cn-north-1.amazonaws.com.cn/{KEY}?",
    ),
    "dotted bucket": (
        connection(bucket="photos.example.com"),
        f"https://s3.eu-central-1.amazonaws.com/photos.example.com/{KEY}",
        f"https://s3.eu-central-1.amazonaws.com/photos.example.com/{KEY}?",
    ),
    "path style on AWS": (
        connection(addressing_style=AddressingStyle.PATH),
        f"https://s3.eu-central-1.amazonaws.com/photos/{KEY}",
        f"https://s3.eu-central-1.amazonaws.com/photos/{KEY}?",
    ),
    "http on AWS": (
        connection(use_ssl=False),
        f"http://photos.s3.eu-central-1.amazonaws.com/{KEY}",
        f"http://photos.s3.eu-central-1.amazonaws.com/{KEY}?",
    ),
    "endpoint": (
        connection(endpoint_url="http://127.0.0.1:9000"),
        f"http://127.0.0.1:9000/photos/{KEY}",
        f"http://127.0.0.1:9000/photos/{KEY}?",
    ),
    "endpoint with virtual hosts": (
        connection(endpoint_url="https://s3.example.com", addressing_style=AddressingStyle.VIRTUAL),
        f"https://photos.s3.example.com/{KEY}",
        f"https://photos.s3.example.com/{KEY}?",
    ),
    "public endpoint": (
        connection(endpoint_url="http://minio:9000", public_endpoint_url="https://media.example.com"),
        f"https://media.example.com/photos/{KEY}",
        f"https://media.example.com/photos/{KEY}?",
    ),
    "public endpoint with a path": (
        connection(endpoint_url="http://minio:9000", public_endpoint_url="https://example.com/s3"),
        f"https://example.com/s3/photos/{KEY}",
        f"https://example.com/s3/photos/{KEY}?",
    ),
    "CDN": (
        connection(cdn_base_url="https://cdn.example.com/media"),
        f"https://cdn.example.com/media/{KEY}",
        f"https://photos.s3.eu-central-1.amazonaws.com/{KEY}?",
    ),
}


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    yield
    monkeypatch.undo()


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.usefixtures("no_network")
def test_url_at_each_place(place: str) -> None:
    """The public and the presigned URL of an image name the same host and path, and the CDN the same path."""
    where, public, presigned = PLACES[place]
    service = service_at(where)
    assert service.get_image_url(KEY) == public
    assert service.get_presigned_url(KEY).startswith(presigned)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.usefixtures("no_network")
def test_many_and_stable_urls_without_network(place: str) -> None:
    """A thousand URLs, and those of a window, are made without asking anybody, the first time too."""
    where, _, presigned = PLACES[place]
    service = make_image_service(MemoryStore(), where)
    keys = [KEY.replace("123", str(number)) for number in range(1000)]

    assert list(service.get_presigned_urls(keys)) == keys
    for url in (*service.get_presigned_urls([KEY], stable=True).values(), service.stable_object_urls([KEY])[0][0]):
        assert url.startswith(presigned)


@pytest.mark.parametrize("place", PLACES)
def test_odd_key_is_encoded_per_segment(place: str) -> None:
    """Every character of a key survives in a URL, alike in all kinds of URLs, and `/` still divides."""
    where, public, presigned = PLACES[place]
    service = service_at(where)
    expected = public.removesuffix(KEY) + ODD_PATH
    assert service.get_image_url(ODD_KEY) == expected
    assert urlsplit(expected).path.endswith("/" + encode_key(ODD_KEY))
    assert unquote(encode_key(ODD_KEY)) == ODD_KEY
    signed = urlsplit(service.get_presigned_url(ODD_KEY))
    assert f"{signed.scheme}://{signed.netloc}{signed.path}" == presigned.removesuffix(f"{KEY}?") + ODD_PATH


@pytest.mark.parametrize("place", PLACES)
def test_presigned_by_version_4_with_the_region(place: str) -> None:
    """Presigned URLs are signed in the one way that every region and store accepts."""
    where, _, _ = PLACES[place]
    url = service_at(where).get_presigned_url(KEY, expires_in=900)
    query = parse_qs(urlsplit(url).query)
    assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert query["X-Amz-Expires"] == ["900"]
    assert query["X-Amz-SignedHeaders"] == ["host"]
    assert f"/{where.region}/s3/aws4_request" in query["X-Amz-Credential"][0]
    assert "AWSAccessKeyId" not in query
    assert SECRET not in url


def test_temporary_credentials_go_along() -> None:
    """With a session token the presigned URL holds it, as S3 demands."""
    url = service_at(connection(session_token="token/+=")).get_presigned_url(KEY)
    assert parse_qs(urlsplit(url).query)["X-Amz-Security-Token"] == ["token/+="]


@pytest.mark.parametrize("expires_in", [1, 2, 3600, 604_800])
def test_lifetime_within_bounds(expires_in: int) -> None:
    """A presigned URL lives from a second to seven days."""
    url = service_at(connection()).get_presigned_url(KEY, expires_in)
    assert parse_qs(urlsplit(url).query)["X-Amz-Expires"] == [str(expires_in)]


def test_lifetime_unless_told() -> None:
    """An hour, unless told otherwise."""
    url = service_at(connection()).get_presigned_url(KEY)
    assert parse_qs(urlsplit(url).query)["X-Amz-Expires"] == ["3600"]


@pytest.mark.parametrize(
    "expires_in", [0, -1, 604_801, 10**30, True, 1.0, 3600.5, float("nan"), float("inf"), "3600", None], ids=repr
)
def test_lifetime_out_of_bounds(expires_in: Any) -> None:
    """Any other lifetime is refused by name, not rounded, not passed on."""
    with pytest.raises(InvalidExpiry):
        service_at(connection()).get_presigned_url(KEY, expires_in)


def test_no_credentials_to_sign_with() -> None:
    """Without credentials there is a public URL, and a clear error instead of a presigned one."""
    service = service_at(connection(access_key_id=None, secret_access_key=None))
    assert service.get_image_url(KEY).endswith(KEY)
    with pytest.raises(S3InvalidCredentials):
        service.get_presigned_url(KEY)


@pytest.mark.parametrize("key", ["incoming/1", "variants/users/1/a/w.jpg", "users/../rooms/a.jpg", "", "users/1/"])
def test_no_url_outside_the_images(key: str) -> None:
    """What is not an image of ours has no URL, least of all a signed one."""
    service = service_at(connection())
    with pytest.raises(InvalidImageKey):
        service.get_image_url(key)
    with pytest.raises(InvalidImageKey):
        service.get_presigned_url(key)


async def test_odd_user_id_fetches(make_bucket: BucketFactory) -> None:
    """The presigned URL of an image of an oddly named user really fetches it, and only it."""
    where = make_bucket()
    store = S3Service(lambda: where)
    for user_id in ("a b+c", "100%", "rené", "o'neill&sons=#1?", "🏡"):
        key = f"users/{user_id}/20241201_143022_a1b2c3d4.jpg"
        await store.create(NewObject(key, user_id.encode(), "image/jpeg", "no-cache"))
        url = service_at(where).get_presigned_url(key, 60)
        assert fetch(url) == (200, user_id.encode())
        assert fetch(url.replace("a1b2c3d4", "a1b2c3d5"))[0] == 403
        assert fetch(service_at(where).get_image_url(key))[0] == 403
    store.close()


def test_settings_reach_the_url() -> None:
    """The settings of the environment decide the URLs."""
    settings = Settings.load(
        s3_bucket_name="photos", aws_region="eu-west-1", s3_endpoint_url="s3.example.com:9000", s3_use_ssl=False
    )
    signer = S3UrlSigner(lambda: S3Connection.from_settings(settings, bucket="photos"))
    assert signer.public_url(KEY) == f"http://s3.example.com:9000/photos/{KEY}"
