"""Signature Version 4 of requests and URLs of S3, with the day's signing key kept.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from urllib.parse import quote

ALGORITHM = "AWS4-HMAC-SHA256"
SERVICE = "s3"


def authorization(
    *,
    method: str,
    path: str,
    headers: Mapping[str, str],
    payload_sha256: str,
    access_key_id: str,
    secret_access_key: str,
    region: str,
    moment: datetime,
) -> str:
    """The `Authorization` header of a request without a query.

    `path` is percent-encoded once, as S3 wants it; `headers` are all that the request has, `host`, `x-amz-date` and
    `x-amz-content-sha256` among them, with names in lower case; `moment` is UTC and the same as `x-amz-date`.
    """
    names = sorted(headers)
    signed = ";".join(names)
    lines = "".join(f"{name}:{' '.join(headers[name].split())}\n" for name in names)
    canonical = f"{method}\n{path}\n\n{lines}\n{signed}\n{payload_sha256}"
    day = f"{moment:%Y%m%d}"
    scope = f"{day}/{region}/{SERVICE}/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"{ALGORITHM}\n{amz_date(moment)}\n{scope}\n{digest}"
    signature = _hmac(signing_key(secret_access_key, day, region), text).hex()
    return f"{ALGORITHM} Credential={access_key_id}/{scope}, SignedHeaders={signed}, Signature={signature}"


def amz_date(moment: datetime) -> str:
    """ISO 8601's basic form, as `x-amz-date` has it."""
    return f"{moment:%Y%m%dT%H%M%SZ}"


class QuerySigner:
    """Signs GETs of one host for one time by a query, which grants them to whoever has the URL.

    `moment` is UTC, when the URLs begin to hold; `host` as the `Host` header has it, in lower case and without the
    scheme's default port. Equal arguments give equal queries.
    """

    __slots__ = ("_after_path", "_before_digest", "_key", "_query")

    def __init__(
        self,
        *,
        host: str,
        region: str,
        access_key_id: str,
        secret_access_key: str,
        session_token: str | None,
        moment: datetime,
        expires_in: int,
    ) -> None:
        day = f"{moment:%Y%m%d}"
        scope = f"{day}/{region}/{SERVICE}/aws4_request"
        dated = (
            f"X-Amz-Algorithm={ALGORITHM}&X-Amz-Credential={_encode(f'{access_key_id}/{scope}')}"
            f"&X-Amz-Date={amz_date(moment)}&X-Amz-Expires={expires_in}"
        )
        token = "" if session_token is None else f"&X-Amz-Security-Token={_encode(session_token)}"
        signed = "&X-Amz-SignedHeaders=host"
        # What is signed has its names in order; the URL has botocore's order, so that both make the same URLs.
        self._after_path = f"\n{dated}{token}{signed}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD"
        self._query = f"{dated}{signed}{token}&X-Amz-Signature="
        self._before_digest = f"{ALGORITHM}\n{amz_date(moment)}\n{scope}\n"
        self._key = signing_key(secret_access_key, day, region)

    def query_for(self, path: str) -> str:
        """The whole query of a URL without one; `path` is percent-encoded once."""
        digest = hashlib.sha256(f"GET\n{path}{self._after_path}".encode()).hexdigest()
        return f"{self._query}{_hmac(self._key, f'{self._before_digest}{digest}').hex()}"


@lru_cache(maxsize=64)
def signing_key(secret_access_key: str, day: str, region: str) -> bytes:
    """The key that signs one day's requests to one region; it changes at midnight UTC."""
    key = _hmac(f"AWS4{secret_access_key}".encode(), day)
    for part in (region, SERVICE, "aws4_request"):
        key = _hmac(key, part)
    return key


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def _encode(value: str) -> str:
    return quote(value, safe="-._~")
