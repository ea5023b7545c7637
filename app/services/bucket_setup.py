"""Brings a bucket into the state that the service needs."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from app.core.config import Settings
from app.core.exceptions import S3UploadFailed
from app.services.bucket_documents import cors_rule, lifecycle_rules, public_read_statement
from app.services.s3_connection import S3Connection, make_client
from app.services.s3_errors import translating


def prepare_embedded_bucket(connection: S3Connection, settings: Settings) -> None:
    """The embedded store's own bucket exists, with policy, CORS and lifecycle as the settings say."""
    client: Any = make_client(connection)
    bucket = connection.bucket
    with translating("PrepareBucket", failure=S3UploadFailed):
        with suppress(client.exceptions.BucketAlreadyOwnedByYou, client.exceptions.BucketAlreadyExists):
            client.create_bucket(Bucket=bucket)
        statement = public_read_statement(bucket, settings.image_types)
        if statement:
            policy = {"Version": "2012-10-17", "Statement": [statement]}
            client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
        client.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [cors_rule(settings.s3_cors_origins)]})
        client.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": lifecycle_rules()})
    client.close()
