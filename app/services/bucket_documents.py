"""The documents that describe a bucket of this service: policy, CORS, lifecycle, and the least IAM policy. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from app.core.image_types import ImageTypes, Visibility
from app.images.keys import INCOMING_PREFIX, PENDING_PREFIX, PRIVATE_PREFIX, VARIANTS_PREFIX

PUBLIC_READ_SID = "HeavenPublicRead"
CORS_ID = "heaven-browser-read"
INCOMING_RULE_ID = "heaven-expire-incoming"
MULTIPART_RULE_ID = "heaven-abort-multipart"

Document = dict[str, Any]


def public_prefixes(types: ImageTypes) -> list[str]:
    """The key prefixes that anyone may read: images of public types and their variants."""
    prefixes = sorted(f"{kind.prefix}/" for kind in types.values() if kind.visibility is Visibility.PUBLIC)
    return prefixes + [f"{VARIANTS_PREFIX}{prefix}" for prefix in prefixes]


def private_prefixes(types: ImageTypes) -> list[str]:
    """The key prefixes that nobody may read without a signature: staged uploads, private images and types."""
    kinds = sorted(f"{kind.prefix}/" for kind in types.values() if kind.visibility is Visibility.PRIVATE)
    prefixes = [PRIVATE_PREFIX, *kinds]
    return [INCOMING_PREFIX, PENDING_PREFIX, *prefixes, *(f"{VARIANTS_PREFIX}{prefix}" for prefix in prefixes)]


def bucket_arn(bucket: str, region: str) -> str:
    """The bucket's name in policies: China and GovCloud are partitions of their own, other stores say `aws`."""
    partition = next((f"aws-{area}" for area in ("cn", "us-gov") if region.startswith(f"{area}-")), "aws")
    return f"arn:{partition}:s3:::{bucket}"


def public_read_statement(bucket: str, types: ImageTypes, *, region: str) -> Document | None:
    """The policy statement that lets anyone read images of public types and nothing else; None if no type is public."""
    resources = [f"{bucket_arn(bucket, region)}/{prefix}*" for prefix in public_prefixes(types)]
    if not resources:
        return None
    return {
        "Sid": PUBLIC_READ_SID,
        "Effect": "Allow",
        "Principal": "*",
        "Action": ["s3:GetObject"],
        "Resource": resources,
    }


def cors_rule(origins: Iterable[str]) -> Document:
    """Browsers may read from these origins and see what caching and ranges need."""
    return {
        "ID": CORS_ID,
        "AllowedOrigins": list(origins),
        "AllowedMethods": ["GET", "HEAD"],
        "AllowedHeaders": ["*"],
        "ExposeHeaders": ["ETag", "Content-Length", "Content-Range", "Accept-Ranges", "Last-Modified"],
        "MaxAgeSeconds": 3600,
    }


def lifecycle_rules() -> list[Document]:
    """Staged uploads and unfinished multiparts end after a day."""
    return [
        {
            "ID": INCOMING_RULE_ID,
            "Status": "Enabled",
            "Filter": {"Prefix": INCOMING_PREFIX},
            "Expiration": {"Days": 1},
        },
        {
            "ID": MULTIPART_RULE_ID,
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
        },
    ]


def least_iam_policy(bucket: str, types: ImageTypes, *, region: str) -> Document:
    """The least that the service's own credentials need; HEAD is authorised by `s3:GetObject`, there is no HeadObject.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
    """
    arn = bucket_arn(bucket, region)
    own = (PRIVATE_PREFIX, VARIANTS_PREFIX, INCOMING_PREFIX, PENDING_PREFIX)
    prefixes = [*sorted(f"{kind.prefix}/" for kind in types.values()), *own]
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": [arn]},
            {
                "Effect": "Allow",
                "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
                "Resource": [f"{arn}/{prefix}*" for prefix in prefixes],
            },
        ],
    }
