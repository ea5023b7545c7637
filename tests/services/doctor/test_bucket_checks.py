"""The doctor on a bucket that can be used: what is well, what is open that must not be, what is worth knowing."""

from __future__ import annotations

import json
import secrets
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from app.core.config import ChecksumMode
from app.services.bucket_documents import PUBLIC_READ_SID
from app.services.doctor.verdicts import Status
from app.services.s3_connection import S3Connection, make_client
from tests.fault_proxy import refused_url
from tests.services.doctor.conftest import Doctor, Report
from tests.services.doctor.moto_store import MotoStore

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def named(report: Report, status: Status) -> list[str]:
    return [name for name, verdict in report.items() if verdict.status is status]


def put_statement(client: S3Client, bucket: str, **statement: Any) -> None:
    """Adds a statement that lets everyone do something."""
    policy = json.loads(client.get_bucket_policy(Bucket=bucket)["Policy"])
    policy["Statement"].append({"Effect": "Allow", "Principal": "*", **statement})
    client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))


@pytest.mark.parametrize("mode", [ChecksumMode.WHEN_SUPPORTED, ChecksumMode.WHEN_REQUIRED])
def test_healthy_bucket(doctor: Doctor, healthy: S3Connection, client: S3Client, mode: ChecksumMode) -> None:
    """A bucket that is set up passes every check, and the doctor leaves nothing in it."""
    report = doctor(replace(healthy, checksum_mode=mode))
    assert named(report, Status.SKIP) == ["embedded store"]
    assert set(report) - set(named(report, Status.OK)) == {"embedded store"}
    assert f"{mode}: bytes damaged on the way are refused" in report["checksums"].finding
    assert client.list_objects_v2(Bucket=healthy.bucket)["KeyCount"] == 0


def test_public_images_that_are_closed(doctor: Doctor, healthy: S3Connection, client: S3Client) -> None:
    """Public images that nobody can open are a fault; bucket init mends it."""
    client.delete_bucket_policy(Bucket=healthy.bucket)
    report = doctor(healthy)
    assert named(report, Status.FAIL) == ["public is public"]
    assert "users/ answers 403 AccessDenied" in report["public is public"].finding
    assert report["public is public"].remedy == "Run: heaven-images bucket init --yes"


@pytest.mark.parametrize("prefix", ["documents/", "private/", "variants/private/"])
def test_private_images_that_are_open(doctor: Doctor, healthy: S3Connection, client: S3Client, prefix: str) -> None:
    """A statement of somebody else that opens private images, of a private type or single ones, is a fault."""
    put_statement(client, healthy.bucket, Action="s3:GetObject", Resource=f"arn:aws:s3:::{healthy.bucket}/{prefix}*")
    report = doctor(healthy)
    assert named(report, Status.FAIL) == ["private is private"]
    assert report["private is private"].finding == f"Anyone can read what is private: {prefix} answers 200."


def test_anonymous_list(doctor: Doctor, healthy: S3Connection, client: S3Client) -> None:
    """A bucket that strangers can list is a fault."""
    put_statement(client, healthy.bucket, Action="s3:ListBucket", Resource=f"arn:aws:s3:::{healthy.bucket}")
    assert named(doctor(healthy), Status.FAIL) == ["anonymous list"]


def test_store_that_keeps_nobody_out(doctor: Doctor) -> None:
    """A store where strangers write, or one upload replaces another, is at fault; the doctor cleans up there too."""
    with MotoStore(ignoring={"if-none-match"}) as moto:
        connection = moto.connection(f"t-{secrets.token_hex(6)}")
        with closing(make_client(connection)) as aws:
            aws.create_bucket(Bucket=connection.bucket)
            report = doctor(connection)
            assert aws.list_objects_v2(Bucket=connection.bucket)["KeyCount"] == 0
    assert {"anonymous write", "anonymous list", "conditional write"} <= set(named(report, Status.FAIL))
    assert report["checksums"].status is Status.WARN


@pytest.mark.parametrize("origin", ["https://else.example", "*"])
def test_cors_that_is_too_narrow(doctor: Doctor, healthy: S3Connection, client: S3Client, origin: str) -> None:
    """CORS for others only, or without the ETag, leaves our pages without it: worth knowing."""
    rule: Any = {"AllowedOrigins": [origin], "AllowedMethods": ["GET"], "AllowedHeaders": ["*"]}
    client.put_bucket_cors(Bucket=healthy.bucket, CORSConfiguration={"CORSRules": [rule]})
    assert named(doctor(healthy), Status.WARN) == ["CORS"]


def test_versioning(doctor: Doctor, healthy: S3Connection, client: S3Client) -> None:
    """With versioning deleted images stay: worth knowing."""
    client.put_bucket_versioning(Bucket=healthy.bucket, VersioningConfiguration={"Status": "Enabled"})
    assert "versioning" in named(doctor(healthy), Status.WARN)


def test_no_lifecycle(doctor: Doctor, healthy: S3Connection, client: S3Client) -> None:
    """Without lifecycle rules abandoned uploads stay for ever: worth knowing."""
    client.delete_bucket_lifecycle(Bucket=healthy.bucket)
    report = doctor(healthy)
    assert named(report, Status.WARN) == ["lifecycle"]
    assert "heaven-expire-incoming, heaven-abort-multipart" in report["lifecycle"].finding


def test_public_endpoint_out_of_reach(doctor: Doctor, untouched: S3Connection) -> None:
    """An address that only browsers reach is no fault of the store."""
    report = doctor(replace(untouched, public_endpoint_url=refused_url()))
    assert named(report, Status.FAIL) == []
    assert "presigned GET" in named(report, Status.WARN)


def test_public_endpoint_that_is_something_else(doctor: Doctor, untouched: S3Connection) -> None:
    """Presigned URLs that lead to another store than the service's do not work."""
    with MotoStore() as moto:
        elsewhere = moto.connection("any").endpoint_url
        report = doctor(replace(untouched, public_endpoint_url=elsewhere))
    assert "presigned GET" in named(report, Status.FAIL)
    assert "S3_PUBLIC_ENDPOINT_URL" in report["presigned GET"].remedy


def test_images_behind_a_cdn(doctor: Doctor, healthy: S3Connection, client: S3Client) -> None:
    """With a CDN the bucket may be closed to strangers, as long as the CDN shows public images."""
    cdn = f"{healthy.endpoint_url}/{healthy.bucket}"
    assert named(doctor(replace(healthy, cdn_base_url=cdn)), Status.FAIL) == []
    client.delete_bucket_policy(Bucket=healthy.bucket)
    report = doctor(replace(healthy, cdn_base_url=cdn))
    assert named(report, Status.FAIL) == ["public is public"]
    assert "CDN_BASE_URL" in report["public is public"].remedy
    assert PUBLIC_READ_SID not in repr(report)
