"""Presigned URLs against botocore's own, byte for byte, and at a real store."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.config import AddressingStyle
from app.services.protocols import NewObject
from app.services.s3_connection import S3Connection, make_client
from app.services.s3_presign import S3UrlSigner, encode_key
from app.services.s3_service import S3Service
from app.services.s3_signature import QuerySigner
from tests.conftest import BucketFactory
from tests.fetching import fetch

REGIONS = ("us-east-1", "eu-central-1", "ap-southeast-2", "auto", "cn-north-1", "us-gov-west-1")
PLACES: dict[str, dict[str, Any]] = {
    **{f"AWS {region}": {"region": region} for region in REGIONS},
    "http on AWS": {"use_ssl": False},
    "path style on AWS": {"addressing_style": AddressingStyle.PATH},
    "dotted bucket": {"bucket": "photos.example.com"},
    "dotted bucket, virtual host asked for": {
        "bucket": "photos.example.com",
        "addressing_style": AddressingStyle.VIRTUAL,
    },
    "endpoint": {"endpoint_url": "http://127.0.0.1:9000"},
    "endpoint in IPv6": {"endpoint_url": "http://[::1]:9000"},
    "endpoint at the default port": {"endpoint_url": "https://S3.example.com:443"},
    "http endpoint at the default port": {"endpoint_url": "http://s3.example.com:80"},
    "http endpoint at https's port": {"endpoint_url": "http://s3.example.com:443"},
    "virtual host at an endpoint": {
        "endpoint_url": "https://s3.example.com:8443",
        "addressing_style": AddressingStyle.VIRTUAL,
    },
    "public endpoint": {"endpoint_url": "http://minio:9000", "public_endpoint_url": "https://media.example.com"},
    "public endpoint with a path": {
        "endpoint_url": "http://minio:9000",
        "public_endpoint_url": "http://example.com:8080/s3/in",
    },
}
TOKENS = {"lasting": None, "temporary": "FwoGZXIvYXdzE//+=" * 20}
ODD_CHARACTERS = "/-._~ +%&=?#'\"()[]{}<>!@$^*,;:|\\`\t\n\0éß漢🏡\u202e\ufeffaZ09"
KEYS_PER_PLACE = 100

# No surrogates: S3 has no keys that are not UTF-8.
keys = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(ODD_CHARACTERS), min_size=1, max_size=80)
printable = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60)
moments = st.datetimes(datetime(1970, 1, 1), datetime(2999, 12, 31), timezones=st.just(UTC))


def connection(**changes: Any) -> S3Connection:
    values = {
        "bucket": "photos",
        "region": "eu-central-1",
        "access_key_id": "AKIA/+=EXAMPLE",
        "secret_access_key": "a/secret+of=these tests",
    }
    return S3Connection(**(values | changes))


WHERE = connection()


class TimedAuth(S3SigV4QueryAuth):
    """Botocore's own signer at a moment of our choice."""

    def __init__(self, *arguments: Any, moment: datetime, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._moment = moment

    def _modify_request_before_signing(self, request: Any) -> None:
        request.context["timestamp"] = self._moment.strftime("%Y%m%dT%H%M%SZ")
        super()._modify_request_before_signing(request)  # type: ignore[misc]  # not in the stubs


def moment_of(url: str) -> datetime:
    [text] = parse_qs(urlsplit(url).query)["X-Amz-Date"]
    return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


@pytest.mark.parametrize("lifetime", TOKENS)
@pytest.mark.parametrize("place", PLACES)
def test_urls_are_those_of_boto(place: str, lifetime: str) -> None:
    """However the store is reached, each URL is the one that boto3 makes for the key at that moment."""
    where = connection(**PLACES[place], session_token=TOKENS[lifetime])
    draw = random.Random(f"{place} {lifetime}")
    client = make_client(where, endpoint_url=where.public_endpoint_url)
    signer = S3UrlSigner(lambda: where)
    for _ in range(KEYS_PER_PLACE):
        key = "".join(draw.choices(ODD_CHARACTERS, k=draw.randint(1, 60)))
        expires_in = draw.randint(1, 604_800)
        theirs = client.generate_presigned_url(
            "get_object", Params={"Bucket": where.bucket, "Key": key}, ExpiresIn=expires_in
        )

        ours = signer.presigned_urls([key], expires_in=expires_in, signed_at=moment_of(theirs))

        assert ours == [theirs]


@settings(max_examples=1500, deadline=None, database=None, derandomize=True)
@given(
    key=keys,
    access_key_id=printable,
    secret_access_key=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60),
    session_token=st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=200),
    region=st.sampled_from(REGIONS),
    port=st.none() | st.integers(1, 65535),
    moment=moments,
    expires_in=st.integers(1, 604_800),
)
def test_signatures_are_those_of_botocore_at_any_time(
    key: str,
    access_key_id: str,
    secret_access_key: str,
    session_token: str | None,
    region: str,
    port: int | None,
    moment: datetime,
    expires_in: int,
) -> None:
    """For any key, credentials, region, port, lifetime and moment, the query is botocore's."""
    host = "photos.example.com" if port in {None, 443} else f"photos.example.com:{port}"
    path = f"/photos/{encode_key(key)}"
    address = f"https://{host}{path}"
    request = AWSRequest("GET", address)
    credentials = Credentials(access_key_id, secret_access_key, session_token)
    TimedAuth(credentials, "s3", region, expires=expires_in, moment=moment).add_auth(request)

    signer = QuerySigner(
        host=host,
        region=region,
        access_key_id=access_key_id,
        secret_access_key=secret_access_key,
        session_token=session_token,
        moment=moment,
        expires_in=expires_in,
    )

    assert f"{address}?{signer.query_for(path)}" == request.url


