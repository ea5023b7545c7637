"""The branch of the error tree that is about the store; `app.core.exceptions` shows the whole tree."""

from __future__ import annotations

from app.core.error_codes import ErrorCode, Fault
from app.core.service_error import ImageServiceError


class S3Error(ImageServiceError):
    """The store failed or refused. `cause` holds its code, the operation and its request id."""

    fault = Fault.OPERATOR


class S3ConnectionFailed(S3Error):
    """No answer in time, or no connection. The outcome of a write is unknown until it is repeated."""

    code = ErrorCode.S3_CONNECTION_FAILED
    title = "The image store cannot be reached."
    fault = Fault.STORE
    retryable = True


class S3Unavailable(S3Error):
    """The store answered that it is busy or broken (SlowDown, 500, 503)."""

    code = ErrorCode.S3_UNAVAILABLE
    title = "The image store is busy."
    fault = Fault.STORE
    retryable = True


class S3UploadFailed(S3Error):
    code = ErrorCode.S3_UPLOAD_FAILED
    title = "The image could not be stored."


class S3DownloadFailed(S3Error):
    code = ErrorCode.S3_DOWNLOAD_FAILED
    title = "The image could not be read from the store."


class S3DeleteFailed(S3Error):
    code = ErrorCode.S3_DELETE_FAILED
    title = "The image could not be deleted from the store."


class S3ListFailed(S3Error):
    code = ErrorCode.S3_LIST_FAILED
    title = "The images could not be listed."


class S3BucketNotFound(S3Error):
    code = ErrorCode.S3_BUCKET_NOT_FOUND
    title = "The bucket does not exist."


class S3AccessDenied(S3Error):
    code = ErrorCode.S3_ACCESS_DENIED
    title = "The image store refuses access."


class S3InvalidCredentials(S3Error):
    code = ErrorCode.S3_INVALID_CREDENTIALS
    title = "The image store does not accept the service's credentials."


class S3ClockSkewed(S3Error):
    code = ErrorCode.S3_CLOCK_SKEWED
    title = "The service's clock and the image store's clock differ too much."


class S3WrongRegion(S3Error):
    code = ErrorCode.S3_WRONG_REGION
    title = "The bucket is in another region than configured."
