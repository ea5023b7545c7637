"""The error table: real answers of SeaweedFS where it gives them, recorded ones to a real client otherwise."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore import exceptions as boto
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError, SSLError

from app.core.exceptions import (
    ErrorCode,
    Fault,
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
from app.services.protocols import ByteRange, KeyTaken, NewObject, ObjectStore
from app.services.s3_connection import S3Connection, make_client
from app.services.s3_errors import (
    ERRORS_BY_CODE,
    ERRORS_BY_EXCEPTION,
    KEY_TAKEN_CODES,
    DeadlinePassed,
    NotS3,
    classify_answer,
    translating,
)
from app.services.s3_presign import S3UrlSigner
from app.services.s3_service import S3Service
from tests.conftest import BucketFactory
from tests.fault_proxy import Answer, FaultProxy, ResetRequest
from tests.fetching import fetch

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SECRET = "wrong-secret-that-nobody-may-read"
CALLS: dict[str, Callable[[ObjectStore], Awaitable[object]]] = {
    "create": lambda store: store.create(NewObject("users/1/new.jpg", b"body", "image/jpeg", "no-cache")),
    "head": lambda store: store.head("users/1/a.jpg"),
    "get": lambda store: store.get("users/1/a.jpg"),
    "delete": lambda store: store.delete("users/1/a.jpg"),
    "list": lambda store: store.list("users/"),
    "check_bucket": lambda store: store.check_bucket(),
}

# What S3 answers, as AWS documents it: code → HTTP status. Codes that are numbers come without a body.
# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
RECORDED = {
    "NoSuchBucket": 404,
    "AccessDenied": 403,
    "AllAccessDisabled": 403,
    "AccountProblem": 403,
    "Forbidden": 403,
    "403": 403,
    "InvalidAccessKeyId": 403,
    "SignatureDoesNotMatch": 403,
    "ExpiredToken": 400,
    "InvalidToken": 400,
    "TokenRefreshRequired": 400,
    "InvalidSecurity": 403,
    "NotSignedUp": 403,
    "401": 401,
    "Unauthorized": 401,
    "RequestTimeTooSkewed": 403,
    "PermanentRedirect": 301,
    "TemporaryRedirect": 307,
    "AuthorizationHeaderMalformed": 400,
    "AuthorizationQueryParametersError": 400,
    "IllegalLocationConstraintException": 400,
    "301": 301,
    "307": 307,
    "SlowDown": 503,
    "ServiceUnavailable": 503,
    "InternalError": 500,
    "RequestTimeout": 400,
    "Throttling": 400,
    "ThrottlingException": 400,
    "RequestLimitExceeded": 503,
    "BandwidthLimitExceeded": 509,
    "OperationAborted": 409,
    "ConditionalRequestConflict": 409,
    "429": 429,
    "500": 500,
    "502": 502,
    "503": 503,
    "504": 504,
    "NoSuchKey": 404,
    "InvalidRange": 416,
    "416": 416,
    "PreconditionFailed": 412,
    "412": 412,
}


def recorded_answer(code: str, status: int) -> Answer:
    if code.isdigit():
        return Answer(status)
    body = f"<Error><Code>{code}</Code><Message>As recorded.</Message><RequestId>REQUEST1</RequestId></Error>"
    return Answer(status, body.encode(), {"Content-Type": "application/xml", "x-amz-request-id": "REQUEST1"})


@pytest.fixture(scope="module")
def recorder() -> Iterator[FaultProxy]:
    """A server that gives the answers it is told to give."""
    with FaultProxy() as proxy:
        yield proxy


def at(endpoint_url: str, **changes: Any) -> S3Connection:
    return replace(
        S3Connection("photos", "eu-central-1", endpoint_url, access_key_id="AKIAEXAMPLE", secret_access_key=SECRET),
        **({"max_attempts": 1} | changes),
    )


@pytest.fixture(scope="module")
def client(recorder: FaultProxy) -> Iterator[S3Client]:
    with contextlib.closing(make_client(at(recorder.endpoint_url))) as client:
        yield client


def test_every_code_of_the_table_has_a_recorded_answer() -> None:
    """Nobody adds a code without showing the answer that bears it."""
    assert set(RECORDED) == set(ERRORS_BY_CODE) | KEY_TAKEN_CODES


@pytest.mark.parametrize("code", ERRORS_BY_CODE)
def test_recorded_answer(recorder: FaultProxy, client: S3Client, code: str) -> None:
    """Each answer of S3 becomes the error that says who can mend it, with S3's own words as its cause."""
    recorder.spoil("GET", recorded_answer(code, RECORDED[code]))
    with pytest.raises(ImageServiceError) as caught, translating("GetObject", failure=S3DownloadFailed):
        client.get_object(Bucket="photos", Key="users/1/a.jpg")
    assert type(caught.value) is ERRORS_BY_CODE[code]
    assert caught.value.cause["operation"] == "GetObject"
    assert caught.value.cause["s3_code"] == code
    if not code.isdigit():
        assert caught.value.cause["s3_request_id"] == "REQUEST1"
        assert "As recorded." not in caught.value.detail


@pytest.mark.parametrize("code", sorted(KEY_TAKEN_CODES))
def test_recorded_answer_to_a_taken_key(recorder: FaultProxy, client: S3Client, code: str) -> None:
    """A conditional write that meets an object means a taken key, whether or not the answer has a body."""
    recorder.spoil("PUT", recorded_answer(code, RECORDED[code]))
    with pytest.raises(KeyTaken), translating("PutObject", failure=S3UploadFailed):
        client.put_object(Bucket="photos", Key="users/1/a.jpg", Body=b"body", IfNoneMatch="*")


