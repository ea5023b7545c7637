"""Setting up a bucket: what is planned, what is carried out without being asked, and that others' rules stay."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import urllib3

from app.core.config import Settings
from app.core.exceptions import S3AccessDenied, S3InvalidCredentials
from app.core.image_types import DEFAULT_IMAGE_TYPES, ImageType, ImageTypes, Visibility
from app.services.bucket_documents import CORS_ID, PUBLIC_READ_SID, cors_rule, lifecycle_rules, public_read_statement
from app.services.bucket_plan import (
    NEW_ON_AWS,
    BucketPlan,
    BucketState,
    Effect,
    Step,
    WantedBucket,
    plan_bucket,
    plan_new_bucket,
)
from app.services.bucket_setup import BucketSetup, Consent, prepare_embedded_bucket
from app.services.s3_connection import S3Connection, make_client
from tests.conftest import BucketFactory
from tests.services.doctor.moto_store import MotoStore

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ROOMS_PRIVATE: ImageTypes = {**DEFAULT_IMAGE_TYPES, "room": ImageType(prefix="rooms", visibility=Visibility.PRIVATE)}
ALL_PRIVATE: ImageTypes = {"user": ImageType(prefix="users", visibility=Visibility.PRIVATE)}
FOREIGN_STATEMENT = {
    "Sid": "Auditors",
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:DeleteObject",
    "Resource": "arn:aws:s3:::photos/archive/*",
}
ALL_BLOCKED = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)


def wanted(**changes: Any) -> WantedBucket:
    return replace(WantedBucket("photos", "us-east-1", DEFAULT_IMAGE_TYPES, ("*",)), **changes)


def state_of(wanted_bucket: WantedBucket, **changes: Any) -> BucketState:
    """A bucket that is just as wanted."""
    statement = public_read_statement(wanted_bucket.name, wanted_bucket.types, region=wanted_bucket.region)
    return replace(
        BucketState(
            policy={"Version": "2012-10-17", "Statement": [statement]} if statement else {},
            cors_rules=[cors_rule(wanted_bucket.cors_origins)],
            lifecycle={"Rules": lifecycle_rules()},
        ),
        **changes,
    )


def effects_of(plan: BucketPlan) -> list[tuple[str, Effect]]:
    return [(step.operation, step.effect) for step in plan.steps]


def statements_of(step: Step) -> list[dict[str, Any]]:
    return list(json.loads(step.arguments["Policy"])["Statement"])


def settings_with(**overrides: Any) -> Settings:
    return Settings.load(_env_file=None, **overrides)


@pytest.mark.parametrize(
    ("region", "configuration"),
    [
        ("us-east-1", None),
        ("eu-central-1", {"LocationConstraint": "eu-central-1"}),
        ("auto", {"LocationConstraint": "auto"}),
    ],
)
def test_location_of_a_new_bucket(region: str, configuration: dict[str, str] | None) -> None:
    """us-east-1 refuses its own name as a location, every other region wants it."""
    create = plan_new_bucket(wanted(region=region), BucketState()).steps[0]
    assert create.operation == "CreateBucket"
    assert create.arguments.get("CreateBucketConfiguration") == configuration


def test_nothing_to_do() -> None:
    """A bucket that is as wanted is left alone."""
    assert plan_bucket(wanted(), state_of(wanted())).steps == ()


def test_other_spellings_are_the_same_policy() -> None:
    """Stores give a policy back in their own spelling; that is no reason to write it again."""
    bucket = wanted()
    statement = public_read_statement("photos", bucket.types, region=bucket.region)
    assert statement
    respelled = {
        **statement,
        "Principal": {"AWS": "*"},
        "Action": "s3:GetObject",
        "Resource": statement["Resource"][::-1],
    }
    state = state_of(bucket, policy={"Version": "2012-10-17", "Statement": respelled})
    assert plan_bucket(bucket, state).steps == ()


def test_public_policy_on_an_existing_bucket_widens() -> None:
    """A bucket without our statement becomes public only with consent."""
    state = state_of(wanted(), policy={"Version": "2008-10-17", "Statement": [FOREIGN_STATEMENT]})
    plan = plan_bucket(wanted(), state)
    assert effects_of(plan) == [("PutBucketPolicy", Effect.WIDENS)]
    assert [statement["Sid"] for statement in statements_of(plan.steps[0])] == ["Auditors", PUBLIC_READ_SID]


def test_policy_that_loses_and_gains() -> None:
    """A type that turned private is closed at once, one that is new and public waits for consent."""
    before = wanted()
    after = wanted(types={**ROOMS_PRIVATE, "event": ImageType(prefix="events")})
    plan = plan_bucket(after, state_of(before))
    assert effects_of(plan) == [("PutBucketPolicy", Effect.CLOSED), ("PutBucketPolicy", Effect.WIDENS)]
    narrowed, widened = (statements_of(step)[0]["Resource"] for step in plan.steps)
    assert not any("rooms" in resource or "events" in resource for resource in narrowed)
    assert "arn:aws:s3:::photos/users/*" in narrowed
    assert "arn:aws:s3:::photos/events/*" in widened
    assert not any("rooms" in resource for resource in widened)


def test_statement_that_grants_too_much_is_narrowed() -> None:
    """If somebody widened our statement to the whole bucket, it shrinks without consent."""
    statement = public_read_statement("photos", DEFAULT_IMAGE_TYPES, region="us-east-1")
    assert statement
    grown = {**statement, "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "arn:aws:s3:::photos/*"}
    plan = plan_bucket(wanted(), state_of(wanted(), policy={"Statement": [grown]}))
    assert effects_of(plan) == [("PutBucketPolicy", Effect.CLOSED)]
    assert statements_of(plan.steps[0])[0]["Action"] == ["s3:GetObject"]


def test_statement_with_a_condition_is_not_opened() -> None:
    """A condition that an operator put on our statement goes away only with consent."""
    statement = public_read_statement("photos", DEFAULT_IMAGE_TYPES, region="us-east-1")
    guarded = {**(statement or {}), "Condition": {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}}
    plan = plan_bucket(wanted(), state_of(wanted(), policy={"Statement": [guarded]}))
    assert effects_of(plan) == [("PutBucketPolicy", Effect.WIDENS)]


def test_no_public_type() -> None:
    """Without public types our statement goes, and with it a policy that held nothing else."""
    plan = plan_bucket(wanted(types=ALL_PRIVATE), state_of(wanted(), public_access_block=ALL_BLOCKED))
    assert effects_of(plan) == [("DeleteBucketPolicy", Effect.CLOSED)]


def test_new_bucket_on_aws() -> None:
    """A new bucket of AWS blocks public policies; only those blocks are lifted, before the policy is written."""
    plan = plan_new_bucket(wanted(), NEW_ON_AWS)
    assert [step.operation for step in plan.steps] == [
        "CreateBucket",
        "PutPublicAccessBlock",
        "PutBucketPolicy",
        "PutBucketCors",
        "PutBucketLifecycleConfiguration",
    ]
    assert plan.steps[1].arguments["PublicAccessBlockConfiguration"] == {
        "BlockPublicAcls": True,
        "IgnorePublicAcls": True,
        "BlockPublicPolicy": False,
        "RestrictPublicBuckets": False,
    }
    assert plan.widening == ()


def test_china_has_arns_of_its_own() -> None:
    """Policies in China name the bucket in China's partition."""
    plan = plan_bucket(wanted(region="cn-north-1"), BucketState())
    assert "arn:aws-cn:s3:::photos/users/*" in statements_of(plan.steps[0])[0]["Resource"]


