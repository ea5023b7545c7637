"""Small writes at a third of boto's CPU: what boto resolved for the first one is used again for those that follow.

An upload stores fifteen objects, and boto spends 1.3 ms on each, mostly on what never changes between two of them. So
the first PutObject goes through boto and shows where the bucket is and which region signs for it. Later ones are built
and signed here and sent by boto's own HTTP session, with its proxies, certificates and time-outs. Only success is
taken from here: whatever else comes of it, boto asks again, with its retries and its errors.
"""

from __future__ import annotations

import base64
import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from botocore.awsrequest import AWSPreparedRequest
from botocore.exceptions import BotoCoreError

from app.services.bounded_calls import current_deadline
from app.services.protocols import NewObject
from app.services.s3_presign import encode_key
from app.services.s3_signature import ALGORITHM, SERVICE, amz_date, authorization

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_SCOPE = re.compile(rf"{ALGORITHM} Credential=[^/]+/\d{{8}}/([a-z0-9-]+)/{SERVICE}/aws4_request, ")


@dataclass(frozen=True, slots=True)
class _Route:
    """Where boto sent a write: everything of the URL before the key, and the region it signed for."""

    base_url: str
    base_path: str
    host: str
    region: str


class QuickPut:
    """Conditional writes to the bucket of one client. Its methods block; safe for threads."""

    def __init__(self, client: S3Client, *, sends_checksums: bool) -> None:
        # botocore names neither publicly; without them nothing is quick and boto does it all.
        endpoint: Any = getattr(client, "_endpoint", None)
        signer: Any = getattr(client, "_request_signer", None)
        self._http: Any = getattr(endpoint, "http_session", None)
        self._credentials: Any = getattr(signer, "_credentials", None)
        self._sends_checksums = sends_checksums
        self._route: _Route | None = None
        self._local = threading.local()
        client.meta.events.register("before-send.s3.PutObject", self._observe)

    def create(self, new: NewObject, metadata: dict[str, str]) -> str | None:
        """The ETag of the object if it was created; None: nothing is known, ask boto."""
        route, deadline = self._route, current_deadline()
        if route is None or self._http is None or self._credentials is None or (deadline and deadline.has_passed):
            return None
        try:
            request = self._request(new, metadata, route)
            answer = self._http.send(request)
            etag = answer.headers.get("ETag")
        except BotoCoreError:
            return None
        return str(etag) if answer.status_code == 200 and etag else None

    def _request(self, new: NewObject, metadata: dict[str, str], route: _Route) -> AWSPreparedRequest:
        moment = datetime.now(UTC)
        digest = hashlib.sha256(new.body).digest()
        credentials = self._credentials.get_frozen_credentials()
        # Any mapping will do; botocore's own is slow and declared as the only one.
        headers: Any = {
            "cache-control": new.cache_control,
            "content-type": new.content_type,
            "host": route.host,
            "if-none-match": "*",
            "x-amz-content-sha256": digest.hex(),
            "x-amz-date": amz_date(moment),
            **{f"x-amz-meta-{name}": value for name, value in metadata.items()},
        }
        if self._sends_checksums:
            headers["x-amz-checksum-sha256"] = base64.b64encode(digest).decode()
        else:
            headers["content-md5"] = base64.b64encode(hashlib.md5(new.body, usedforsecurity=False).digest()).decode()
        if credentials.token:
            headers["x-amz-security-token"] = credentials.token
        key = encode_key(new.key)
        headers["authorization"] = authorization(
            method="PUT",
            path=f"{route.base_path}{key}",
            headers=headers,
            payload_sha256=digest.hex(),
            access_key_id=credentials.access_key,
            secret_access_key=credentials.secret_key,
            region=route.region,
            moment=moment,
        )
        return AWSPreparedRequest("PUT", f"{route.base_url}{key}", headers, new.body, stream_output=False)

    @contextmanager
    def learning(self, key: str) -> Iterator[None]:
        """Around a PutObject of boto: if it succeeds, later writes go where this one went."""
        if self._route is not None:
            yield
            return
        self._local.key, self._local.route = encode_key(key), None
        yield
        self._route = self._local.route

    def _observe(self, request: AWSPreparedRequest, **_: Any) -> None:
        """Called by boto with each write that it is about to send; of several attempts the last one counts."""
        key = getattr(self._local, "key", None)
        parts = urlsplit(request.url)
        scope = _SCOPE.match(_text(request.headers.get("Authorization", "")))
        if key and scope and not parts.query and parts.path.endswith(f"/{key}"):
            self._local.route = _Route(
                request.url.removesuffix(key), parts.path.removesuffix(key), parts.netloc, scope[1]
            )


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
