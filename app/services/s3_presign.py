"""URLs of objects, public and presigned, made without network.

Presigned URLs are signed here, at a fiftieth of boto's CPU. What boto resolves for a bucket (its host, its place in
the path, the region that signs) is read from one URL that boto presigns for each connection.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol, Self
from urllib.parse import parse_qs, urlsplit

from app.core.exceptions import S3DownloadFailed, S3InvalidCredentials
from app.images.keys import encode_key as encode_key
from app.services.s3_connection import S3Connection, make_client, make_session
from app.services.s3_errors import translating
from app.services.s3_signature import QuerySigner

_SAMPLE_KEY = "k"
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


class _FrozenCredentials(Protocol):
    """As botocore's `get_frozen_credentials` returns them."""

    @property
    def access_key(self) -> str | None: ...
    @property
    def secret_key(self) -> str | None: ...
    @property
    def token(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class _Route:
    """Where presigned URLs of a bucket lead: everything of them before the key, and the region that signs."""

    base_url: str
    base_path: str
    host: str
    region: str

    @classmethod
    def of_url(cls, url: str) -> Self:
        """As boto presigned it for the sample key."""
        parts = urlsplit(url)
        region = parse_qs(parts.query)["X-Amz-Credential"][0].split("/")[-3]
        # Clients leave the default port out of `Host`, which is signed.
        host = parts.netloc.lower().removesuffix(_DEFAULT_PORTS[parts.scheme])
        address = url.partition("?")[0]
        return cls(address.removesuffix(_SAMPLE_KEY), parts.path.removesuffix(_SAMPLE_KEY), host, region)


@dataclass(frozen=True, slots=True)
class _Resolved:
    """What is kept of a connection in one process: a client's locks do not survive a fork."""

    connection: S3Connection
    process_id: int
    route: _Route
    freeze_credentials: Callable[[], _FrozenCredentials]


class S3UrlSigner:
    """Implements `UrlSigner`: public URLs through the CDN where there is one, presigned ones by SigV4.

    Presigned URLs name the endpoint that browsers see. They are signed by the connection's credentials, or by those
    that boto's chain finds, asked anew each time. With temporary ones they end with these, whatever `expires_in` says
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html), and equal ones are equal only
    until these are renewed. Safe for threads and forks.
    """

    def __init__(self, connect: Callable[[], S3Connection]) -> None:
        self._connect = connect
        self._resolved: _Resolved | None = None

    def public_url(self, key: str) -> str:
        """The CDN's URL of the key, or the store's own."""
        connection = self._connect()
        return f"{connection.cdn_base_url or connection.base_url}/{encode_key(key)}"

    def presigned_url(self, key: str, *, expires_in: int) -> str:
        """A URL that grants one GET of this key for `expires_in` seconds.

        Raises:
            S3InvalidCredentials: no credentials to sign with.
        """
        return self.presigned_urls([key], expires_in=expires_in)[0]

    def presigned_urls(self, keys: Iterable[str], *, expires_in: int, signed_at: datetime | None = None) -> list[str]:
        """See `UrlSigner.presigned_urls`; each is what botocore would make of the key at that moment.

        Raises:
            S3InvalidCredentials: no credentials to sign with.
        """
        with translating("Presign", failure=S3DownloadFailed):
            resolved = self._resolve(self._connect())
            credentials = resolved.freeze_credentials()
        access_key_id, secret_access_key = credentials.access_key, credentials.secret_key
        if not access_key_id or not secret_access_key:
            raise _no_credentials()
        moment = (signed_at or datetime.now(UTC)).astimezone(UTC).replace(microsecond=0)
        route = resolved.route
        signer = _query_signer(route, access_key_id, secret_access_key, credentials.token, moment, expires_in)
        base_url, base_path, query_for = route.base_url, route.base_path, signer.query_for
        return [f"{base_url}{path}?{query_for(base_path + path)}" for path in map(encode_key, keys)]

    def _resolve(self, connection: S3Connection) -> _Resolved:
        # By value: the embedded store may come back at another address. A race resolves once too often, no more.
        resolved, process_id = self._resolved, os.getpid()
        if resolved is None or resolved.process_id != process_id or resolved.connection != connection:
            resolved = self._resolved = _ask_boto(connection, process_id)
        return resolved


def _ask_boto(connection: S3Connection, process_id: int) -> _Resolved:
    session = make_session(connection)
    credentials = session.get_credentials()
    if credentials is None:
        raise _no_credentials()
    client = make_client(connection, endpoint_url=connection.public_endpoint_url, session=session)
    try:
        sample = client.generate_presigned_url(
            "get_object", Params={"Bucket": connection.bucket, "Key": _SAMPLE_KEY}, ExpiresIn=1
        )
    finally:
        client.close()
    return _Resolved(connection, process_id, _Route.of_url(sample), credentials.get_frozen_credentials)


def _no_credentials() -> S3InvalidCredentials:
    return S3InvalidCredentials(cause={"operation": "Presign", "exception": "NoCredentialsError"})


# Kept for URLs of one second, and for those of one window.
@lru_cache(maxsize=16)
def _query_signer(
    route: _Route,
    access_key_id: str,
    secret_access_key: str,
    session_token: str | None,
    moment: datetime,
    expires_in: int,
) -> QuerySigner:
    return QuerySigner(
        host=route.host,
        region=route.region,
        access_key_id=access_key_id,
        secret_access_key=secret_access_key,
        session_token=session_token,
        moment=moment,
        expires_in=expires_in,
    )
