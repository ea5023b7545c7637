"""The one table of failures on the command line: what each means to a shell, and what to do about it.

The codes above 63 are those of `sysexits.h`. Where several files fail differently, the highest code is the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import ClassVar

from app.core import exceptions as errors


class ExitCode(IntEnum):
    """What a command's end means to a shell."""

    OK = 0
    NO = 1
    USAGE = 2
    BAD_PICTURE = 65
    NO_INPUT = 66
    UNAVAILABLE = 69
    INTERNAL = 70
    CANNOT_CREATE = 73
    STORE_REFUSED = 74
    TRY_AGAIN = 75
    DENIED = 77
    CONFIGURATION = 78
    INTERRUPTED = 130
    TERMINATED = 143


class LocalFailure(Exception):
    """A failure of this command line or this machine, rather than of the image service."""

    code: ClassVar[str]
    title: ClassVar[str]
    retryable: ClassVar[bool] = False

    def __init__(self, detail: str | None = None) -> None:
        self.detail = detail or self.title
        super().__init__(self.detail)


class UsageInvalid(LocalFailure):
    code = "USAGE_INVALID"
    title = "The command was not understood."


class InputUnreadable(LocalFailure):
    code = "INPUT_UNREADABLE"
    title = "The file cannot be read."


class OutputUnwritable(LocalFailure):
    code = "OUTPUT_UNWRITABLE"
    title = "The file cannot be written."


class AddressUnavailable(LocalFailure):
    code = "ADDRESS_UNAVAILABLE"
    title = "The service cannot listen on this address."


class CdnRefused(LocalFailure):
    code = "CDN_REFUSED"
    title = "The CDN did not accept the invalidation."


class Interrupted(LocalFailure):
    code = "INTERRUPTED"
    title = "Interrupted, and not stored."


@dataclass(frozen=True, slots=True)
class Answer:
    """How the command line answers one class of failure; `advice` is a sentence for the person at the terminal."""

    exit_code: ExitCode
    advice: str


Failure = errors.ImageServiceError | LocalFailure

_LOOK_CLOSER = "`heaven-images doctor` names the fault."
_TRY_LATER = "Nothing is wrong with the request: repeat it later."
_OTHER_PICTURE = "Send another picture, or export this one again."

