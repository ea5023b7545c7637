"""The error tree: every failure this service reports, with its stable code.

ImageServiceError
├── ConfigurationError            CONFIGURATION_INVALID
├── EmbeddedS3Unavailable         EMBEDDED_S3_UNAVAILABLE
├── AuthKeysUnavailable           AUTH_KEYS_UNAVAILABLE     repeat later
├── SandboxUnavailable            SANDBOX_UNAVAILABLE
├── ProcessingOverloaded          PROCESSING_OVERLOADED     repeat later
├── RequestError                  the caller can mend it
│   ├── InvalidRequest            REQUEST_INVALID
│   ├── InvalidImageType          IMAGE_TYPE_INVALID
│   ├── InvalidUserId             USER_ID_INVALID
│   ├── InvalidImageKey           IMAGE_KEY_INVALID
│   ├── InvalidExpiry             URL_EXPIRY_INVALID
│   ├── InvalidCursor             CURSOR_INVALID
│   ├── InvalidTransform          TRANSFORM_INVALID
│   ├── InvalidSignature          URL_SIGNATURE_INVALID
│   ├── UrlExpired                URL_EXPIRED
│   ├── InvalidGrant              GRANT_INVALID
│   ├── TooManyFiles              BATCH_TOO_LARGE
│   ├── UploadTimedOut            UPLOAD_TIMED_OUT
│   ├── RangeNotSatisfiable       RANGE_NOT_SATISFIABLE
│   ├── AuthenticationRequired    AUTHENTICATION_REQUIRED
│   └── AccessForbidden           ACCESS_FORBIDDEN
├── ImageError                    the picture itself
│   ├── ImageNotFound             IMAGE_NOT_FOUND
│   ├── ImageEmpty                IMAGE_EMPTY
│   ├── ImageTooLarge             IMAGE_TOO_LARGE
│   ├── ImageTooManyPixels        IMAGE_TOO_MANY_PIXELS
│   ├── ImageTooManyFrames        IMAGE_TOO_MANY_FRAMES
│   ├── ImageTooComplex           IMAGE_TOO_COMPLEX
│   ├── ImageFormatUnsupported    IMAGE_FORMAT_UNSUPPORTED
│   ├── ImageTruncated            IMAGE_TRUNCATED
│   └── ImageCorrupt              IMAGE_CORRUPT
├── S3Error                       the store
│   ├── S3ConnectionFailed        S3_CONNECTION_FAILED      repeat later
│   ├── S3Unavailable             S3_UNAVAILABLE            repeat later
│   ├── S3UploadFailed            S3_UPLOAD_FAILED
│   ├── S3DownloadFailed          S3_DOWNLOAD_FAILED
│   ├── S3DeleteFailed            S3_DELETE_FAILED
│   ├── S3ListFailed              S3_LIST_FAILED
│   ├── S3BucketNotFound          S3_BUCKET_NOT_FOUND
│   ├── S3AccessDenied            S3_ACCESS_DENIED
│   ├── S3InvalidCredentials      S3_INVALID_CREDENTIALS
│   ├── S3ClockSkewed             S3_CLOCK_SKEWED
│   └── S3WrongRegion             S3_WRONG_REGION
└── InternalError                 INTERNAL_ERROR

`title` and `detail` are public sentences: they hold nothing that a stranger should not read. What the store said goes
into `cause` (S3 code, operation, request id; never a secret), which leaves the process only in the log and with
`DEBUG=True`; only the command line always shows what the embedded store says of itself.
"""

from __future__ import annotations

from collections.abc import Mapping

from app.core.error_codes import ErrorCode as ErrorCode
from app.core.error_codes import Fault as Fault
from app.core.service_error import ImageServiceError as ImageServiceError
from app.core.store_exceptions import S3AccessDenied as S3AccessDenied
from app.core.store_exceptions import S3BucketNotFound as S3BucketNotFound
from app.core.store_exceptions import S3ClockSkewed as S3ClockSkewed
from app.core.store_exceptions import S3ConnectionFailed as S3ConnectionFailed
from app.core.store_exceptions import S3DeleteFailed as S3DeleteFailed
from app.core.store_exceptions import S3DownloadFailed as S3DownloadFailed
from app.core.store_exceptions import S3Error as S3Error
from app.core.store_exceptions import S3InvalidCredentials as S3InvalidCredentials
from app.core.store_exceptions import S3ListFailed as S3ListFailed
from app.core.store_exceptions import S3Unavailable as S3Unavailable
from app.core.store_exceptions import S3UploadFailed as S3UploadFailed
from app.core.store_exceptions import S3WrongRegion as S3WrongRegion


class ConfigurationError(ImageServiceError):
    """Settings are wrong. `faults` maps each variable's name to what is wrong with it."""

    code = ErrorCode.CONFIGURATION_INVALID
    title = "The configuration is not valid."

    def __init__(self, faults: Mapping[str, str]) -> None:
        self.faults = dict(faults)
        lines = [f"  {name}: {fault}" for name, fault in self.faults.items()]
        super().__init__("\n".join(["The configuration is not valid:", *lines]))


