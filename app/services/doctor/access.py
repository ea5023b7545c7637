"""Checks of the first signed request: credentials, bucket, region."""

from __future__ import annotations

from botocore.exceptions import ClientError

from app.core.exceptions import S3AccessDenied, S3BucketNotFound, S3ListFailed, S3WrongRegion
from app.services.doctor.examination import Examination
from app.services.doctor.explanations import explain, explain_region
from app.services.doctor.verdicts import Verdict, ok, skip
from app.services.s3_errors import translating

_REGION_IS_WRONG = "Not known: the request went to a wrong region."


def check_credentials(examination: Examination) -> Verdict:
    """The store knows who signs; whether it lets them do anything is asked later."""
    refusal = examination.refusal
    if isinstance(refusal, S3WrongRegion):
        return skip(_REGION_IS_WRONG)
    if refusal is not None and not isinstance(refusal, S3AccessDenied | S3BucketNotFound):
        return explain(refusal, examination)
    key_id = examination.connection.access_key_id
    source = f"the key id that ends in {key_id[-4:]}" if key_id else "credentials from the AWS credential chain"
    return ok(f"The store accepts {source}.")


def check_bucket(examination: Examination) -> Verdict:
    """The bucket exists."""
    refusal = examination.refusal
    if isinstance(refusal, S3WrongRegion):
        return skip(_REGION_IS_WRONG)
    if isinstance(refusal, S3BucketNotFound):
        return explain(refusal, examination)
    suffix = ", as far as these credentials may see" if refusal else ""
    return ok(f"The bucket {examination.bucket} exists{suffix}.")


def check_region(examination: Examination) -> Verdict:
    """The bucket is in the configured region: boto3 finds its way from a wrong one, the URLs handed out do not."""
    configured = examination.connection.region
    if isinstance(examination.refusal, S3WrongRegion):
        return explain(examination.refusal, examination)
    actual = _ask_region(examination)
    if actual and actual != configured:
        return explain_region(actual, examination)
    return ok(f"{configured}." if actual else f"{configured} is accepted; the store does not say where the bucket is.")


def _ask_region(examination: Examination) -> str | None:
    """What HeadBucket says beside its answer, also when it refuses."""
    with translating("HeadBucket", failure=S3ListFailed):
        try:
            answer = examination.client.head_bucket(Bucket=examination.bucket)
        except ClientError as error:
            answer = error.response
    region: str | None = answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region")
    return region
