"""`bucket init` on real buckets: made, set up, never opened wider without consent."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import urllib3

from app.core.exceptions import S3AccessDenied, S3InvalidCredentials
from app.services.bucket_documents import PUBLIC_READ_SID, lifecycle_rules
from app.services.bucket_plan import (
    BucketPlan,
)
from app.services.bucket_setup import BucketSetup, Consent, prepare_embedded_bucket
from app.services.s3_connection import S3Connection, make_client
from tests.conftest import BucketFactory
from tests.services.doctor.moto_store import MotoStore

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
from tests.services.buckets import ALL_BLOCKED, ALL_PRIVATE, FOREIGN_STATEMENT, ROOMS_PRIVATE, settings_with


@pytest.fixture
def existing(make_bucket: BucketFactory) -> S3Connection:
    """A bucket of SeaweedFS that somebody made before."""
    return make_bucket()


@pytest.fixture
def client(existing: S3Connection) -> Iterator[S3Client]:
    """A client for the existing bucket."""
    with closing(make_client(existing)) as opened:
        yield opened


def set_up(connection: S3Connection, consent: Consent, **overrides: Any) -> list[str]:
    """The operations that were carried out."""
    with BucketSetup(connection, settings_with(**overrides)) as setup:
        return [step.operation for step in setup.apply(setup.plan(), consent)]


def fetch_status(connection: S3Connection, client: S3Client, key: str) -> int:
    """What a stranger gets for an object that is there."""
    client.put_object(Bucket=connection.bucket, Key=key, Body=b"picture")
    with urllib3.PoolManager(retries=False) as stranger:
        return stranger.request("GET", f"{connection.base_url}/{key}").status


def test_missing_bucket_is_made_and_set_up(existing: S3Connection, client: S3Client) -> None:
    """A bucket that did not exist needs no consent: strangers read public images and nothing else."""
    connection = replace(existing, bucket=f"t-{secrets.token_hex(6)}")
    try:
        done = set_up(connection, Consent.WITHHELD)
        assert done == ["CreateBucket", "PutBucketPolicy", "PutBucketCors", "PutBucketLifecycleConfiguration"]
        assert fetch_status(connection, client, "users/1/a.jpg") == 200
        assert fetch_status(connection, client, "variants/users/1/a/320.jpg") == 200
        assert fetch_status(connection, client, "incoming/a") == 403
        assert set_up(connection, Consent.WITHHELD) == []
    finally:
        client.delete_bucket(Bucket=connection.bucket)


def test_existing_bucket_is_not_opened_without_consent(existing: S3Connection, client: S3Client) -> None:
    """What does not open anything is done at once, the rest only with consent; then nothing is left to do."""
    assert set_up(existing, Consent.WITHHELD) == ["PutBucketLifecycleConfiguration"]
    assert fetch_status(existing, client, "users/1/a.jpg") == 403
    assert set_up(existing, Consent.GIVEN) == ["PutBucketPolicy", "PutBucketCors"]
    assert fetch_status(existing, client, "users/1/a.jpg") == 200
    assert set_up(existing, Consent.GIVEN) == []


def test_type_that_turned_private_is_closed_without_consent(existing: S3Connection, client: S3Client) -> None:
    """Images of a type that is private now stop being public at the next set-up."""
    set_up(existing, Consent.GIVEN)
    assert fetch_status(existing, client, "rooms/a.jpg") == 200
    assert set_up(existing, Consent.WITHHELD, image_types=ROOMS_PRIVATE) == ["PutBucketPolicy"]
    assert fetch_status(existing, client, "rooms/a.jpg") == 403
    assert fetch_status(existing, client, "users/1/a.jpg") == 200


def test_rules_of_others_stay_in_the_store(existing: S3Connection, client: S3Client) -> None:
    """Statements and rules that somebody else wrote are there afterwards, and the second run changes nothing."""
    bucket = existing.bucket
    foreign = {**FOREIGN_STATEMENT, "Resource": f"arn:aws:s3:::{bucket}/archive/*"}
    client.put_bucket_policy(
        Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Id": "theirs", "Statement": [foreign]})
    )
    client.put_bucket_cors(
        Bucket=bucket,
        CORSConfiguration={"CORSRules": [{"AllowedOrigins": ["https://edit.example"], "AllowedMethods": ["PUT"]}]},
    )
    client.put_bucket_lifecycle_configuration(
        Bucket=bucket,
        LifecycleConfiguration={
            "Rules": [{"ID": "logs", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 30}}]
        },
    )
    set_up(existing, Consent.GIVEN)
    policy = json.loads(client.get_bucket_policy(Bucket=bucket)["Policy"])
    assert [statement["Sid"] for statement in policy["Statement"]] == ["Auditors", PUBLIC_READ_SID]
    assert ["PUT"] in [rule["AllowedMethods"] for rule in client.get_bucket_cors(Bucket=bucket)["CORSRules"]]
    rules = client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert [rule["ID"] for rule in rules] == ["logs", *(rule["ID"] for rule in lifecycle_rules())]
    assert set_up(existing, Consent.GIVEN) == []


def test_planning_changes_nothing(existing: S3Connection, client: S3Client) -> None:
    """Looking at what would be done does none of it."""
    missing = replace(existing, bucket=f"t-{secrets.token_hex(6)}")
    for connection in (existing, missing):
        with BucketSetup(connection, settings_with()) as setup:
            assert setup.plan().steps
            assert setup.plan() == setup.plan()
    assert missing.bucket not in {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}


def test_wrong_secret(existing: S3Connection) -> None:
    """A wrong secret is reported as such, and not as a bucket that could be made."""
    wrong = replace(existing, secret_access_key="wrong")
    with BucketSetup(wrong, settings_with()) as setup, pytest.raises(S3InvalidCredentials):
        setup.plan()


def test_denied_permission_names_the_call(existing: S3Connection, client: S3Client) -> None:
    """Who may not read the bucket's configuration learns which call was refused."""
    denial = {"Effect": "Deny", "Principal": "*", "Action": "s3:ListBucket", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [{**denial, "Resource": f"arn:aws:s3:::{existing.bucket}"}]}
    client.put_bucket_policy(Bucket=existing.bucket, Policy=json.dumps(policy))
    with BucketSetup(existing, settings_with()) as setup, pytest.raises(S3AccessDenied, match="ListObjectsV2"):
        setup.plan()


