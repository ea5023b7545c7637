"""The doctor names the fault: each way in which a store cannot be used, within 15 seconds, and without a secret."""

from __future__ import annotations

import json
import os
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app.bootstrap import Services
from app.core.config import Settings
from app.services.doctor.checkup import CHECKS, examine
from app.services.doctor.verdicts import Status
from app.services.embedded_s3 import EmbeddedConnection, EmbeddedS3
from app.services.s3_connection import S3Connection, make_client
from tests.conftest import connection_to
from tests.fault_proxy import Answer, FaultProxy, FlipAnswerByte, Pass, Stall, refused_url
from tests.services.doctor.conftest import Doctor, Report
from tests.services.doctor.moto_store import MotoStore
from tests.services.doctor.shifted_clock import DatelessProxy, LateDateProxy, ShiftedClockProxy

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MOST_SECONDS = 15.0


def recorded(status: int, code: str, more: str = "") -> Answer:
    """An error as S3 words it."""
    body = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>Recorded.</Message>{more}</Error>'
    return Answer(status, body.encode(), {"Content-Type": "application/xml"})


def failures(report: Report) -> list[str]:
    return [name for name, verdict in report.items() if verdict.status is Status.FAIL]


@contextmanager
def stopped_later(folder: Path) -> Iterator[tuple[EmbeddedS3, int, EmbeddedConnection]]:
    """A SeaweedFS of one's own, to freeze."""
    store = EmbeddedS3(folder)
    connection = store.start()
    pid = store.running_pid
    assert pid
    try:
        yield store, pid, connection
    finally:
        os.kill(pid, signal.SIGCONT)
        store.stop()


@pytest.fixture(autouse=True)
def in_time() -> Iterator[None]:
    """Whatever is wrong, it is named in time."""
    started = time.monotonic()
    yield
    assert time.monotonic() - started < MOST_SECONDS


def test_checks_need_earlier_ones() -> None:
    """A check is passed over because of one before it, never because of one that comes later."""
    for position, check in enumerate(CHECKS):
        assert set(check.needs) <= {earlier.name for earlier in CHECKS[:position]}


def test_wrong_settings_are_named_by_variable(monkeypatch: pytest.MonkeyPatch, untouched: S3Connection) -> None:
    """Wrong settings are listed by their variables, all at once, and nothing else is tried."""
    monkeypatch.setenv("S3_BUCKET_NAME", "Not_A_Bucket")
    monkeypatch.setenv("JPEG_QUALITY", "900")
    report = {result.name: result.verdict for result in examine(Settings.load, lambda _: untouched)}
    assert failures(report) == ["configuration"]
    assert "S3_BUCKET_NAME: " in report["configuration"].finding
    assert "JPEG_QUALITY: " in report["configuration"].finding
    assert report["endpoint"].status is Status.SKIP


def test_wrong_secret(doctor: Doctor, untouched: S3Connection) -> None:
    """A wrong secret is named as one, and is not shown."""
    wrong = "wrong-" + secrets.token_hex(16)
    report = doctor(replace(untouched, secret_access_key=wrong))
    assert failures(report) == ["credentials"]
    assert "AWS_SECRET_ACCESS_KEY" in report["credentials"].remedy
    assert wrong not in repr(report)


def test_unknown_key_id(doctor: Doctor, untouched: S3Connection) -> None:
    """A key id that the store does not know is told from a wrong secret."""
    report = doctor(replace(untouched, access_key_id="AKIAUNKNOWN"))
    assert failures(report) == ["credentials"]
    assert "AWS_ACCESS_KEY_ID" in report["credentials"].remedy


def test_no_credentials(doctor: Doctor, untouched: S3Connection) -> None:
    """Nothing to sign with is told from something wrong to sign with."""
    report = doctor(replace(untouched, access_key_id=None, secret_access_key=None))
    assert failures(report) == ["credentials"]
    assert report["credentials"].finding.startswith("No credentials were found")


def test_wrong_bucket(doctor: Doctor, untouched: S3Connection) -> None:
    """A bucket that is not there is named, with the command that makes it."""
    report = doctor(replace(untouched, bucket="no-such-bucket"))
    assert failures(report) == ["bucket"]
    assert "no-such-bucket" in report["bucket"].finding
    assert "heaven-images bucket init" in report["bucket"].remedy


