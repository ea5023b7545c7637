"""Brings a bucket into the state that the service needs: reads it, plans, and carries out what is agreed to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from types import TracebackType
from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError

from app.core.config import Settings
from app.core.exceptions import S3AccessDenied, S3BucketNotFound, S3UploadFailed
from app.services.bucket_documents import Document
from app.services.bucket_plan import (
    NEW_ELSEWHERE,
    NEW_ON_AWS,
    BucketPlan,
    BucketState,
    Effect,
    Step,
    WantedBucket,
    plan_bucket,
    plan_new_bucket,
)
from app.services.s3_connection import S3Connection, make_client
from app.services.s3_errors import translating

_NONE_YET = frozenset(
    {
        "NoSuchBucketPolicy",
        "NoSuchCORSConfiguration",
        "NoSuchLifecycleConfiguration",
        "NoSuchPublicAccessBlockConfiguration",
    }
)
NO_SUCH_API = frozenset({"NotImplemented", "MethodNotAllowed"})


class Consent(StrEnum):
    """Whether steps that widen access to a bucket that exists may be carried out."""

    WITHHELD = "withheld"
    GIVEN = "given"


class BucketSetup:
    """One bucket and how the settings want it; a context manager that frees its connections."""

    def __init__(self, connection: S3Connection, settings: Settings) -> None:
        self._wanted = WantedBucket(
            connection.bucket, connection.region, settings.image_types, settings.s3_cors_origins
        )
        self._is_aws = connection.endpoint_url is None
        self._client: Any = make_client(connection)

    def __enter__(self) -> BucketSetup:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def plan(self) -> BucketPlan:
        """What is to be done; changes nothing.

        Raises:
            S3Error: the store cannot be asked, or these credentials may not look at the bucket's configuration.
        """
        try:
            state = self._read()
        except S3BucketNotFound:
            return plan_new_bucket(self._wanted, NEW_ON_AWS if self._is_aws else NEW_ELSEWHERE)
        return plan_bucket(self._wanted, state)

    def apply(self, plan: BucketPlan, consent: Consent) -> Iterator[Step]:
        """Carries out the plan and gives each step once it is done; without consent the widening ones are left out.

        A bucket that was just made is looked at again, since stores differ in what they begin with; it is ours whole.

        Raises:
            S3Error: a step was refused; those before it are done, and a new plan holds what is left.
        """
        if plan.creates_bucket:
            yield self._carry_out(plan.steps[0])
            plan, consent = plan_bucket(self._wanted, self._read()), Consent.GIVEN
        for step in plan.steps:
            if step.effect is Effect.CLOSED or consent is Consent.GIVEN:
                yield self._carry_out(step)

    def _carry_out(self, step: Step) -> Step:
        call: Callable[..., object] = getattr(self._client, xform_name(step.operation))
        with _calling(step.operation):
            call(**step.arguments)
        return step

    def _read(self) -> BucketState:
        client, bucket = self._client, self._wanted.name
        with _calling("ListObjectsV2"):
            client.list_objects_v2(Bucket=bucket, MaxKeys=1)  # unlike HeadBucket, its refusals say why
        policy = _find("GetBucketPolicy", lambda: client.get_bucket_policy(Bucket=bucket))
        cors = _find("GetBucketCors", lambda: client.get_bucket_cors(Bucket=bucket))
        block = _find("GetPublicAccessBlock", lambda: client.get_public_access_block(Bucket=bucket))
        return BucketState(
            policy=None if policy is None else _parse_policy(policy),
            cors_rules=None if cors is None else cors.get("CORSRules", []),
            lifecycle=_find(
                "GetBucketLifecycleConfiguration", lambda: client.get_bucket_lifecycle_configuration(Bucket=bucket)
            ),
            public_access_block=None if block is None else block.get("PublicAccessBlockConfiguration", {}),
        )


def prepare_embedded_bucket(connection: S3Connection, settings: Settings) -> None:
    """The embedded store's own bucket exists, with policy, CORS and lifecycle as the settings say.

    The bucket is the service's alone, so changed settings are carried out without asking. Only looks when all is so.
    """
    with BucketSetup(connection, settings) as setup:
        for _ in setup.apply(setup.plan(), Consent.GIVEN):
            pass


@contextmanager
def _calling(operation: str) -> Iterator[None]:
    """Errors say which call was refused: the titles of their classes speak of images."""
    try:
        with translating(operation, failure=S3UploadFailed):
            yield
    except S3UploadFailed as error:
        raise S3UploadFailed(f"The store refused {operation}.", cause=error.cause) from error
    except S3AccessDenied as error:
        blocked = ", or the account blocks public policies" if operation == "PutBucketPolicy" else ""
        sentence = f"The store denies {operation} to these credentials{blocked}."
        raise S3AccessDenied(sentence, cause=error.cause) from error


def _find(operation: str, read: Callable[[], Document]) -> Document | None:
    """A part of the bucket's configuration: empty when there is none yet, None when the store knows no such thing."""
    with _calling(operation):
        try:
            return read()
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in _NONE_YET:
                return {}
            if code in NO_SUCH_API:
                return None
            raise


def _parse_policy(answer: Document) -> Document:
    text = answer.get("Policy")
    return json.loads(text) if text else {}
