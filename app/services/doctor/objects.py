"""Checks with a canary object through put, get, head, list and delete."""

from __future__ import annotations

import io
from typing import Any

from botocore.exceptions import ClientError

from app.core.exceptions import (
    ImageServiceError,
    S3ConnectionFailed,
    S3DownloadFailed,
    S3ListFailed,
    S3Unavailable,
)
from app.images.keys import INCOMING_PREFIX
from app.services.doctor.examination import CANARY_TYPE, Examination, new_canary_key
from app.services.doctor.verdicts import Verdict, fail, ok, warn
from app.services.protocols import KeyTaken
from app.services.s3_errors import translating
from app.services.s3_session import content_digest

_METADATA = {"doctor": "canary"}


def check_put(examination: Examination) -> Verdict:
    """An object can be written as the service writes images."""
    key, body = examination.canary_key, examination.canary_body
    examination.put(key, body, IfNoneMatch="*", Metadata=_METADATA, **content_digest(examination.connection, body))
    return ok(f"{len(body)} bytes were written to {key}.")


def check_get(examination: Examination) -> Verdict:
    """What was written comes back, byte for byte."""
    with translating("GetObject", failure=S3DownloadFailed):
        answer = examination.client.get_object(Bucket=examination.bucket, Key=examination.canary_key)
        body: bytes = answer["Body"].read()
    if body == examination.canary_body:
        return ok(f"{len(body)} bytes came back, all the same.")
    if examination.canary_body in body:
        return fail(
            f"The store keeps {len(body) - len(examination.canary_body)} bytes of checksum inside the object.",
            "Set S3_CHECKSUM_MODE=when_required, and upload again what was stored meanwhile.",
        )
    return fail("Other bytes came back than were written.", "Do not use this store: look at its disks and its log.")


def check_head(examination: Examination) -> Verdict:
    """Size, type and metadata are kept."""
    with translating("HeadObject", failure=S3DownloadFailed):
        answer = examination.client.head_object(Bucket=examination.bucket, Key=examination.canary_key)
    expected = {"ContentLength": len(examination.canary_body), "ContentType": CANARY_TYPE, "Metadata": _METADATA}
    changed = [name for name, value in expected.items() if answer.get(name) != value]
    if changed:
        return fail(f"The store changed {', '.join(changed)}.", "The service keeps its facts there: use another store.")
    return ok("Size, type and metadata are as written.")


def check_list(examination: Examination) -> Verdict:
    """The object is found by listing; without this permission a missing image looks like a forbidden one."""
    key = examination.canary_key
    with translating("ListObjectsV2", failure=S3ListFailed):
        answer = examination.client.list_objects_v2(Bucket=examination.bucket, Prefix=key, MaxKeys=2)
    if key not in {entry["Key"] for entry in answer.get("Contents", [])}:
        return fail(
            "The listing lacks what was just written.", "The service needs a store that lists at once what it stored."
        )
    return ok("The listing has what was just written.")


def check_conditional_write(examination: Examination) -> Verdict:
    """A second create of one key is refused: no upload can replace another."""
    try:
        examination.put(examination.canary_key, b"another", IfNoneMatch="*")
    except KeyTaken:
        return ok("A second create of the same key is refused (412).")
    return fail(
        "The store ignores If-None-Match: of two uploads with one key the later replaces the earlier.",
        "Use a store, or a version of it, with conditional writes.",
    )


def check_checksums(examination: Examination) -> Verdict:
    """Bytes that are damaged on their way to the store are refused by it."""
    mode = "when_supported" if examination.connection.sends_checksums else "when_required"
    key, body = new_canary_key(INCOMING_PREFIX), examination.canary_body
    events = examination.client.meta.events
    events.register("before-send.s3.PutObject", _damage)
    try:
        examination.put(key, body, **content_digest(examination.connection, body))
    except (S3ConnectionFailed, S3Unavailable):
        raise
    except ImageServiceError as error:
        return ok(f"{mode}: bytes damaged on the way are refused ({error.cause.get('s3_code')}).")
    finally:
        events.unregister("before-send.s3.PutObject", _damage)
    return warn(
        f"{mode}: the store keeps bytes that were damaged on the way.",
        "Let nothing but TLS (https) lie between the service and this store, or use one that checks.",
    )


def check_delete(examination: Examination) -> Verdict:
    """The object can be deleted, and is then answered as missing."""
    key = examination.canary_key
    examination.delete(key)
    with translating("HeadObject", failure=S3DownloadFailed):
        try:
            examination.client.head_object(Bucket=examination.bucket, Key=key)
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            return ok("Deleted.") if status == 404 else _explain_status(status)
    return fail("The object is still there after its deletion.", "Look at the store: the service cannot delete images.")


def _explain_status(status: int) -> Verdict:
    return warn(
        f"Deleted, and a missing object answers {status} instead of 404.",
        "Allow s3:ListBucket: without it nobody can tell a missing image from a forbidden one.",
    )


def _damage(request: Any, **_: Any) -> None:
    """Changes the body after it was signed, its length kept."""
    request.body = io.BytesIO(bytes(len(request.body.read())))
