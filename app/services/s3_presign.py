"""URLs of objects, public and presigned, made without network."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import quote

from app.core.exceptions import S3DownloadFailed
from app.services.s3_connection import S3Connection, make_client
from app.services.s3_errors import translating

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def encode_key(key: str) -> str:
    """The key as a URL path: each segment percent-encoded, RFC 3986 unreserved characters kept."""
    return quote(key, safe="/-._~")


class S3UrlSigner:
    """Implements `UrlSigner`: public URLs through the CDN where there is one, presigned ones by SigV4.

    Presigned URLs name the endpoint that browsers see. With temporary credentials they end with these, whatever
    `expires_in` says (https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html).
    """

    def __init__(self, connect: Callable[[], S3Connection]) -> None:
        self._connect = connect

    @cached_property
    def _connection(self) -> S3Connection:
        return self._connect()

    @cached_property
    def _client(self) -> S3Client:
        connection = self._connection
        return make_client(connection, endpoint_url=connection.public_endpoint_url)

    def public_url(self, key: str) -> str:
        """The CDN's URL of the key, or the store's own."""
        return f"{self._connection.cdn_base_url or self._connection.base_url}/{encode_key(key)}"

    def presigned_url(self, key: str, *, expires_in: int) -> str:
        """A URL that grants one GET of this key for `expires_in` seconds.

        Raises:
            S3InvalidCredentials: no credentials to sign with.
        """
        with translating("Presign", failure=S3DownloadFailed):
            return self._client.generate_presigned_url(
                "get_object", Params={"Bucket": self._connection.bucket, "Key": key}, ExpiresIn=expires_in
            )
