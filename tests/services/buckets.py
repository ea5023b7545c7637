"""Buckets as the settings want them and as they are, for the tests of set-up."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from app.core.config import Settings
from app.core.image_types import DEFAULT_IMAGE_TYPES, ImageType, ImageTypes, Visibility
from app.services.bucket_documents import cors_rule, lifecycle_rules, public_read_statement
from app.services.bucket_plan import (
    BucketPlan,
    BucketState,
    Effect,
    Step,
    WantedBucket,
)

if TYPE_CHECKING:
    pass


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
