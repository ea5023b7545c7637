"""Every answer and exception of the table becomes the error that it says."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from botocore import exceptions as boto
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError, SSLError

from app.core.exceptions import (
    Fault,
    ImageServiceError,
    S3AccessDenied,
    S3DeleteFailed,
    S3DownloadFailed,
    S3UploadFailed,
)
from app.services.protocols import KeyTaken
from app.services.s3_connection import make_client
from app.services.s3_errors import (
    ERRORS_BY_CODE,
    ERRORS_BY_EXCEPTION,
    KEY_TAKEN_CODES,
    DeadlinePassed,
    NotS3,
    classify_answer,
    translating,
)
from tests.fault_proxy import FaultProxy, ResetRequest

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
from tests.services.recorded_answers import at, recorded_answer

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
