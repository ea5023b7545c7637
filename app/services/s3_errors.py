"""S3 answers → our errors: one table, and the one context manager that translates.

Codes: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore import exceptions as boto
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError as Urllib3Error

from app.core.exceptions import (
    ImageNotFound,
    ImageServiceError,
    RangeNotSatisfiable,
    S3AccessDenied,
    S3BucketNotFound,
    S3ClockSkewed,
    S3ConnectionFailed,
    S3Error,
    S3InvalidCredentials,
    S3Unavailable,
    S3WrongRegion,
)
from app.services.protocols import KeyTaken


class DeadlinePassed(Exception):
    """The operation's total time was used up before another attempt could begin."""


class NotS3(Exception):
    """The endpoint answered, but not as S3 does: it may be a web site or a proxy."""


ERRORS_BY_CODE: dict[str, type[ImageServiceError]] = {
    "NoSuchBucket": S3BucketNotFound,
    "AccessDenied": S3AccessDenied,
    "AllAccessDisabled": S3AccessDenied,
    "AccountProblem": S3AccessDenied,
    "Forbidden": S3AccessDenied,
    "403": S3AccessDenied,
    "InvalidAccessKeyId": S3InvalidCredentials,
    "SignatureDoesNotMatch": S3InvalidCredentials,
    "ExpiredToken": S3InvalidCredentials,
    "InvalidToken": S3InvalidCredentials,
    "TokenRefreshRequired": S3InvalidCredentials,
    "InvalidSecurity": S3InvalidCredentials,
    "NotSignedUp": S3InvalidCredentials,
    "401": S3InvalidCredentials,
    "Unauthorized": S3InvalidCredentials,
    "RequestTimeTooSkewed": S3ClockSkewed,
    "PermanentRedirect": S3WrongRegion,
    "TemporaryRedirect": S3WrongRegion,
    "AuthorizationHeaderMalformed": S3WrongRegion,
    "AuthorizationQueryParametersError": S3WrongRegion,
    "IllegalLocationConstraintException": S3WrongRegion,
    "301": S3WrongRegion,
    "307": S3WrongRegion,
    "SlowDown": S3Unavailable,
    "ServiceUnavailable": S3Unavailable,
    "InternalError": S3Unavailable,
    "RequestTimeout": S3Unavailable,
    "Throttling": S3Unavailable,
    "ThrottlingException": S3Unavailable,
    "RequestLimitExceeded": S3Unavailable,
    "BandwidthLimitExceeded": S3Unavailable,
    "OperationAborted": S3Unavailable,
    "ConditionalRequestConflict": S3Unavailable,
    "429": S3Unavailable,
    "500": S3Unavailable,
    "502": S3Unavailable,
    "503": S3Unavailable,
    "504": S3Unavailable,
    "NoSuchKey": ImageNotFound,
    "InvalidRange": RangeNotSatisfiable,
    "416": RangeNotSatisfiable,
}

KEY_TAKEN_CODES = frozenset({"PreconditionFailed", "412"})

ERRORS_BY_EXCEPTION: tuple[tuple[type[BaseException], type[ImageServiceError]], ...] = (
    (boto.NoCredentialsError, S3InvalidCredentials),
    (boto.PartialCredentialsError, S3InvalidCredentials),
    (boto.CredentialRetrievalError, S3InvalidCredentials),
    (boto.TokenRetrievalError, S3InvalidCredentials),
    (boto.SSOError, S3InvalidCredentials),
    (boto.ProfileNotFound, S3InvalidCredentials),
    (boto.MetadataRetrievalError, S3InvalidCredentials),
    # Every failure to send or to receive: refused, reset, timed out, cut short, TLS, proxy.
    (boto.HTTPClientError, S3ConnectionFailed),
    (boto.IncompleteReadError, S3ConnectionFailed),
    (boto.ConnectionError, S3ConnectionFailed),
    # While a body is read some of urllib3's own pass through boto, such as a TLS fault.
    (Urllib3Error, S3ConnectionFailed),
    # The bytes that arrived are not those that the store has the checksum of.
    (boto.ChecksumError, S3ConnectionFailed),
    (boto.FlexibleChecksumError, S3ConnectionFailed),
    (DeadlinePassed, S3ConnectionFailed),
)

_VENDOR_EXCEPTIONS = (BotoCoreError, ResponseParserError, Urllib3Error, DeadlinePassed, NotS3)


def classify_answer(code: str, status: int, *, failure: type[S3Error]) -> type[ImageServiceError]:
    """The error class of an S3 error answer; `failure` where neither its code nor its status is in the table."""
    return ERRORS_BY_CODE.get(code) or ERRORS_BY_CODE.get(str(status)) or failure


@contextmanager
def translating(operation: str, *, failure: type[S3Error]) -> Iterator[None]:
    """Vendor exceptions leave this block as ours, chained, with the operation and S3's own words as `cause`.

    Raises:
        KeyTaken: a conditional write met an existing object.
        ImageServiceError: of the class that the table gives, `failure` for what it does not know.
    """
    try:
        yield
    except ClientError as error:
        answer = error.response
        code = str(answer.get("Error", {}).get("Code", ""))
        meta = answer.get("ResponseMetadata", {})
        status = int(meta.get("HTTPStatusCode", 0))
        if code in KEY_TAKEN_CODES or status == 412:
            raise KeyTaken from error
        cause = {"operation": operation, "s3_code": code, "s3_request_id": str(meta.get("RequestId", ""))}
        if message := str(answer.get("Error", {}).get("Message", "")):
            cause["s3_message"] = message
        raise classify_answer(code, status, failure=failure)(cause=cause) from error
    except _VENDOR_EXCEPTIONS as error:
        raise classify_exception(error, failure=failure)(cause=_cause_of(operation, error)) from error


def classify_exception(error: BaseException, *, failure: type[S3Error]) -> type[ImageServiceError]:
    """The error class of a failure without an S3 answer."""
    for vendor, ours in ERRORS_BY_EXCEPTION:
        if isinstance(error, vendor):
            return ours
    return failure


def _cause_of(operation: str, error: BaseException) -> dict[str, str]:
    # The text of some boto errors quotes the request's URL, whose query can hold a signature: the class name is enough.
    return {"operation": operation, "exception": type(error).__name__}
