"""What boto resolved for its own requests, for those built here: where the bucket is, who signs, whom to trust.

botocore names little of it publicly; where a part is not found, nothing is quick and boto does it all.
"""

from __future__ import annotations

import re
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from botocore.httpsession import get_cert_path

from app.services.s3_presign import encode_key
from app.services.s3_signature import ALGORITHM, SERVICE

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest
    from mypy_boto3_s3 import S3Client

_SCOPE = re.compile(rf"{ALGORITHM} Credential=[^/]+/\d{{8}}/([a-z0-9-]+)/{SERVICE}/aws4_request, ")
_OPERATIONS = ("PutObject", "GetObject", "HeadObject")
# botocore renews credentials in the last quarter of an hour of their life, and whoever asks for them waits for that.
_RENEWAL_SECONDS = 15 * 60 + 5


@dataclass(frozen=True, slots=True)
class Route:
    """Where boto sent a request: everything of the URL before the key, and the region it signed for."""

    base_url: str
    base_path: str
    host: str
    region: str


@dataclass(frozen=True, slots=True)
class Signer:
    """Credentials as they are now."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None


class RouteFinder:
    """Watches the requests of one client; `route` is None until one of them has succeeded. Safe for threads."""

    def __init__(self, client: S3Client) -> None:
        endpoint: Any = getattr(client, "_endpoint", None)
        signer: Any = getattr(client, "_request_signer", None)
        self.http: Any = getattr(endpoint, "http_session", None)
        self._credentials: Any = getattr(signer, "_credentials", None)
        self._local = threading.local()
        self._route: Route | None = None
        for operation in _OPERATIONS:
            client.meta.events.register(f"before-send.s3.{operation}", self._observe)

    @property
    def route(self) -> Route | None:
        """Where later requests go, if they can be signed and sent without boto."""
        return self._route if self.http is not None and self._credentials is not None else None

    def signer(self) -> Signer:
        """The credentials, renewed if they must be, which may ask the network or run a program."""
        frozen = self._credentials.get_frozen_credentials()
        return Signer(frozen.access_key, frozen.secret_key, frozen.token)

    def find_ready_signer(self) -> Signer | None:
        """The credentials, or None where asking for them might wait for new ones."""
        needs_renewal = getattr(self._credentials, "refresh_needed", None)
        return None if needs_renewal and needs_renewal(_RENEWAL_SECONDS) else self.signer()

    @contextmanager
    def learning(self, key: str) -> Iterator[None]:
        """Around a request of boto for this key: if it succeeds, later ones go where this one went."""
        if self._route is not None:
            yield
            return
        self._local.key, self._local.route = encode_key(key), None
        yield
        self._route = self._local.route

    def is_direct(self, url: str) -> bool:
        """Whether boto's own session connects to this address itself: no proxy, no certificate of the client's."""
        proxies = getattr(self.http, "_proxy_config", None)
        certificate = getattr(self.http, "_cert_file", "unknown")
        return proxies is not None and proxies.proxy_url_for(url) is None and certificate is None

    def make_tls_context(self) -> ssl.SSLContext | None:
        """Trusts what boto's session trusts; None where that is not told."""
        verify: Any = getattr(self.http, "_verify", None)
        bundle: object = get_cert_path(verify)
        if not isinstance(bundle, str):
            return None
        if Path(bundle).is_dir():
            return ssl.create_default_context(capath=bundle)
        return ssl.create_default_context(cafile=bundle)

    def _observe(self, request: AWSPreparedRequest, **_: Any) -> None:
        """Called by boto with each request that it is about to send; of several attempts the last one counts."""
        key = getattr(self._local, "key", None)
        parts = urlsplit(request.url)
        scope = _SCOPE.match(_text(request.headers.get("Authorization", "")))
        if key and scope and not parts.query and parts.path.endswith(f"/{key}"):
            self._local.route = Route(
                request.url.removesuffix(key), parts.path.removesuffix(key), parts.netloc, scope[1]
            )


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
