"""What a real store answers to real faults, and what stands in a store's place."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from app.core.exceptions import (
    ErrorCode,
    ImageNotFound,
    ImageServiceError,
    S3AccessDenied,
    S3BucketNotFound,
    S3ConnectionFailed,
    S3DeleteFailed,
    S3DownloadFailed,
    S3Error,
    S3InvalidCredentials,
    S3ListFailed,
    S3UploadFailed,
)
from app.services.protocols import ByteRange, NewObject
from app.services.s3_connection import S3Connection
from app.services.s3_presign import S3UrlSigner
from app.services.s3_service import S3Service
from tests.conftest import BucketFactory
from tests.fault_proxy import Answer, FaultProxy
from tests.fetching import fetch

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
from tests.services.recorded_answers import CALLS, SECRET, at, recorded_answer

CREDENTIAL_FAULTS = {
    "wrong secret": {"secret_access_key": SECRET},
    "unknown key id": {"access_key_id": "AKIAUNKNOWN", "secret_access_key": SECRET},
    "invalid token": {"session_token": SECRET},
}


async def outcomes_of(connection: S3Connection) -> dict[str, object]:
    store = S3Service(lambda: connection)
    outcomes = await asyncio.gather(*(call(store) for call in CALLS.values()), return_exceptions=True)
    await asyncio.to_thread(store.close)
    return dict(zip(CALLS, outcomes, strict=True))


@pytest.mark.parametrize("fault", CREDENTIAL_FAULTS)
async def test_wrong_credentials(make_bucket: BucketFactory, fault: str) -> None:
    """Credentials that the store does not know are named as that by every call, HEAD included; none shows a secret."""
    for name, outcome in (await outcomes_of(make_bucket(**CREDENTIAL_FAULTS[fault]))).items():
        assert isinstance(outcome, S3InvalidCredentials), (name, outcome)
        assert outcome.code == ErrorCode.S3_INVALID_CREDENTIALS
        assert SECRET not in f"{outcome!r} {outcome} {outcome.cause}"


async def test_missing_bucket(make_bucket: BucketFactory) -> None:
    """A bucket that is not there is named as that by every call: it is not an absent image."""
    for name, outcome in (await outcomes_of(replace(make_bucket(), bucket="no-such-bucket"))).items():
        assert isinstance(outcome, S3BucketNotFound), (name, outcome)


async def test_bucket_that_disappears(make_bucket: BucketFactory, administrator: S3Client) -> None:
    """Also a bucket that was there a moment ago is missed, not taken for an empty one."""
    connection = make_bucket()
    store = S3Service(lambda: connection)
    assert await store.head("users/1/a.jpg") is None
    administrator.delete_bucket(Bucket=connection.bucket)
    with pytest.raises(S3BucketNotFound):
        await store.head("users/1/a.jpg")
    administrator.create_bucket(Bucket=connection.bucket)
    store.close()


async def test_denied_by_policy(make_bucket: BucketFactory, administrator: S3Client) -> None:
    """What a policy forbids is refused by every call, and a HEAD that is refused never means absent."""
    connection = make_bucket()
    resources = [f"arn:aws:s3:::{connection.bucket}", f"arn:aws:s3:::{connection.bucket}/*"]
    actions = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket"]
    statement = {"Effect": "Deny", "Principal": "*", "Action": actions, "Resource": resources}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    administrator.put_bucket_policy(Bucket=connection.bucket, Policy=json.dumps(policy))
    for name, outcome in (await outcomes_of(connection)).items():
        assert isinstance(outcome, S3AccessDenied), (name, outcome)
        assert outcome.cause["s3_code"] == "AccessDenied"


async def test_missing_object(s3_store: S3Service) -> None:
    """A missing object is None to a HEAD, an error to a GET, and nothing to a DELETE."""
    assert await s3_store.head("users/1/a.jpg") is None
    for byte_range in (None, ByteRange(0, 0)):
        with pytest.raises(ImageNotFound) as caught:
            await s3_store.get("users/1/a.jpg", byte_range)
        assert caught.value.cause["s3_code"] == "NoSuchKey"
    await s3_store.delete("users/1/a.jpg")


async def test_a_404_of_something_else_is_no_missing_image(recorder: FaultProxy) -> None:
    """A proxy that has lost its store answers 404 too: nobody is told that their images are gone."""
    page = Answer(404, b"<html>nothing here</html>", {"Content-Type": "text/html"})
    store = S3Service(lambda: at(recorder.endpoint_url))
    recorder.spoil("HEAD", page)
    recorder.spoil("GET", page, page, page)
    for ask in (store.head("users/1/a.jpg"), store.get("users/1/a.jpg"), store.list("users/1/")):
        with pytest.raises(S3Error):
            await ask
    store.close()


async def test_refused_head_that_a_get_explains(recorder: FaultProxy) -> None:
    """HEAD answers have no body: what a bare 400 means is asked by a GET."""
    recorder.spoil("HEAD", Answer(400))
    recorder.spoil("GET", recorded_answer("ExpiredToken", 400))
    store = S3Service(lambda: at(recorder.endpoint_url))
    with pytest.raises(S3InvalidCredentials) as caught:
        await store.head("users/1/a.jpg")
    assert caught.value.cause["s3_code"] == "ExpiredToken"
    store.close()


async def test_head_that_stays_refused(recorder: FaultProxy) -> None:
    """A store that refuses HEAD and grants GET is still a store that refused: nothing is guessed."""
    recorder.spoil("HEAD", Answer(403))
    recorder.spoil("GET", Answer(206, b"x", {"Content-Range": "bytes 0-0/10"}))
    store = S3Service(lambda: at(recorder.endpoint_url))
    with pytest.raises(S3AccessDenied):
        await store.head("users/1/a.jpg")
    store.close()


async def test_range_that_the_store_ignores(recorder: FaultProxy) -> None:
    """A store that sends the whole object instead of the range is not believed."""
    recorder.spoil("GET", Answer(200, b"0123456789", {"ETag": '"e"', "Last-Modified": "Sun, 01 Dec 2024 14:30:22 GMT"}))
    store = S3Service(lambda: at(recorder.endpoint_url))
    with pytest.raises(S3DownloadFailed):
        await store.get("users/1/a.jpg", ByteRange(2, 3))
    store.close()


@pytest.mark.parametrize(
    ("name", "method", "failure"),
    [
        ("create", "PUT", S3UploadFailed),
        ("get", "GET", S3DownloadFailed),
        ("delete", "DELETE", S3DeleteFailed),
        ("list", "GET", S3ListFailed),
    ],
)
async def test_refusal_of_an_unknown_kind(
    recorder: FaultProxy, name: str, method: str, failure: type[ImageServiceError]
) -> None:
    """A refusal that nobody knows is reported as the failure of what was tried."""
    recorder.spoil(method, recorded_answer("InvalidRequest", 400))
    store = S3Service(lambda: at(recorder.endpoint_url))
    with pytest.raises(failure) as caught:
        await CALLS[name](store)
    assert caught.value.cause["s3_code"] == "InvalidRequest"
    store.close()


async def test_expired_url(make_bucket: BucketFactory, s3_store: S3Service) -> None:
    """A presigned URL whose time is over is refused by the store."""
    connection = make_bucket()
    store = S3Service(lambda: connection)
    await store.create(NewObject("users/1/a.jpg", b"body", "image/jpeg", "no-cache"))
    url = S3UrlSigner(lambda: connection).presigned_url("users/1/a.jpg", expires_in=1)
    status = 200
    deadline = asyncio.get_running_loop().time() + 6
    while status == 200 and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.2)
        status, body = await asyncio.to_thread(fetch, url)
    assert status == 403
    assert b"expired" in body
    store.close()


async def test_no_answer_names_the_operation(recorder: FaultProxy) -> None:
    """The cause of a failure says what was tried, for the operator."""
    store = S3Service(lambda: at("http://127.0.0.1:9"))
    with pytest.raises(S3ConnectionFailed) as caught:
        await store.check_bucket()
    assert caught.value.cause == {"operation": "ListObjectsV2", "exception": "EndpointConnectionError"}
    store.close()