class EmbeddedS3Unavailable(ImageServiceError):
    """The embedded SeaweedFS is not installed for this platform, or did not start."""

    code = ErrorCode.EMBEDDED_S3_UNAVAILABLE
    title = "The embedded S3 store could not be started."


class AuthKeysUnavailable(ImageServiceError):
    """The token issuer's keys (JWKS) cannot be fetched, so no token can be checked."""

    code = ErrorCode.AUTH_KEYS_UNAVAILABLE
    title = "Tokens cannot be checked at the moment."
    retryable = True


class SandboxUnavailable(ImageServiceError):
    """The decoders cannot be confined as `SANDBOX=strict` asks, or their processes do not start."""

    code = ErrorCode.SANDBOX_UNAVAILABLE
    title = "Pictures cannot be processed safely on this system."


class ProcessingOverloaded(ImageServiceError):
    """More pictures are waiting than can be processed soon. Nothing was stored."""

    code = ErrorCode.PROCESSING_OVERLOADED
    title = "Too many pictures are being processed."
    retryable = True


class InternalError(ImageServiceError):
    """A fault of ours. The log has the details under the request's id."""

    code = ErrorCode.INTERNAL_ERROR
    title = "The service made a mistake."


class RequestError(ImageServiceError):
    """What was asked for cannot be done; asking differently can."""

    fault = Fault.CALLER


class InvalidRequest(RequestError):
    code = ErrorCode.REQUEST_INVALID
    title = "The request is not valid."


class InvalidImageType(RequestError):
    code = ErrorCode.IMAGE_TYPE_INVALID
    title = "There is no such image type."


class InvalidUserId(RequestError):
    code = ErrorCode.USER_ID_INVALID
    title = "The user id is not valid."


class InvalidImageKey(RequestError):
    code = ErrorCode.IMAGE_KEY_INVALID
    title = "That is not the key of an image."


class InvalidExpiry(RequestError):
    code = ErrorCode.URL_EXPIRY_INVALID
    title = "A presigned URL lives from 1 second to 7 days."


class InvalidCursor(RequestError):
    code = ErrorCode.CURSOR_INVALID
    title = "The cursor is not one that this service gave."


class InvalidTransform(RequestError):
    """The detail names the options that are wrong."""

    code = ErrorCode.TRANSFORM_INVALID
    title = "That is not a transform of this service."


class InvalidSignature(RequestError):
    code = ErrorCode.URL_SIGNATURE_INVALID
    title = "The URL is not signed by this service."


class UrlExpired(RequestError):
    code = ErrorCode.URL_EXPIRED
    title = "The URL has expired."


class InvalidGrant(RequestError):
    code = ErrorCode.GRANT_INVALID
    title = "The grant is not valid, has expired or is for other images."


class TooManyFiles(RequestError):
    code = ErrorCode.BATCH_TOO_LARGE
    title = "Too many entries in one batch."


class UploadTimedOut(RequestError):
    code = ErrorCode.UPLOAD_TIMED_OUT
    title = "The upload stalled."
    retryable = True


class RangeNotSatisfiable(RequestError):
    """`size` is the object's length in bytes."""

    code = ErrorCode.RANGE_NOT_SATISFIABLE
    title = "The range lies outside the file."

    def __init__(self, detail: str | None = None, *, size: int = 0, cause: Mapping[str, str] | None = None) -> None:
        super().__init__(detail, cause=cause)
        self.size = size


class AuthenticationRequired(RequestError):
    code = ErrorCode.AUTHENTICATION_REQUIRED
    title = "A valid bearer token is needed."


class AccessForbidden(RequestError):
    code = ErrorCode.ACCESS_FORBIDDEN
    title = "This is not allowed to you."


class ImageError(ImageServiceError):
    """Something about the picture itself; another picture may pass."""

    fault = Fault.CALLER


class ImageNotFound(ImageError):
    code = ErrorCode.IMAGE_NOT_FOUND
    title = "There is no image at this key."


class ImageEmpty(ImageError):
    code = ErrorCode.IMAGE_EMPTY
    title = "The file is empty."


class ImageTooLarge(ImageError):
    code = ErrorCode.IMAGE_TOO_LARGE
    title = "The file is too large."


class ImageTooManyPixels(ImageError):
    code = ErrorCode.IMAGE_TOO_MANY_PIXELS
    title = "The picture has too many pixels."


class ImageTooManyFrames(ImageError):
    code = ErrorCode.IMAGE_TOO_MANY_FRAMES
    title = "The animation has too many frames."


class ImageTooComplex(ImageError):
    """Decoding took more time or memory than one picture may have."""

    code = ErrorCode.IMAGE_TOO_COMPLEX
    title = "The picture takes too much time or memory to process."


class ImageFormatUnsupported(ImageError):
    code = ErrorCode.IMAGE_FORMAT_UNSUPPORTED
    title = "This kind of file is not accepted."


class ImageTruncated(ImageError):
    code = ErrorCode.IMAGE_TRUNCATED
    title = "The picture is cut short."


class ImageCorrupt(ImageError):
    code = ErrorCode.IMAGE_CORRUPT
    title = "The picture cannot be decoded."
