"""Signature Version 4 against botocore's own."""

from __future__ import annotations

import hashlib
import random
import string
from datetime import UTC, datetime

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from app.services.s3_presign import encode_key
from app.services.s3_signature import amz_date, authorization

REGIONS = ("us-east-1", "eu-central-1", "ap-southeast-2", "auto", "cn-north-1", "us-gov-west-1")
KEY_CHARACTERS = string.ascii_letters + string.digits + "/-._~ +%&=?#'\"()[]{}<>!@$^*,;:|`éß漢🏡"


def test_signatures_are_those_of_botocore() -> None:
    """Over 2,000 generated keys, regions, header values, bodies and credentials, each signature is botocore's."""
    draw = random.Random(20241201)
    for _ in range(2000):
        key = encode_key("".join(draw.choices(KEY_CHARACTERS, k=draw.randint(1, 60))).strip("/") or "k")
        region = draw.choice(REGIONS)
        secret = "".join(draw.choices(string.ascii_letters + string.digits + "/+", k=40))
        token = (
            "".join(draw.choices(string.ascii_letters + "/+=", k=draw.randint(1, 400))) if draw.random() < 0.5 else ""
        )
        headers = {
            "host": f"bucket-{draw.randint(0, 9)}.example.com:{draw.randint(1, 65535)}",
            "content-type": "image/jpeg",
            "x-amz-meta-name": draw.choice(["plain", "two  spaces", " around ", "a,b;c=d", ""]),
            "if-none-match": "*",
        }
        body = draw.randbytes(9)
        request = AWSRequest("PUT", f"http://{headers['host']}/{key}", headers=dict(headers), data=body)
        S3SigV4Auth(Credentials("AKIAEXAMPLE", secret, token or None), "s3", region).add_auth(request)
        moment = datetime.strptime(request.context["timestamp"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        payload_sha256 = hashlib.sha256(body).hexdigest()
        headers |= {"x-amz-content-sha256": payload_sha256, "x-amz-date": amz_date(moment)}
        headers |= {"x-amz-security-token": token} if token else {}

        assert request.headers["Authorization"] == authorization(
            method="PUT",
            path=f"/{key}",
            headers=headers,
            payload_sha256=payload_sha256,
            access_key_id="AKIAEXAMPLE",
            secret_access_key=secret,
            region=region,
            moment=moment,
        )
