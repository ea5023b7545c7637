"""How to reach a bucket: the values, and the boto client made from them. The one place that builds a boto client."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import botocore.loaders
import botocore.session
from botocore.config import Config

from app.core.config import AddressingStyle, ChecksumMode, Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Reading the API's description takes 50 ms of CPU; all clients of the process share one reading.
_API_MODELS = botocore.loaders.create_loader()
# Known to botocore since 1.36; older versions refuse the keys and add no checksums by themselves.
_CHECKSUM_OPTIONS = ("request_checksum_calculation", "response_checksum_validation")


@dataclass(frozen=True)
class S3Connection:
    """A bucket, where it is, who we are there, and how long anything may take (seconds)."""

    bucket: str
    region: str
    endpoint_url: str | None = None
    public_endpoint_url: str | None = None
    cdn_base_url: str | None = None
    use_ssl: bool = True
    access_key_id: str | None = None
    secret_access_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    signature_version: str = "s3v4"
    addressing_style: AddressingStyle = AddressingStyle.AUTO
    checksum_mode: ChecksumMode = ChecksumMode.AUTO
    connect_timeout_seconds: float = 2.0
    read_timeout_seconds: float = 5.0
    total_timeout_seconds: float = 10.0
    max_attempts: int = 3
    pool_size: int = 16

    @classmethod
    def from_settings(cls, settings: Settings, *, bucket: str) -> S3Connection:
        """The connection that the settings describe."""
        secret, token = settings.aws_secret_access_key, settings.aws_session_token
        return cls(
            bucket=bucket,
            region=settings.aws_region,
            endpoint_url=settings.s3_endpoint_url,
            public_endpoint_url=settings.s3_public_endpoint_url,
            cdn_base_url=settings.cdn_base_url,
            use_ssl=settings.s3_use_ssl,
            access_key_id=settings.aws_access_key_id,
            secret_access_key=secret.get_secret_value() if secret else None,
            session_token=token.get_secret_value() if token else None,
            signature_version=settings.s3_signature_version,
            addressing_style=settings.s3_addressing_style,
            checksum_mode=settings.s3_checksum_mode,
            connect_timeout_seconds=settings.s3_connect_timeout_seconds,
            read_timeout_seconds=settings.s3_read_timeout_seconds,
            total_timeout_seconds=settings.s3_total_timeout_seconds,
            max_attempts=settings.s3_max_attempts,
            pool_size=settings.s3_pool_size,
        )

    def at_embedded_store(
        self, *, endpoint_url: str, region: str, access_key_id: str, secret_access_key: str
    ) -> S3Connection:
        """The same bucket and limits at the embedded store, with its credentials and nobody else's."""
        return replace(
            self,
            endpoint_url=endpoint_url,
            region=region,
            access_key_id=access_key_id,
            secret_access_key=secret_access_key,
            session_token=None,
            addressing_style=AddressingStyle.PATH,
            checksum_mode=ChecksumMode.WHEN_SUPPORTED,
        )

    @cached_property
    def uses_path_addressing(self) -> bool:
        """Whether the bucket stands in the path; a dotted name breaks the TLS certificate of virtual hosts."""
        if self.addressing_style is not AddressingStyle.AUTO:
            return self.addressing_style is AddressingStyle.PATH
        return self.endpoint_url is not None or "." in self.bucket

    @cached_property
    def sends_checksums(self) -> bool:
        """Whether `x-amz-checksum-sha256` goes along; otherwise signed payload hash and Content-MD5 cover each byte."""
        if self.checksum_mode is not ChecksumMode.AUTO:
            return self.checksum_mode is ChecksumMode.WHEN_SUPPORTED
        return self.endpoint_url is None

    @cached_property
    def aws_endpoint_url(self) -> str:
        """The regional endpoint of AWS, with path addressing."""
        suffix = "amazonaws.com.cn" if self.region.startswith("cn-") else "amazonaws.com"
        return f"{self.scheme}://s3.{self.region}.{suffix}"

    @property
    def scheme(self) -> str:
        return "https" if self.use_ssl else "http"

    @cached_property
    def browser_endpoint_url(self) -> str:
        """The endpoint as browsers see it."""
        return self.public_endpoint_url or self.endpoint_url or self.aws_endpoint_url

    @cached_property
    def base_url(self) -> str:
        """What stands before `/{key}` in the URL of an object, without the CDN."""
        if self.uses_path_addressing:
            return f"{self.browser_endpoint_url}/{self.bucket}"
        parts = urlsplit(self.browser_endpoint_url)
        return f"{parts.scheme}://{self.bucket}.{parts.netloc}{parts.path}"


def make_session(connection: S3Connection) -> boto3.session.Session:
    """A new session, which finds credentials where the connection names none; not to be shared between threads."""
    core = botocore.session.Session()
    core.register_component("data_loader", _API_MODELS)
    return boto3.session.Session(
        botocore_session=core,
        aws_access_key_id=connection.access_key_id,
        aws_secret_access_key=connection.secret_access_key,
        aws_session_token=connection.session_token,
        region_name=connection.region,
    )


def make_client(
    connection: S3Connection,
    *,
    endpoint_url: str | None = None,
    session: boto3.session.Session | None = None,
    **changes: Any,
) -> S3Client:
    """A new S3 client, safe to share between threads but not across a fork. `changes` go into its botocore Config."""
    return (session or make_session(connection)).client(
        "s3",
        endpoint_url=endpoint_url or connection.endpoint_url,
        use_ssl=connection.use_ssl,
        config=Config(**(_config_options(connection) | changes)),
    )


def _config_options(connection: S3Connection) -> dict[str, Any]:
    options: dict[str, Any] = {
        "signature_version": connection.signature_version,
        "s3": {
            "addressing_style": "path" if connection.uses_path_addressing else "virtual",
            "us_east_1_regional_endpoint": "regional",
            "payload_signing_enabled": not connection.sends_checksums,
        },
        "retries": {"mode": "standard", "total_max_attempts": connection.max_attempts},
        "connect_timeout": connection.connect_timeout_seconds,
        "read_timeout": connection.read_timeout_seconds,
        "max_pool_connections": connection.pool_size,
        "tcp_keepalive": True,
        "ignore_configured_endpoint_urls": True,
    }
    mode = "when_supported" if connection.sends_checksums else "when_required"
    return options | {name: mode for name in _CHECKSUM_OPTIONS if name in Config.OPTION_DEFAULTS}
