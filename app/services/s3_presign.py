"""URLs of objects, public and presigned, made without network."""

from __future__ import annotations

from collections.abc import Callable
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
        self._made: tuple[S3Connection, S3Client] | None = None

    def _client_for(self, connection: S3Connection) -> S3Client:
        # By value: the embedded store may come back at another address. A race makes one client too many, no more.
        made = self._made
        if made is None or made[0] != connection:
            made = self._made = connection, make_client(connection, endpoint_url=connection.public_endpoint_url)
        return made[1]

    def public_url(self, key: str) -> str:
        """The CDN's URL of the key, or the store's own."""
        connection = self._connect()
        return f"{connection.cdn_base_url or connection.base_url}/{encode_key(key)}"

    def presigned_url(self, key: str, *, expires_in: int) -> str:
        """A URL that grants one GET of this key for `expires_in` seconds.

        Raises:
            S3InvalidCredentials: no credentials to sign with.
        """
        with translating("Presign", failure=S3DownloadFailed):
            connection = self._connect()
            return self._client_for(connection).generate_presigned_url(
                "get_object", Params={"Bucket": connection.bucket, "Key": key}, ExpiresIn=expires_in
            )