def test_the_example_of_amazons_own_manual() -> None:
    """The signature is the one that the manual works out.

    https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
    """
    signer = QuerySigner(
        host="examplebucket.s3.amazonaws.com",
        region="us-east-1",
        access_key_id="AKIAIOSFODNN7EXAMPLE",
        secret_access_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        session_token=None,
        moment=datetime(2013, 5, 24, tzinfo=UTC),
        expires_in=86400,
    )

    assert signer.query_for("/test.txt").endswith(
        "X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )


def test_moments_of_other_time_zones() -> None:
    """A moment is the same one in every time zone, and its fraction of a second does not count."""
    signer = S3UrlSigner(lambda: WHERE)
    utc = datetime(2024, 12, 1, 23, 30, 22, tzinfo=UTC)
    elsewhere = utc.replace(microsecond=999_999).astimezone(timezone(timedelta(hours=5, minutes=30)))

    urls = [signer.presigned_urls(["k"], expires_in=60, signed_at=moment) for moment in (utc, elsewhere)]

    assert urls[0] == urls[1]
    assert "X-Amz-Date=20241201T233022Z" in urls[0][0]


def test_many_are_those_of_each() -> None:
    """The URLs of many keys come in the keys' order, repeated where a key is."""
    signer = S3UrlSigner(lambda: WHERE)
    moment = datetime(2024, 12, 1, tzinfo=UTC)
    names = ["b", "a", "b", "c d"]

    many = signer.presigned_urls(iter(names), expires_in=60, signed_at=moment)

    assert many == [signer.presigned_urls([name], expires_in=60, signed_at=moment)[0] for name in names]
    assert signer.presigned_urls([], expires_in=60) == []


def test_a_bucket_that_moves() -> None:
    """When the store comes back at another address, URLs lead there."""
    places = [connection(endpoint_url="http://127.0.0.1:9000"), connection(endpoint_url="http://127.0.0.1:9001")]
    signer = S3UrlSigner(lambda: places[0])
    before = signer.presigned_url("k", expires_in=60)
    places.reverse()

    assert urlsplit(before).port == 9000
    assert urlsplit(signer.presigned_url("k", expires_in=60)).port == 9001


async def test_a_real_store_takes_them_until_they_end(make_bucket: BucketFactory) -> None:
    """The store gives the object for the URL, for its own key only, and not after its time."""
    where = make_bucket()
    store = S3Service(lambda: where)
    names = ["users/a b+c%é&d=e#f?g~/1.jpg", "variants/users/🏡/w640.avif", "private/users/1/'(*)!.jpg"]
    for name in names:
        await store.create(NewObject(name, name.encode(), "image/jpeg", "no-cache"))
    store.close()
    signer = S3UrlSigner(lambda: where)
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)

    valid = signer.presigned_urls(names, expires_in=60)
    since_an_hour = signer.presigned_urls(names, expires_in=7200, signed_at=an_hour_ago)
    expired = signer.presigned_urls(names, expires_in=3540, signed_at=an_hour_ago)

    assert [fetch(url) for url in valid] == [(200, name.encode()) for name in names]
    assert [fetch(url) for url in since_an_hour] == [(200, name.encode()) for name in names]
    assert [fetch(url)[0] for url in expired] == [403] * 3
    assert fetch(valid[0].replace("/1.jpg", "/2.jpg"))[0] == 403
    assert fetch(valid[0].replace("X-Amz-Expires=60", "X-Amz-Expires=61"))[0] == 403
