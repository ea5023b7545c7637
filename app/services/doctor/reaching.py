"""Checks before anything is signed: configuration, the embedded store, the endpoint, the clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from app.core.exceptions import ConfigurationError, EmbeddedS3Unavailable, S3ClockSkewed, S3Error
from app.services.doctor.examination import Examination
from app.services.doctor.explanations import explain, explain_unreachable
from app.services.doctor.verdicts import Verdict, fail, ok, skip, warn
from app.services.embedded_s3 import EmbeddedS3
from app.services.embedded_s3_folder import ServerFolder, find_ports
from app.services.embedded_s3_process import http_status

# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html: RequestTimeTooSkewed
_REFUSED_SKEW_SECONDS = 900.0
_NOTED_SKEW_SECONDS = 60.0
_SILENCE_SECONDS = 3.0


def check_configuration(examination: Examination) -> Verdict:
    """Every setting is valid."""
    try:
        settings = examination.settings
    except ConfigurationError as error:
        faults = "; ".join(f"{name}: {fault}" for name, fault in error.faults.items())
        return fail(faults, f"Mend {', '.join(error.faults)} in the environment or in .env.")
    store = f"bucket {settings.s3_bucket_name}" if settings.s3_bucket_name else "the embedded store"
    return ok(f"All settings are valid: {store}, ENVIRONMENT={settings.environment}.")


def check_embedded_store(examination: Examination) -> Verdict:
    """The embedded SeaweedFS answers, or starts now."""
    settings = examination.settings
    if not settings.uses_embedded_store:
        return skip("Not used: a bucket is configured.")
    folder = settings.embedded_store_folder
    if silent_pid := _find_silent_server(ServerFolder(folder.absolute())):
        return fail(
            f"The SeaweedFS of {folder} (process {silent_pid}) runs and does not answer.",
            f"If it was paused, let it go on (kill -CONT {silent_pid}); otherwise end it (kill -KILL {silent_pid}), "
            "and the next start brings up a new one. Acknowledged images stay.",
        )
    try:
        endpoint = examination.connection.endpoint_url
    except EmbeddedS3Unavailable as error:
        specifics = "".join(f" ({name}: {value})" for name, value in error.cause.items())
        return fail(error.detail + specifics, "Or set S3_BUCKET_NAME and S3_ENDPOINT_URL to use another store.")
    except S3Error as error:
        answer = ", ".join(error.cause.values())
        return fail(f"The bucket of the embedded store cannot be prepared: {answer}.", f"Look at {folder}/weed.log.")
    return ok(f"SeaweedFS keeps its objects in {folder} and listens at {endpoint}.")


def check_endpoint(examination: Examination) -> Verdict:
    """Name, connection, TLS and an answer as S3 gives it; asked without credentials, on the service's own way."""
    endpoint = examination.connection.endpoint_url or examination.connection.base_url
    client, begun, sent_at = examination.anonymous, time.monotonic(), datetime.now(UTC)
    try:
        answer = client.list_objects_v2(Bucket=examination.bucket, MaxKeys=1)
    except ClientError as error:
        answer = error.response
    except BotoCoreError as error:
        return explain_unreachable(error, examination)
    except ResponseParserError:
        return _not_s3(endpoint, "something else than XML")
    took_seconds = time.monotonic() - begun
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    examination.skew_seconds = _read_skew(headers.get("date"), sent_at, took_seconds)
    code = str(answer["Error"].get("Code", "")) if "Error" in answer else "OK"
    if not code or code.isdigit():
        return _not_s3(endpoint, f"HTTP {answer['ResponseMetadata']['HTTPStatusCode']} without an S3 error")
    server = f" ({headers['server']})" if headers.get("server") else ""
    return ok(f"{endpoint} answers in {took_seconds * 1000:.0f} ms{server}.")


def check_clock(examination: Examination) -> Verdict:
    """The store's clock and this machine's agree; the store refuses more than a quarter of an hour."""
    skew = examination.skew_seconds
    if skew is not None and abs(skew) >= _REFUSED_SKEW_SECONDS:
        return _explain_skew(skew, "which it refuses (RequestTimeTooSkewed from 15 minutes on)")
    if isinstance(examination.refusal, S3ClockSkewed):
        return explain(examination.refusal, examination)
    if skew is None:
        return skip("The store's answers have no date.")
    if abs(skew) >= _NOTED_SKEW_SECONDS:
        noted = _explain_skew(skew, "so presigned URLs live shorter or longer than they say")
        return warn(noted.finding, noted.remedy)
    return ok(f"This machine and the store agree within {max(1.0, abs(skew)):.0f} s.")


def _find_silent_server(folder: ServerFolder) -> int | None:
    """The pid of a server that lives and is silent for seconds; one that was only just started answers meanwhile."""
    pid, ports = EmbeddedS3(folder.root).running_pid, find_ports(folder)
    deadline = time.monotonic() + _SILENCE_SECONDS
    while pid and ports and http_status(ports.s3, "/healthz") != HTTPStatus.OK:
        if time.monotonic() > deadline:
            return pid
        time.sleep(0.1)
        pid, ports = EmbeddedS3(folder.root).running_pid, find_ports(folder)
    return None


def _read_skew(date: str | None, sent_at: datetime, took_seconds: float) -> float | None:
    """Seconds by which the store is ahead of this machine; None where it does not tell."""
    try:
        stored_at = parsedate_to_datetime(date or "")
    except ValueError:
        return None
    return stored_at.timestamp() - sent_at.timestamp() - took_seconds / 2


def _explain_skew(skew: float, consequence: str) -> Verdict:
    size = f"{abs(skew) / 60:.0f} minutes" if abs(skew) >= 120 else f"{abs(skew):.0f} s"
    direction = "behind" if skew > 0 else "ahead of"
    return fail(
        f"This machine's clock is {size} {direction} the store's, {consequence}.",
        "Set the clock: switch time synchronisation (NTP) on, on this machine and on the store's.",
    )


def _not_s3(endpoint: str, found: str) -> Verdict:
    """An HTTP status without an S3 error below it comes from something else than S3."""
    return fail(
        f"{endpoint} answers an S3 request with {found}: that is no S3 store, or a proxy whose store is away.",
        "Check S3_ENDPOINT_URL: host, port, https or http, and that it names S3 itself and not a console.",
    )