def test_embedded_bucket_follows_its_settings(existing: S3Connection, client: S3Client) -> None:
    """The embedded store's bucket is made, opened when a type turns public, and left alone otherwise."""
    connection = replace(existing, bucket=f"t-{secrets.token_hex(6)}")
    try:
        prepare_embedded_bucket(connection, settings_with(image_types=ROOMS_PRIVATE))
        assert fetch_status(connection, client, "rooms/a.jpg") == 403
        prepare_embedded_bucket(connection, settings_with())
        assert fetch_status(connection, client, "rooms/a.jpg") == 200
        with BucketSetup(connection, settings_with()) as setup:
            assert setup.plan() == BucketPlan(())
    finally:
        client.delete_bucket(Bucket=connection.bucket)


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1"])
def test_bucket_on_aws_is_made_in_its_region(region: str) -> None:
    """AWS makes the bucket in the configured region, us-east-1 included."""
    bucket = f"t-{secrets.token_hex(6)}"
    with MotoStore() as moto:
        connection = moto.connection(bucket, region=region)
        assert set_up(connection, Consent.WITHHELD)[0] == "CreateBucket"
        with closing(make_client(connection)) as aws:
            assert aws.get_bucket_location(Bucket=bucket).get("LocationConstraint") in {region, None}
            assert aws.head_bucket(Bucket=bucket)["BucketRegion"] == region
        assert set_up(connection, Consent.WITHHELD) == []


def test_block_public_access_is_lifted_with_consent_only() -> None:
    """An existing bucket of AWS keeps its Block Public Access until consent; the blocks on ACLs stay for good."""
    bucket = f"t-{secrets.token_hex(6)}"
    with MotoStore() as moto, closing(make_client(moto.connection(bucket))) as aws:
        aws.create_bucket(Bucket=bucket)
        aws.put_public_access_block(
            Bucket=bucket,
            PublicAccessBlockConfiguration={
                "BlockPublicAcls": True,
                "IgnorePublicAcls": True,
                "BlockPublicPolicy": True,
                "RestrictPublicBuckets": True,
            },
        )
        assert set_up(moto.connection(bucket), Consent.WITHHELD, image_types=ALL_PRIVATE) == [
            "PutBucketLifecycleConfiguration"
        ]
        assert set_up(moto.connection(bucket), Consent.WITHHELD) == []
        assert aws.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"] == ALL_BLOCKED
        done = set_up(moto.connection(bucket), Consent.GIVEN)
        assert done == ["PutPublicAccessBlock", "PutBucketPolicy", "PutBucketCors"]
        assert aws.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"] == {
            **ALL_BLOCKED,
            "BlockPublicPolicy": False,
            "RestrictPublicBuckets": False,
        }