def test_unknown_answer() -> None:
    """An answer that the table does not know fails as its operation, or as its status where that is known."""
    assert classify_answer("NewCode", 400, failure=S3DeleteFailed) is S3DeleteFailed
    assert classify_answer("NewCode", 403, failure=S3DeleteFailed) is S3AccessDenied


@pytest.mark.parametrize("error", sorted(set(ERRORS_BY_CODE.values()), key=str))
def test_retryable_exactly_when_time_mends_it(error: type[ImageServiceError]) -> None:
    """Repeating is recommended when the store is to blame, never when the caller or the operator is."""
    assert error.retryable == (error.fault is Fault.STORE)


def _no_credentials(_: Path, __: pytest.MonkeyPatch) -> None:
    connection = at("http://127.0.0.1:9", access_key_id=None, secret_access_key=None)
    make_client(connection).get_object(Bucket="photos", Key="a")


def _partial_credentials(folder: Path, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    _no_credentials(folder, environment)


def _with_profile(profile: str) -> Callable[[Path, pytest.MonkeyPatch], None]:
    def use(folder: Path, environment: pytest.MonkeyPatch) -> None:
        (folder / "config").write_text(f"[profile mine]\n{profile}\n")
        environment.setenv("AWS_CONFIG_FILE", str(folder / "config"))
        environment.setenv("AWS_PROFILE", "mine" if profile else "nobody")
        environment.setenv("HOME", str(folder))
        _no_credentials(folder, environment)

    return use


def _raises(error: BaseException) -> Callable[[Path, pytest.MonkeyPatch], None]:
    def use(_: Path, __: pytest.MonkeyPatch) -> None:
        raise error

    return use


def _refused(_: Path, __: pytest.MonkeyPatch) -> None:
    make_client(at("http://127.0.0.1:9")).get_object(Bucket="photos", Key="a")


def _reset(_: Path, __: pytest.MonkeyPatch) -> None:
    with FaultProxy() as proxy:
        proxy.spoil("GET", ResetRequest())
        make_client(at(proxy.endpoint_url)).get_object(Bucket="photos", Key="a")


_SSO = "sso_start_url=https://x.awsapps.com/start\nsso_region=eu-west-1\nsso_account_id=123456789012\nsso_role_name=r"

# Provoked in a real client where that is possible without a network.
EXCEPTIONS: dict[type[BaseException], Callable[[Path, pytest.MonkeyPatch], None]] = {
    boto.NoCredentialsError: _no_credentials,
    boto.PartialCredentialsError: _partial_credentials,
    boto.CredentialRetrievalError: _with_profile("credential_process=/bin/false"),
    boto.TokenRetrievalError: _raises(boto.TokenRetrievalError(provider="sso", error_msg="expired")),
    boto.SSOError: _with_profile(_SSO),
    boto.ProfileNotFound: _with_profile(""),
    boto.MetadataRetrievalError: _raises(boto.MetadataRetrievalError(error_msg="no answer")),
    boto.HTTPClientError: _reset,
    boto.IncompleteReadError: _raises(boto.IncompleteReadError(actual_bytes=1, expected_bytes=2)),
    boto.ConnectionError: _refused,
    HTTPError: _raises(SSLError("record layer failure")),
    boto.ChecksumError: _raises(boto.ChecksumError(checksum_type="sha256", expected_checksum="a", actual_checksum="b")),
    boto.FlexibleChecksumError: _raises(boto.FlexibleChecksumError(error_msg="they differ")),
    DeadlinePassed: _raises(DeadlinePassed()),
}


def test_every_exception_of_the_table_has_a_case() -> None:
    """Nobody adds an exception without showing how it comes about."""
    assert set(EXCEPTIONS) == {vendor for vendor, _ in ERRORS_BY_EXCEPTION}


@pytest.mark.parametrize(("vendor", "ours"), ERRORS_BY_EXCEPTION)
def test_exception_of_the_table(
    vendor: type[BaseException], ours: type[ImageServiceError], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that gets no answer fails with the error that says who can mend it, chained to the vendor's."""
    with pytest.raises(ImageServiceError) as caught, translating("GetObject", failure=S3DownloadFailed):
        EXCEPTIONS[vendor](tmp_path, monkeypatch)
    assert type(caught.value) is ours
    assert isinstance(caught.value.__cause__, vendor)
    assert set(caught.value.cause) == {"operation", "exception"}


def all_subclasses(root: type[BaseException]) -> set[type[BaseException]]:
    return {root}.union(*(all_subclasses(child) for child in root.__subclasses__()))


VENDOR_EXCEPTIONS = (
    all_subclasses(boto.BotoCoreError) | all_subclasses(boto.HTTPClientError) | {ResponseParserError, NotS3}
)


@pytest.mark.parametrize("vendor", sorted(VENDOR_EXCEPTIONS, key=str))
def test_no_vendor_exception_passes(vendor: type[BaseException]) -> None:
    """Whatever boto raises without an answer of S3 leaves as an error of ours, and its text stays inside."""
    with pytest.raises(ImageServiceError) as caught, translating("GetObject", failure=S3DownloadFailed):
        raise vendor.__new__(vendor, "text")
    assert caught.value.cause["exception"] == vendor.__name__
    assert caught.value.__cause__ is not None
    assert "text" not in str(caught.value) + str(caught.value.cause)


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
