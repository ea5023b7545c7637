"""What a failure of the store means for the person who runs the doctor, and what to do about it."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from typing import Any

from botocore import exceptions as boto
from botocore.exceptions import ClientError

from app.core.exceptions import (
    ImageServiceError,
    S3AccessDenied,
    S3BucketNotFound,
    S3ClockSkewed,
    S3ConnectionFailed,
    S3InvalidCredentials,
    S3Unavailable,
    S3WrongRegion,
)
from app.services.doctor.examination import Examination
from app.services.doctor.verdicts import Verdict, fail

_CREDENTIALS: dict[str, tuple[str, str]] = {
    "InvalidAccessKeyId": (
        "The store knows no such key id",
        "Check AWS_ACCESS_KEY_ID: is it a key of this store, and still active?",
    ),
    "SignatureDoesNotMatch": (
        "The secret key does not belong to the key id",
        "Check AWS_SECRET_ACCESS_KEY for a wrong, cut or quoted value. If it is right, a proxy on the way changes "
        "requests: it must keep the Host header and the path.",
    ),
    "ExpiredToken": ("The temporary credentials are over", "Get new ones, with their AWS_SESSION_TOKEN."),
    "InvalidToken": (
        "The session token does not belong to the keys",
        "Check AWS_SESSION_TOKEN; leave it unset for long-lived keys.",
    ),
}
_UNKNOWN_TO_STORE = ("The store does not accept the credentials", "Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.")
_NO_CREDENTIALS = (
    "No credentials were found",
    "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give this machine a profile or a role.",
)
_ACTIONS = {
    "ListObjectsV2": "s3:ListBucket",
    "HeadBucket": "s3:ListBucket",
    "PutObject": "s3:PutObject",
    "GetObject": "s3:GetObject",
    "HeadObject": "s3:GetObject",  # there is no s3:HeadObject
    "DeleteObject": "s3:DeleteObject",
}
_CHECKSUM_CODES = frozenset(
    {"NotImplemented", "MissingContentMD5", "XAmzContentSHA256Mismatch", "InvalidDigest", "InvalidRequest"}
)


def explain(error: ImageServiceError, examination: Examination) -> Verdict:
    """A failed call in words."""
    bucket, endpoint = examination.bucket, examination.connection.endpoint_url or "AWS"
    match error:
        case S3ConnectionFailed():
            return fail(
                f"{_operation(error)} got no answer from {endpoint} in time.",
                "The store stopped, froze or is overloaded: look at it, then run the doctor again.",
            )
        case S3InvalidCredentials():
            code = error.cause.get("s3_code", "")
            finding, remedy = _CREDENTIALS.get(code, _UNKNOWN_TO_STORE) if code else _NO_CREDENTIALS
            return fail(f"{finding} ({code or error.cause.get('exception', 'none')}).", remedy)
        case S3AccessDenied():
            return _explain_denial(error, examination)
        case S3BucketNotFound():
            return fail(
                f"There is no bucket {bucket} at {endpoint}.",
                "Check S3_BUCKET_NAME, or make the bucket: heaven-images bucket init",
            )
        case S3ClockSkewed():
            return fail(
                "The store refuses requests because this machine's clock differs from its own (RequestTimeTooSkewed).",
                "Set the clock of this machine, or of the store's: switch time synchronisation (NTP) on.",
            )
        case S3WrongRegion():
            return explain_region(find_region(error), examination)
        case S3Unavailable():
            return fail(
                f"The store is busy or broken ({_answer(error)}).", "Look at the store's own log; repeat later."
            )
        case _:
            return fail(f"{_operation(error)} is refused: {_answer(error)}.", _remedy_by_code(error))


def explain_region(actual: str | None, examination: Examination) -> Verdict:
    """The bucket is somewhere else than configured."""
    configured = examination.connection.region
    if actual and actual != configured:
        return fail(
            f"The bucket {examination.bucket} is in {actual}, and AWS_REGION says {configured}.",
            f"Set AWS_REGION={actual}",
        )
    return fail(
        f"The bucket {examination.bucket} is not in {configured}.", "Set AWS_REGION to the region of the bucket."
    )


def find_region(error: BaseException) -> str | None:
    """The region that a refusal names, if it does."""
    cause = error.__cause__
    answer: Any = cause.response if isinstance(cause, ClientError) else {}
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    region: str | None = answer.get("Error", {}).get("Region") or headers.get("x-amz-bucket-region")
    return region


def explain_unreachable(error: BaseException, examination: Examination) -> Verdict:
    """Why nothing came back from the endpoint: name, connection, TLS or silence."""
    connection = examination.connection
    endpoint = connection.endpoint_url or connection.base_url
    causes = list(_causes(error))
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return fail(f"The host name of {endpoint} is not known.", "Check S3_ENDPOINT_URL and this machine's DNS.")
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return fail(
            f"Nothing listens at {endpoint}: the connection is refused.",
            "Start the store, or check the host and port of S3_ENDPOINT_URL.",
        )
    if isinstance(error, boto.ConnectTimeoutError):
        return fail(
            f"No connection to {endpoint} within {connection.connect_timeout_seconds:g} s.",
            "Check S3_ENDPOINT_URL, and the network, firewall and proxy on the way to it.",
        )
    if isinstance(error, boto.ReadTimeoutError):
        return fail(
            f"{endpoint} takes connections and gives no answer within {connection.read_timeout_seconds:g} s: "
            "the store is frozen or overloaded.",
            "Look at the store's process, and restart it.",
        )
    if any(isinstance(cause, RecursionError) for cause in causes):  # boto3 follows a redirect without a region for ever
        return fail(
            f"{endpoint} sends requests on to another address.",
            "Write that address into S3_ENDPOINT_URL: often it is https instead of http.",
        )
    if reason := next((cause for cause in causes if isinstance(cause, ssl.SSLError)), None):
        return fail(
            f"TLS with {endpoint} fails: {reason.reason or type(reason).__name__}.",
            "For a store without TLS write http:// in S3_ENDPOINT_URL (or S3_USE_SSL=False); "
            "for a certificate of your own name its authority in AWS_CA_BUNDLE.",
        )
    return fail(
        f"{endpoint} cannot be asked: {type(error).__name__}.", "Check S3_ENDPOINT_URL, and proxies on the way to it."
    )


def _explain_denial(error: S3AccessDenied, examination: Examination) -> Verdict:
    operation = _operation(error)
    action = _ACTIONS.get(operation, f"s3:{operation}")
    resource = examination.arn if action == "s3:ListBucket" else f"{examination.arn}/*"
    return fail(
        f"{operation} is denied to these credentials ({_answer(error)}).",
        f"Allow {action} on {resource}; `heaven-images doctor --policy` prints the whole policy.",
    )


def _remedy_by_code(error: ImageServiceError) -> str:
    if error.cause.get("s3_code") in _CHECKSUM_CODES:
        return "This store may not know today's checksums: try S3_CHECKSUM_MODE=when_required"
    return "Look up the store's answer in its documentation and its log."


def _operation(error: ImageServiceError) -> str:
    return error.cause.get("operation", "The request")


def _answer(error: ImageServiceError) -> str:
    words = [error.cause.get(name, "").rstrip(".") for name in ("s3_code", "s3_message")]
    return ": ".join(word for word in words if word) or error.cause.get("exception", str(error.code))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The failure and everything below it; boto puts the one that it translates into `kwargs`."""
    seen: set[int] = set()
    pending: list[object] = [error]
    while pending:
        current = pending.pop()
        if not isinstance(current, BaseException) or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        pending += [current.__cause__, current.__context__, getattr(current, "kwargs", {}).get("error")]
        pending += [getattr(current, "reason", None)]