def test_wrong_region_that_the_store_tells(doctor: Doctor) -> None:
    """A bucket that answers from elsewhere: URLs would name the wrong region."""
    with MotoStore() as moto:
        bucket = f"t-{secrets.token_hex(6)}"
        with closing(make_client(moto.connection(bucket, region="eu-central-1"))) as aws:
            aws.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        report = doctor(moto.connection(bucket, region="us-east-1"))
    assert failures(report) == ["region"]
    assert report["region"].remedy == "Set AWS_REGION=eu-central-1"


@pytest.mark.parametrize(
    "refusal",
    [
        recorded(400, "AuthorizationHeaderMalformed", "<Region>eu-west-3</Region>"),
        replace(recorded(301, "PermanentRedirect"), headers={"x-amz-bucket-region": "eu-west-3"}),
    ],
    ids=["malformed", "redirect"],
)
def test_wrong_region_that_refuses(doctor: Doctor, untouched: S3Connection, refusal: Answer) -> None:
    """A region that refuses is neither taken for a missing bucket nor for wrong credentials."""
    with FaultProxy() as proxy:
        proxy.spoil_all(refusal)
        report = doctor(replace(untouched, endpoint_url=proxy.endpoint_url))
    assert failures(report) == ["region"]
    assert report["region"].remedy == "Set AWS_REGION=eu-west-3"


def test_store_down(doctor: Doctor, untouched: S3Connection) -> None:
    """A store that is not running is told at once, and nothing further is waited for."""
    report = doctor(replace(untouched, endpoint_url=refused_url()))
    assert failures(report) == ["endpoint"]
    assert "Nothing listens" in report["endpoint"].finding


def test_unknown_host(doctor: Doctor, untouched: S3Connection) -> None:
    """A misspelt host is told from a store that is down."""
    report = doctor(replace(untouched, endpoint_url="http://store.invalid:9000"))
    assert failures(report) == ["endpoint"]
    assert "host name" in report["endpoint"].finding


def test_tls_where_there_is_none(doctor: Doctor, untouched: S3Connection) -> None:
    """https to a store that speaks http is named as that."""
    report = doctor(replace(untouched, endpoint_url=str(untouched.endpoint_url).replace("http:", "https:")))
    assert failures(report) == ["endpoint"]
    assert report["endpoint"].finding.startswith("TLS with")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(404, b"<html>Not here</html>", {"Content-Type": "text/html"}), "no S3 store"),
        (Answer(502, b"Bad Gateway"), "HTTP 502 without an S3 error"),
        (Answer(200, b"<!doctype html><p>Welcome", {"Content-Type": "text/html"}), "no S3 store"),
        (Answer(301, b"", {"Location": "https://store.example/"}), "another address"),
    ],
    ids=["not found", "gateway", "page", "redirect"],
)
def test_something_else_than_s3(doctor: Doctor, untouched: S3Connection, answer: Answer, said: str) -> None:
    """A web server at the endpoint is not taken for a store without the bucket."""
    with FaultProxy() as proxy:
        proxy.spoil_all(answer)
        report = doctor(replace(untouched, endpoint_url=proxy.endpoint_url))
    assert failures(report) == ["endpoint"]
    assert said in report["endpoint"].finding


def test_store_frozen(doctor: Doctor, tmp_path: Path) -> None:
    """A store that takes connections and stays silent is named as frozen."""
    with stopped_later(tmp_path / "s3") as (_, pid, embedded):
        os.kill(pid, signal.SIGSTOP)
        report = doctor(connection_to(embedded, "photos", read_timeout_seconds=0.5))
    assert failures(report) == ["endpoint"]
    assert "frozen" in report["endpoint"].finding


def test_embedded_store_frozen(tmp_path: Path) -> None:
    """The embedded store that hangs is named with its process, and is neither waited for nor ended."""
    settings = Settings.load(_env_file=None, heaven_home=tmp_path)
    with stopped_later(tmp_path / "s3") as (store, frozen, _):
        os.kill(frozen, signal.SIGSTOP)
        services = Services(settings)
        report = {result.name: result.verdict for result in examine(lambda: settings, lambda _: services.connect())}
        services.close()
        assert store.running_pid == frozen
    assert failures(report) == ["embedded store"]
    assert f"kill -CONT {frozen}" in report["embedded store"].remedy


def test_store_that_falls_silent(doctor: Doctor, untouched: S3Connection) -> None:
    """A store that stops answering in the middle ends the looking: what is left is not waited for."""
    with FaultProxy(untouched.endpoint_url) as proxy:
        proxy.spoil("PUT", Stall())
        proxy.spoil("DELETE", Stall())
        report = doctor(replace(untouched, endpoint_url=proxy.endpoint_url, read_timeout_seconds=0.5))
    assert failures(report) == ["put"]
    assert report["versioning"].status is Status.SKIP
    assert "incoming/doctor-" in report["clean-up"].finding


