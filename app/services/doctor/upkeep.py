"""Checks of what keeps a bucket tidy: versioning, lifecycle, and that the doctor itself leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from app.core.exceptions import S3AccessDenied, S3DownloadFailed
from app.services.bucket_plan import lifecycle_gaps
from app.services.bucket_setup import NO_SUCH_API
from app.services.doctor.examination import Examination
from app.services.doctor.verdicts import Verdict, ok, skip, warn
from app.services.s3_errors import translating


def check_versioning(examination: Examination) -> Verdict:
    """Deleted images are really gone: with versioning a deletion only hides them."""
    answer = _ask("GetBucketVersioning", lambda: examination.client.get_bucket_versioning(Bucket=examination.bucket))
    if isinstance(answer, Verdict):
        return answer
    match answer.get("Status"):
        case "Enabled":
            return warn(
                "Versioning is on: deleted images stay as old versions, and are paid for.",
                "Turn it off, or add a lifecycle rule with NoncurrentVersionExpiration.",
            )
        case "Suspended":
            return ok("Versioning is suspended; versions from before may remain.")
        case _:
            return ok("Versioning is off: what is deleted is gone.")


def check_lifecycle(examination: Examination) -> Verdict:
    """Staged uploads and unfinished multiparts end by themselves."""
    answer = _ask(
        "GetBucketLifecycleConfiguration",
        lambda: examination.client.get_bucket_lifecycle_configuration(Bucket=examination.bucket),
        absent="NoSuchLifecycleConfiguration",
    )
    if isinstance(answer, Verdict):
        return answer
    if gaps := lifecycle_gaps(answer.get("Rules", [])):
        return warn(
            f"Missing or changed lifecycle rules: {', '.join(gaps)}. Abandoned uploads stay for ever.",
            "Run: heaven-images bucket init",
        )
    return ok("Staged uploads and unfinished multiparts end after a day.")


def check_clean_up(examination: Examination) -> Verdict:
    """No canary is left in the bucket."""
    left = examination.clean_up()
    if not left:
        return ok("The doctor left nothing in the bucket.")
    reason = next(iter(left.values()))
    return warn(
        f"These objects of the doctor could not be deleted ({reason.code}): {', '.join(left)}.", "Delete them by hand."
    )


def _ask(operation: str, read: Callable[[], Any], *, absent: str = "") -> Any:
    """The answer, empty where there is `absent` nothing; a verdict where it cannot be had and need not be."""
    try:
        with translating(operation, failure=S3DownloadFailed):
            try:
                return read()
            except ClientError as error:
                code = error.response.get("Error", {}).get("Code", "")
                if code and code == absent:
                    return {}
                if code in NO_SUCH_API:
                    return skip("This store knows no such thing.")
                raise
    except S3AccessDenied:
        return skip(f"These credentials may not ask ({operation}); the service does not need to.")
