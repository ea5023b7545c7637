"""What has to change on a bucket, as S3 calls; each says whether it lets anyone see more than before. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from app.core.image_types import ImageTypes
from app.services.bucket_documents import (
    CORS_ID,
    PUBLIC_READ_SID,
    Document,
    bucket_arn,
    cors_rule,
    lifecycle_rules,
    private_prefixes,
    public_prefixes,
    public_read_statement,
)

_POLICY_VERSION = "2012-10-17"
_CORS_LISTS = ("AllowedOrigins", "AllowedMethods", "AllowedHeaders", "ExposeHeaders")
_ACL_BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls")
_POLICY_BLOCKS = ("BlockPublicPolicy", "RestrictPublicBuckets")


class Effect(StrEnum):
    """What a step does to a bucket that exists: nobody sees more than before, or somebody may."""

    CLOSED = "closed"
    WIDENS = "widens"


@dataclass(frozen=True, slots=True)
class Step:
    """One S3 call: the operation by its name in the S3 API, its arguments as boto3 takes them, and why."""

    operation: str
    arguments: Document
    purpose: str
    effect: Effect = Effect.CLOSED


@dataclass(frozen=True, slots=True)
class BucketPlan:
    """Steps in their order, none when everything is as it should be; `notes` tell what no step can mend."""

    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()

    @property
    def creates_bucket(self) -> bool:
        return bool(self.steps) and self.steps[0].operation == "CreateBucket"

    @property
    def widening(self) -> tuple[Step, ...]:
        return tuple(step for step in self.steps if step.effect is Effect.WIDENS)


@dataclass(frozen=True, slots=True)
class WantedBucket:
    """How the settings want the bucket to be."""

    name: str
    region: str
    types: ImageTypes
    cors_origins: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BucketState:
    """A bucket as it was found. A part that is None has no API in this store."""

    policy: Document | None = field(default_factory=dict)
    cors_rules: list[Document] | None = field(default_factory=list)
    lifecycle: Document | None = field(default_factory=dict)
    public_access_block: Mapping[str, bool] | None = None


# A bucket that AWS just made: https://docs.aws.amazon.com/AmazonS3/latest/userguide/create-bucket-overview.html
NEW_ON_AWS = BucketState(public_access_block=dict.fromkeys((*_ACL_BLOCKS, *_POLICY_BLOCKS), True))
NEW_ELSEWHERE = BucketState()


def plan_new_bucket(wanted: WantedBucket, fresh: BucketState) -> BucketPlan:
    """The steps for a bucket that does not exist yet and will be born as `fresh`: nothing of it can be widened."""
    arguments: Document = {"Bucket": wanted.name}
    if wanted.region != "us-east-1":  # which refuses its own name here
        arguments["CreateBucketConfiguration"] = {"LocationConstraint": wanted.region}
    create = Step("CreateBucket", arguments, f"the bucket does not exist; it is made in {wanted.region}")
    plan = plan_bucket(wanted, fresh)
    return BucketPlan((create, *(replace(step, effect=Effect.CLOSED) for step in plan.steps)), plan.notes)


def plan_bucket(wanted: WantedBucket, state: BucketState) -> BucketPlan:
    """The steps from `state` to what is wanted; statements and rules of others stay as they are.

    Where a document both loses and gains, the losing part is a step of its own: it needs nobody's consent.
    """
    steps = [
        *_plan_public_access_block(wanted, state.public_access_block),
        *_plan_policy(wanted, state.policy),
        *_plan_cors(wanted, state.cors_rules),
        *_plan_lifecycle(wanted, state.lifecycle),
    ]
    return BucketPlan(tuple(steps), tuple(_notes(wanted, state)))


def lifecycle_gaps(rules: Iterable[Document]) -> list[str]:
    """The ids of our lifecycle rules that are missing among `rules` or differ from what they should be."""
    found = {rule.get("ID"): _plain_rule(rule) for rule in rules}
    return [rule["ID"] for rule in lifecycle_rules() if found.get(rule["ID"]) != _plain_rule(rule)]


def _plan_public_access_block(wanted: WantedBucket, block: Mapping[str, bool] | None) -> list[Step]:
    closed = [name for name in _POLICY_BLOCKS if block and block.get(name)]
    if not closed or not public_prefixes(wanted.types):
        return []
    opened = {**dict.fromkeys(_ACL_BLOCKS, False), **(block or {}), **dict.fromkeys(_POLICY_BLOCKS, False)}
    return [
        Step(
            "PutPublicAccessBlock",
            {"Bucket": wanted.name, "PublicAccessBlockConfiguration": opened},
            f"{' and '.join(closed)} keep the policy for public images from working; blocks on ACLs stay",
            Effect.WIDENS,
        )
    ]


def _plan_policy(wanted: WantedBucket, policy: Document | None) -> list[Step]:
    if policy is None:
        return []
    statements = _as_list(policy.get("Statement"))
    foreign = [statement for statement in statements if statement.get("Sid") != PUBLIC_READ_SID]
    own = next((_plain_statement(entry) for entry in statements if entry.get("Sid") == PUBLIC_READ_SID), None)
    target = public_read_statement(wanted.name, wanted.types, region=wanted.region)

    def put(statement: Document | None, purpose: str, effect: Effect) -> Step:
        kept = [*foreign, statement] if statement else foreign
        if not kept:
            return Step("DeleteBucketPolicy", {"Bucket": wanted.name}, purpose, effect)
        document = {"Version": _POLICY_VERSION, **policy, "Statement": kept}
        return Step("PutBucketPolicy", {"Bucket": wanted.name, "Policy": json.dumps(document)}, purpose, effect)

    return _steps_towards(
        own,
        _common_statement(own, target),
        _plain_statement(target) if target else None,
        put=put,
        closing="images that are no longer public are taken out of the public-read statement",
        opening=f"anyone may read {', '.join(public_prefixes(wanted.types))}",
    )


def _plan_cors(wanted: WantedBucket, rules: list[Document] | None) -> list[Step]:
    if rules is None:
        return []
    target = cors_rule(wanted.cors_origins)
    foreign = [rule for rule in rules if not _is_own_cors(rule, target)]
    own = next((_plain_cors(rule) for rule in rules if _is_own_cors(rule, target)), None)

    def put(rule: Document | None, purpose: str, effect: Effect) -> Step:
        kept = [*foreign, rule] if rule else foreign
        if not kept:
            return Step("DeleteBucketCors", {"Bucket": wanted.name}, purpose, effect)
        return Step("PutBucketCors", {"Bucket": wanted.name, "CORSConfiguration": {"CORSRules": kept}}, purpose, effect)

    return _steps_towards(
        own,
        _common_cors(own, target),
        _plain_cors(target),
        put=put,
        closing="the CORS rule gives up what the settings do not name",
        opening=f"pages of {', '.join(wanted.cors_origins)} may read images and their ETag",
    )


def _plan_lifecycle(wanted: WantedBucket, lifecycle: Document | None) -> list[Step]:
    if lifecycle is None:
        return []
    rules = _as_list(lifecycle.get("Rules"))
    if not lifecycle_gaps(rules):
        return []
    own_ids = {rule["ID"] for rule in lifecycle_rules()}
    kept = [rule for rule in rules if rule.get("ID") not in own_ids]
    configuration = {"Rules": [*kept, *lifecycle_rules()]}
    arguments: Document = {"Bucket": wanted.name, "LifecycleConfiguration": configuration}
    if (size := lifecycle.get("TransitionDefaultMinimumObjectSize", "")).startswith("varies"):
        arguments["TransitionDefaultMinimumObjectSize"] = size  # it would fall back to its default
    purpose = "staged uploads and unfinished multiparts end after a day"
    return [Step("PutBucketLifecycleConfiguration", arguments, purpose)]


def _steps_towards(
    own: Document | None,
    common: Document | None,
    target: Document | None,
    *,
    put: Callable[[Document | None, str, Effect], Step],
    closing: str,
    opening: str,
) -> list[Step]:
    """First down to what the old and the new have in common, then up to the new."""
    steps = [] if common == own else [put(common, closing, Effect.CLOSED)]
    return steps if target == common else [*steps, put(target, opening, Effect.WIDENS)]


def _common_statement(own: Document | None, target: Document | None) -> Document | None:
    if own is None or target is None:
        return None
    grants_all = own.get("Effect") == "Allow" and _is_everyone(own.get("Principal")) and set(own) == set(target)
    if not grants_all or not _covers(own["Action"], target["Action"][0]):
        return own  # conditions that somebody added: replacing them needs consent, half of it cannot be kept
    resources = _common_values(own["Resource"], target["Resource"])
    return _plain_statement({**target, "Resource": resources}) if resources else None


def _common_cors(own: Document | None, target: Document) -> Document | None:
    if own is None:
        return None
    lists = {name: _common_values(own.get(name, []), target[name]) for name in _CORS_LISTS}
    return _plain_cors({**target, **lists}) if lists["AllowedOrigins"] and lists["AllowedMethods"] else None


def _common_values(one: list[str], other: list[str]) -> list[str]:
    """What both lists of `*` patterns allow."""
    return [*(value for value in one if _covers(other, value)), *(value for value in other if _covers(one, value))]


def _covers(patterns: Iterable[str], value: str) -> bool:
    return any(re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), value) for pattern in patterns)


def _plain_statement(statement: Document) -> Document:
    """One spelling of what stores return in several: lists of one as text, `{"AWS": "*"}`, any order."""
    plain = {**statement, **{name: _as_sorted(statement.get(name)) for name in ("Action", "Resource")}}
    return {**plain, "Principal": "*"} if _is_everyone(statement.get("Principal")) else plain


def _plain_cors(rule: Document) -> Document:
    lists = {name: _as_sorted(rule.get(name)) for name in _CORS_LISTS}
    return {"ID": CORS_ID, **lists, "MaxAgeSeconds": rule.get("MaxAgeSeconds")}


def _plain_rule(rule: Document) -> Document:
    """An empty filter is written in three ways."""
    scope = rule.get("Filter") or {"Prefix": rule.get("Prefix", "")}
    return {**{name: value for name, value in rule.items() if name != "Prefix"}, "Filter": scope}


def _is_own_cors(rule: Document, target: Document) -> bool:
    """Ours by its id, or, where the store does not keep ids, by all it says."""
    return rule.get("ID") == CORS_ID or (not rule.get("ID") and _plain_cors(rule) == _plain_cors(target))


def _is_everyone(principal: Any) -> bool:
    return principal == "*" or (isinstance(principal, dict) and "*" in _as_list(principal.get("AWS")))


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def _as_sorted(value: Any) -> list[str]:
    return sorted(set(_as_list(value)))


def _notes(wanted: WantedBucket, state: BucketState) -> Iterable[str]:
    if state.policy is None and public_prefixes(wanted.types):
        yield "This store has no bucket policies: make public images public in its console or by CDN_BASE_URL."
    if state.cors_rules is None:
        yield "This store has no CORS per bucket: see its own settings."
    if state.lifecycle is None:
        yield "This store has no lifecycle rules: remove what lies under incoming/ for more than a day yourself."
    for statement in _as_list((state.policy or {}).get("Statement")):
        if exposed := _exposed_prefixes(statement, wanted):
            yield (
                f"The policy statement {statement.get('Sid') or '(without Sid)'!r}, which is not ours, lets anyone "
                f"read {', '.join(exposed)}: take it away."
            )


def _exposed_prefixes(statement: Document, wanted: WantedBucket) -> list[str]:
    opens = (
        statement.get("Effect") == "Allow"
        and _is_everyone(statement.get("Principal"))
        and _covers(_as_list(statement.get("Action")), "s3:GetObject")
        and "Condition" not in statement
    )
    if not opens or statement.get("Sid") == PUBLIC_READ_SID:
        return []
    arn = bucket_arn(wanted.name, wanted.region)
    resources = _as_list(statement.get("Resource"))
    return [prefix for prefix in private_prefixes(wanted.types) if _covers(resources, f"{arn}/{prefix}")]
