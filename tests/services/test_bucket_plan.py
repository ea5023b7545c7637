"""What `bucket init` would do, planned without a store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app.core.image_types import DEFAULT_IMAGE_TYPES, ImageType
from app.services.bucket_documents import CORS_ID, PUBLIC_READ_SID, cors_rule, lifecycle_rules, public_read_statement
from app.services.bucket_plan import (
    NEW_ON_AWS,
    BucketState,
    Effect,
    plan_bucket,
    plan_new_bucket,
)

if TYPE_CHECKING:
    pass
from tests.services.buckets import (
    ALL_BLOCKED,
    ALL_PRIVATE,
    FOREIGN_STATEMENT,
    ROOMS_PRIVATE,
    effects_of,
    state_of,
    statements_of,
    wanted,
)


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
    assert "incoming/, pending/, private/, rooms/, variants/private/" in note


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