def test_foreign_statement_that_opens_private_images_is_named() -> None:
    """Somebody else's statement is kept, and named if it opens what must stay closed."""
    open_to_all = {**FOREIGN_STATEMENT, "Effect": "Allow", "Action": "s3:*", "Resource": ["arn:aws:s3:::photos/*"]}
    guarded = {**open_to_all, "Sid": "Office", "Condition": {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}}
    state = state_of(wanted(), policy={"Statement": [open_to_all, guarded, FOREIGN_STATEMENT]})
    plan = plan_bucket(wanted(types=ROOMS_PRIVATE), state)
    (note,) = plan.notes
    assert "'Auditors'" in note
    assert "incoming/, rooms/" in note


@pytest.mark.parametrize(
    ("before", "after", "effects"),
    [
        (("*",), ("https://a.example",), [Effect.CLOSED]),
        (("https://a.example",), ("*",), [Effect.WIDENS]),
        (("https://*.example",), ("https://a.example",), [Effect.CLOSED]),
        (("https://a.example", "https://b.example"), ("https://b.example",), [Effect.CLOSED]),
        (("https://a.example",), ("https://b.example",), [Effect.CLOSED, Effect.WIDENS]),
        (("https://a.example", "https://b.example"), ("https://b.example", "https://c.example"), None),
    ],
)
def test_cors_origins(before: tuple[str, ...], after: tuple[str, ...], effects: list[Effect] | None) -> None:
    """Origins that are no longer configured go at once, new ones wait for consent."""
    plan = plan_bucket(wanted(cors_origins=after), state_of(wanted(cors_origins=before)))
    assert [step.effect for step in plan.steps] == (effects or [Effect.CLOSED, Effect.WIDENS])


def test_foreign_cors_rules_stay() -> None:
    """Our CORS rule stands beside those of others, also where the store forgets rule ids."""
    foreign = {"ID": "editor", "AllowedOrigins": ["https://edit.example"], "AllowedMethods": ["PUT"]}
    plan = plan_bucket(wanted(), state_of(wanted(), cors_rules=[foreign]))
    rules = plan.steps[0].arguments["CORSConfiguration"]["CORSRules"]
    assert [rule["ID"] for rule in rules] == ["editor", CORS_ID]
    nameless = {name: value for name, value in cors_rule(("*",)).items() if name != "ID"}
    assert plan_bucket(wanted(), state_of(wanted(), cors_rules=[foreign, nameless])).steps == ()


def test_foreign_lifecycle_rules_and_their_threshold_stay() -> None:
    """Lifecycle rules of others and the bucket's size threshold survive, ours are put right without asking."""
    foreign = {"ID": "logs", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 30}}
    stale = {**lifecycle_rules()[0], "Expiration": {"Days": 90}}
    lifecycle = {"Rules": [foreign, stale], "TransitionDefaultMinimumObjectSize": "varies_by_storage_class"}
    (step,) = plan_bucket(wanted(), state_of(wanted(), lifecycle=lifecycle)).steps
    assert step.effect is Effect.CLOSED
    assert step.arguments["LifecycleConfiguration"]["Rules"] == [foreign, *lifecycle_rules()]
    assert step.arguments["TransitionDefaultMinimumObjectSize"] == "varies_by_storage_class"


def test_store_without_these_apis() -> None:
    """What a store cannot be told is said instead of tried."""
    plan = plan_bucket(wanted(), BucketState(policy=None, cors_rules=None, lifecycle=None))
    assert plan.steps == ()
    assert len(plan.notes) == 3


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
