"""Presigned URLs per second of one core, ours beside boto3's, in turn in one process.

.venv/bin/python -m benchmarks.presigning [--rounds 15] [--urls 1000]
"""

from __future__ import annotations

import argparse
import secrets
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

from app.bootstrap import Services
from app.core.config import Settings
from app.services.s3_connection import S3Connection, make_client
from app.services.s3_presign import S3UrlSigner
from benchmarks.targets import PRESIGNED

BOTO = "boto3, one by one"
CHECKED = "`get_presigned_urls`, which also checks the keys"
_EXPIRES_IN = 3600
_WARM_UPS = 2

Signing = Callable[[Sequence[str]], object]


@dataclass(frozen=True, slots=True)
class Contender:
    """A way to presign; `share` of the keys is enough where it is slow."""

    name: str
    sign: Signing
    share: float = 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--urls", type=int, default=1000)
    arguments = parser.parse_args()
    keys = make_keys(arguments.urls)
    for title, token in {"lasting credentials": None, "temporary credentials": "F" * 800}.items():
        contenders = contenders_for(token)
        check_equal(token, keys[:100])
        rates = measure(contenders, keys, rounds=arguments.rounds)
        report(title, rates)


def make_keys(count: int) -> list[str]:
    """Keys of many owners, as uploads make them."""
    return [f"users/{owner}/20241201_143022_{secrets.token_hex(4)}.jpg" for owner in range(count)]


def contenders_for(token: str | None) -> list[Contender]:
    connection = connection_with(token)
    client, signer = make_client(connection), S3UrlSigner(lambda: connection)
    service = Services(
        Settings.load(
            _env_file=None,
            s3_bucket_name=connection.bucket,
            aws_region=connection.region,
            aws_access_key_id=connection.access_key_id,
            aws_secret_access_key=connection.secret_access_key,
            aws_session_token=token,
        )
    ).image_service

    def ask_boto(keys: Sequence[str]) -> object:
        return [
            client.generate_presigned_url(
                "get_object", Params={"Bucket": connection.bucket, "Key": key}, ExpiresIn=_EXPIRES_IN
            )
            for key in keys
        ]

    return [
        Contender(BOTO, ask_boto, share=0.1),
        Contender("ours, one by one", lambda keys: [signer.presigned_url(key, expires_in=_EXPIRES_IN) for key in keys]),
        Contender("ours, many at once", lambda keys: signer.presigned_urls(keys, expires_in=_EXPIRES_IN)),
        Contender(CHECKED, service.get_presigned_urls),
        Contender("`stable_object_urls`, as manifests ask", lambda keys: service.stable_object_urls(list(keys))),
    ]


def connection_with(token: str | None) -> S3Connection:
    return S3Connection(
        "photos", "eu-central-1", access_key_id="AKIAEXAMPLE", secret_access_key="benchmark", session_token=token
    )


def check_equal(token: str | None, keys: Sequence[str]) -> None:
    """Ours are boto's, or nothing here would mean anything."""
    connection = connection_with(token)
    client, signer = make_client(connection), S3UrlSigner(lambda: connection)
    for key in keys:
        theirs = client.generate_presigned_url(
            "get_object", Params={"Bucket": connection.bucket, "Key": key}, ExpiresIn=_EXPIRES_IN
        )
        [date] = parse_qs(urlsplit(theirs).query)["X-Amz-Date"]
        signed_at = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        assert signer.presigned_urls([key], expires_in=_EXPIRES_IN, signed_at=signed_at) == [theirs]


def measure(contenders: Sequence[Contender], keys: Sequence[str], *, rounds: int) -> dict[str, list[float]]:
    """URLs per second of CPU, by contender and round; each round begins with another one."""
    rates: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    for each in range(_WARM_UPS + rounds):
        first = each % len(contenders)
        for contender in [*contenders[first:], *contenders[:first]]:
            asked = keys[: max(1, round(len(keys) * contender.share))]
            started_at = time.process_time()
            contender.sign(asked)
            if each >= _WARM_UPS:
                rates[contender.name].append(len(asked) / (time.process_time() - started_at))
    return rates


def report(title: str, rates: Mapping[str, Sequence[float]]) -> None:
    print(f"\n## {title}\n")
    for name, each in rates.items():
        ahead = statistics.median(ours / theirs for ours, theirs in zip(each, rates[BOTO], strict=True))
        print(f"{name:<52}{statistics.median(each):>12,.0f} URLs/s of one core   {ahead:6.1f} x boto3")
    print()
    print(PRESIGNED.report(statistics.median(rates[CHECKED])))


if __name__ == "__main__":
    main()
