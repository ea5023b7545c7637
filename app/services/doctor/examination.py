"""What the checks work with: settings, connections with short time-outs, the browser's view, and canary objects."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import urllib3
from botocore import UNSIGNED
from botocore.utils import get_environ_proxies

from app.core.config import Settings
from app.core.exceptions import ImageServiceError, S3ConnectionFailed, S3DeleteFailed, S3ListFailed, S3UploadFailed
from app.images.keys import INCOMING_PREFIX
from app.services.bucket_documents import bucket_arn
from app.services.s3_connection import S3Connection, make_client
from app.services.s3_errors import translating
from app.services.s3_presign import S3UrlSigner, encode_key

_CONNECT_TIMEOUT_SECONDS = 2.0
_READ_TIMEOUT_SECONDS = 3.0
CANARY_TYPE = "text/plain"


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer as a browser gets it; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Unreachable(Exception):
    """A browser on this machine would get no answer from this address."""


class Examination:
    """One run of the doctor. Settings, connection and clients are made at first use and then kept.

    Every object that a check writes is remembered until it is deleted, so that `clean_up` leaves nothing behind.
    """

    def __init__(self, load: Callable[[], Settings], connect: Callable[[Settings], S3Connection]) -> None:
        self._load = load
        self._connect = connect
        self._canaries: list[str] = []
        self.skew_seconds: float | None = None
        self.canary_key = new_canary_key(INCOMING_PREFIX)
        self.canary_body = secrets.token_bytes(4096)

    @cached_property
    def settings(self) -> Settings:
        return self._load()

    @cached_property
    def connection(self) -> S3Connection:
        """The service's own connection, less patient."""
        connection = self._connect(self.settings)
        return replace(
            connection,
            connect_timeout_seconds=min(_CONNECT_TIMEOUT_SECONDS, connection.connect_timeout_seconds),
            read_timeout_seconds=min(_READ_TIMEOUT_SECONDS, connection.read_timeout_seconds),
            max_attempts=1,
            pool_size=2,
        )

    @property
    def bucket(self) -> str:
        return self.connection.bucket

    @property
    def arn(self) -> str:
        return bucket_arn(self.connection.bucket, self.connection.region)

    @cached_property
    def client(self) -> Any:
        """Signs with the service's credentials."""
        return make_client(self.connection)

    @cached_property
    def anonymous(self) -> Any:
        """Goes the same way, through the same proxies and certificates, without credentials."""
        return make_client(self.connection, signature_version=UNSIGNED)

    @cached_property
    def urls(self) -> S3UrlSigner:
        return S3UrlSigner(lambda: self.connection)

    @cached_property
    def refusal(self) -> ImageServiceError | None:
        """The store's answer to the first signed request, a listing of one key: unlike HEAD's, it has a body.

        Raises:
            S3ConnectionFailed: there was no answer.
        """
        try:
            with translating("ListObjectsV2", failure=S3ListFailed):
                self.client.list_objects_v2(Bucket=self.bucket, Prefix=INCOMING_PREFIX, MaxKeys=1)
        except S3ConnectionFailed:
            raise
        except ImageServiceError as error:
            return error
        return None

    def put(self, key: str, body: bytes, **arguments: Any) -> None:
        """Writes a canary, and remembers that it may be there, unless the store says that it refused."""
        self._canaries.append(key)
        try:
            with translating("PutObject", failure=S3UploadFailed):
                self.client.put_object(Bucket=self.bucket, Key=key, Body=body, ContentType=CANARY_TYPE, **arguments)
        except ImageServiceError as error:
            if not error.retryable:
                self._canaries.remove(key)
            raise

    def remember(self, key: str) -> None:
        """Something else than `put` may write this key."""
        self._canaries.append(key)

    def delete(self, key: str) -> None:
        """Deletes a canary."""
        with translating("DeleteObject", failure=S3DeleteFailed):
            self.client.delete_object(Bucket=self.bucket, Key=key)
        self._canaries = [canary for canary in self._canaries if canary != key]

    def clean_up(self) -> dict[str, ImageServiceError]:
        """Deletes what is still there; the keys that would not go, and why."""
        left: dict[str, ImageServiceError] = {}
        for key in dict.fromkeys(self._canaries):
            try:
                self.delete(key)
            except ImageServiceError as error:
                left[key] = error
                if isinstance(error, S3ConnectionFailed):
                    return {**dict.fromkeys(self._canaries, error), **left}
        return left

    def object_url(self, key: str) -> str:
        """The object's address at the store itself, whatever CDN stands before it."""
        return f"{self.connection.base_url}/{encode_key(key)}"

    def fetch(
        self, url: str, *, method: str = "GET", headers: dict[str, str] | None = None, body: bytes = b""
    ) -> Fetched:
        """What a browser gets from a URL, redirects not followed.

        Raises:
            Unreachable: no answer in time.
        """
        try:
            with self._browser(url) as browser:
                answer = browser.request(method, url, headers=headers, body=body or None, redirect=False)
        except urllib3.exceptions.HTTPError as error:
            # The text quotes the URL, and with it a signature.
            raise Unreachable(type(error).__name__) from error
        return Fetched(answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.data)

    def _browser(self, url: str) -> urllib3.PoolManager:
        connection = self.connection
        options: dict[str, Any] = {
            "retries": False,
            "timeout": urllib3.Timeout(
                connect=connection.connect_timeout_seconds, read=connection.read_timeout_seconds
            ),
        }
        proxy = get_environ_proxies(url).get(url.partition(":")[0])
        return urllib3.ProxyManager(proxy, **options) if proxy else urllib3.PoolManager(**options)

    def close(self) -> None:
        """Frees connections."""
        for name in ("client", "anonymous"):
            if client := self.__dict__.get(name):
                client.close()


def new_canary_key(prefix: str) -> str:
    """A key under the prefix that is no image's and that nobody else draws."""
    return f"{prefix}doctor-{secrets.token_hex(8)}.txt"