@pytest.mark.parametrize("minutes", [20, -20])
@pytest.mark.parametrize("proxy_class", [ShiftedClockProxy, DatelessProxy])
def test_clock_off(
    doctor: Doctor, untouched: S3Connection, proxy_class: Callable[[str, timedelta], FaultProxy], minutes: int
) -> None:
    """A clock that is 20 minutes off is named as that, by the store's date or by its refusal."""
    with proxy_class(str(untouched.endpoint_url), timedelta(minutes=minutes)) as proxy:
        report = doctor(replace(untouched, endpoint_url=proxy.endpoint_url))
    assert failures(report) == ["clock"]
    assert "RequestTimeTooSkewed" in report["clock"].finding
    if proxy_class is ShiftedClockProxy:
        assert f"20 minutes {'ahead of' if minutes > 0 else 'behind'} the store's" in report["clock"].finding


def test_clock_a_little_off(doctor: Doctor, untouched: S3Connection) -> None:
    """Two minutes are not refused, and worth knowing."""
    with LateDateProxy(str(untouched.endpoint_url), timedelta(minutes=2)) as proxy:
        report = doctor(replace(untouched, endpoint_url=proxy.endpoint_url))
    assert failures(report) == []
    assert report["clock"].status is Status.WARN
    assert "2 minutes ahead of" in report["clock"].finding


def test_no_list_permission(doctor: Doctor, healthy: S3Connection, client: S3Client) -> None:
    """Without s3:ListBucket all else is tried, and the missing permission is named with its resource."""
    deny(client, healthy, "s3:ListBucket", f"arn:aws:s3:::{healthy.bucket}")
    report = doctor(healthy)
    assert "list" in failures(report)
    assert f"Allow s3:ListBucket on arn:aws:s3:::{healthy.bucket};" in report["list"].remedy
    assert report["credentials"].status is Status.OK
    assert report["get"].status is Status.OK


def test_no_write_permission(doctor: Doctor, healthy: S3Connection, client: S3Client) -> None:
    """Credentials that may only read are named as that."""
    deny(client, healthy, "s3:PutObject", f"arn:aws:s3:::{healthy.bucket}/*")
    report = doctor(healthy)
    assert failures(report) == ["put"]
    assert "Allow s3:PutObject" in report["put"].remedy


def test_no_delete_permission(doctor: Doctor, healthy: S3Connection, client: S3Client) -> None:
    """What the doctor may not delete, it names."""
    deny(client, healthy, "s3:DeleteObject", f"arn:aws:s3:::{healthy.bucket}/*")
    report = doctor(healthy)
    assert failures(report) == ["delete"]
    left = {entry["Key"] for entry in client.list_objects_v2(Bucket=healthy.bucket)["Contents"]}
    assert left
    assert all(key in report["clean-up"].finding for key in left)


def test_bytes_that_change(doctor: Doctor, untouched: S3Connection) -> None:
    """A store that gives back other bytes than it was given is not to be used."""
    with FaultProxy(untouched.endpoint_url) as proxy:
        # The stranger's listing, the signed one, then the canary.
        proxy.spoil("GET", Pass(), Pass(), FlipAnswerByte(1000))
        report = doctor(replace(untouched, endpoint_url=proxy.endpoint_url))
    assert "get" in failures(report)


def test_refused_checksum_mode(doctor: Doctor, healthy: S3Connection) -> None:
    """A store that does not know today's checksums is told from one that refuses, with the setting that helps."""
    with FaultProxy(healthy.endpoint_url) as proxy:
        proxy.spoil("PUT", recorded(501, "NotImplemented"))
        report = doctor(replace(healthy, endpoint_url=proxy.endpoint_url))
    assert "put" in failures(report)
    assert "S3_CHECKSUM_MODE=when_required" in report["put"].remedy


def deny(client: S3Client, connection: S3Connection, action: str, resource: str) -> None:
    """Adds a refusal to the bucket's policy."""
    policy = json.loads(client.get_bucket_policy(Bucket=connection.bucket)["Policy"])
    policy["Statement"].append({"Effect": "Deny", "Principal": "*", "Action": action, "Resource": resource})
    client.put_bucket_policy(Bucket=connection.bucket, Policy=json.dumps(policy))