ANSWERS: Mapping[type[Failure], Answer] = MappingProxyType(
    {
        UsageInvalid: Answer(ExitCode.USAGE, "`--help` after the command lists what it takes."),
        InputUnreadable: Answer(ExitCode.NO_INPUT, "Check the path and its permissions."),
        OutputUnwritable: Answer(ExitCode.CANNOT_CREATE, "Choose another place with `-o`, or say `--force`."),
        AddressUnavailable: Answer(ExitCode.UNAVAILABLE, "Choose another one with `--port` or `--host`."),
        CdnRefused: Answer(ExitCode.UNAVAILABLE, "Repeat it later; docs/cdn.md says which permissions it takes."),
        Interrupted: Answer(ExitCode.INTERRUPTED, "What was stored is listed; send the rest again."),
        errors.ConfigurationError: Answer(
            ExitCode.CONFIGURATION, "Mend these variables in the environment or in `.env`."
        ),
        errors.EmbeddedS3Unavailable: Answer(
            ExitCode.UNAVAILABLE, "Or set S3_BUCKET_NAME and S3_ENDPOINT_URL to use another store."
        ),
        errors.AuthKeysUnavailable: Answer(ExitCode.TRY_AGAIN, "Repeat it later, or check JWT_JWKS_URL."),
        errors.SandboxUnavailable: Answer(
            ExitCode.CONFIGURATION, "`heaven-images doctor` shows what this system lacks; `SANDBOX=auto` takes less."
        ),
        errors.ProcessingOverloaded: Answer(ExitCode.TRY_AGAIN, _TRY_LATER),
        errors.InternalError: Answer(ExitCode.INTERNAL, "Repeat it with DEBUG=True and report what it prints."),
        errors.InvalidRequest: Answer(ExitCode.USAGE, "Ask differently: the sentence above says how."),
        errors.InvalidImageType: Answer(ExitCode.USAGE, "Choose a known type, or add one with IMAGE_TYPES."),
        errors.InvalidUserId: Answer(ExitCode.USAGE, "Give another `--user`."),
        errors.InvalidImageKey: Answer(ExitCode.USAGE, "`heaven-images ls` lists the keys that there are."),
        errors.InvalidExpiry: Answer(ExitCode.USAGE, "Give `--expires-in` from 1 to 604800 seconds."),
        errors.InvalidCursor: Answer(ExitCode.USAGE, "List from the beginning."),
        errors.InvalidTransform: Answer(ExitCode.USAGE, "See docs/delivery.md for the options of transforms."),
        errors.InvalidSignature: Answer(ExitCode.DENIED, "Make the URL anew with `heaven-images img-url`."),
        errors.UrlExpired: Answer(ExitCode.DENIED, "Make the URL anew with `heaven-images img-url`."),
        errors.InvalidGrant: Answer(ExitCode.DENIED, "Ask for a new grant."),
        errors.TooManyFiles: Answer(ExitCode.USAGE, "Send fewer files at once."),
        errors.UploadTimedOut: Answer(ExitCode.TRY_AGAIN, _TRY_LATER),
        errors.RangeNotSatisfiable: Answer(ExitCode.USAGE, "Ask for a range within the file."),
        errors.AuthenticationRequired: Answer(ExitCode.DENIED, "Give a valid bearer token."),
        errors.AccessForbidden: Answer(ExitCode.DENIED, "Ask as the owner, or as an admin."),
        errors.ImageNotFound: Answer(ExitCode.NO_INPUT, "`heaven-images ls` lists the keys that there are."),
        errors.ImageEmpty: Answer(ExitCode.BAD_PICTURE, _OTHER_PICTURE),
        errors.ImageTooLarge: Answer(ExitCode.BAD_PICTURE, "Send a smaller file, or raise MAX_UPLOAD_BYTES."),
        errors.ImageTooManyPixels: Answer(ExitCode.BAD_PICTURE, "Send a smaller picture, or raise MAX_IMAGE_PIXELS."),
        errors.ImageTooManyFrames: Answer(ExitCode.BAD_PICTURE, "Send a shorter animation, or raise MAX_FRAMES."),
        errors.ImageTooComplex: Answer(ExitCode.BAD_PICTURE, _OTHER_PICTURE),
        errors.ImageFormatUnsupported: Answer(ExitCode.BAD_PICTURE, _OTHER_PICTURE),
        errors.ImageTruncated: Answer(ExitCode.BAD_PICTURE, _OTHER_PICTURE),
        errors.ImageCorrupt: Answer(ExitCode.BAD_PICTURE, _OTHER_PICTURE),
        errors.S3ConnectionFailed: Answer(
            ExitCode.TRY_AGAIN, f"Repeat it, or check S3_ENDPOINT_URL and the network; {_LOOK_CLOSER}"
        ),
        errors.S3Unavailable: Answer(ExitCode.TRY_AGAIN, _TRY_LATER),
        errors.S3UploadFailed: Answer(ExitCode.STORE_REFUSED, _LOOK_CLOSER),
        errors.S3DownloadFailed: Answer(ExitCode.STORE_REFUSED, _LOOK_CLOSER),
        errors.S3DeleteFailed: Answer(ExitCode.STORE_REFUSED, _LOOK_CLOSER),
        errors.S3ListFailed: Answer(ExitCode.STORE_REFUSED, _LOOK_CLOSER),
        errors.S3BucketNotFound: Answer(
            ExitCode.CONFIGURATION, "Check S3_BUCKET_NAME, or make the bucket with `heaven-images bucket init`."
        ),
        errors.S3AccessDenied: Answer(
            ExitCode.DENIED, "The credentials lack a permission; `heaven-images doctor` shows the least policy."
        ),
        errors.S3InvalidCredentials: Answer(ExitCode.DENIED, "Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."),
        errors.S3ClockSkewed: Answer(ExitCode.CONFIGURATION, "Set this machine's clock."),
        errors.S3WrongRegion: Answer(ExitCode.CONFIGURATION, f"Check AWS_REGION; {_LOOK_CLOSER}"),
    }
)


def answer_of(failure: Failure) -> Answer:
    """The answer to a failure: its class's, or that of the nearest class above which has one."""
    for kind in type(failure).__mro__:
        if kind in ANSWERS:
            return ANSWERS[kind]
    return ANSWERS[errors.InternalError]
