"""Settings: every environment variable of the service, its meaning, unit and range.

All faults are reported at once, each by the name of its variable. Nothing else in the project reads the environment.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from app.core.delivery_settings import DeliveryAccess, DeliverySettings
from app.core.engine_settings import EngineSettings
from app.core.exceptions import ConfigurationError
from app.core.image_types import (
    DEFAULT_IMAGE_TYPES,
    ImageTypes,
    check_variants_of_types,
    find_table_fault,
    parse_image_types,
)
from app.core.setting_checks import NamedFault, check_bucket_name, faults_of, parse_base_url
from app.core.store_choices import AddressingStyle as AddressingStyle
from app.core.store_choices import ChecksumMode as ChecksumMode
from app.core.store_choices import SignatureVersion as SignatureVersion

_SECONDS_MAX = 600.0
MIN_JWT_SECRET_BYTES = 32


class Environment(StrEnum):
    DEVELOPMENT = "development"
    TEST = "test"
    STAGING = "staging"
    PRODUCTION = "production"


class AuthMode(StrEnum):
    NONE = "none"
    JWT = "jwt"


class LogFormat(StrEnum):
    CONSOLE = "console"
    JSON = "json"


class Settings(DeliverySettings, EngineSettings):
    """The service's configuration, frozen. Build it with `Settings.load()`, which names every fault."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        validate_default=True,
        hide_input_in_errors=True,
    )

    environment: Environment = Field(
        Environment.DEVELOPMENT,
        description="Where the service runs. `production` forbids `AUTH_MODE=none` and the embedded store.",
    )
    debug: bool = Field(
        False, description="Adds the cause (S3 code, operation, S3 request id) to error bodies. Never a secret."
    )
    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="Least level that is logged.")
    log_format: LogFormat = Field(LogFormat.CONSOLE, description="`console` for people, `json` for machines.")

    aws_access_key_id: str | None = Field(
        None, description="Key id. Unset: the AWS credential chain applies (profiles, SSO, roles, web identity)."
    )
    aws_secret_access_key: SecretStr | None = Field(None, description="Secret key; goes with `AWS_ACCESS_KEY_ID`.")
    aws_session_token: SecretStr | None = Field(None, description="Session token of temporary credentials.")
    aws_region: str = Field(
        "us-east-1", pattern=r"^[a-z0-9-]{2,32}$", description="Region of the bucket; `auto` on Cloudflare R2."
    )

    s3_bucket_name: str | None = Field(
        None, description="Bucket. This and `S3_ENDPOINT_URL` both unset: the embedded store is started."
    )
    # Before the endpoints: their checks look at it, and see only what stands above them.
    s3_use_ssl: bool = Field(True, description="https or http, on AWS and for an endpoint given without a scheme.")
    s3_endpoint_url: str | None = Field(None, description="Endpoint of an S3-compatible store. Empty: AWS.")
    s3_public_endpoint_url: str | None = Field(
        None, description="Endpoint as browsers see it, for URLs handed out. Unset: the same as `S3_ENDPOINT_URL`."
    )
    cdn_base_url: str | None = Field(None, description="Base of public URLs when a CDN stands before the bucket.")
    s3_signature_version: SignatureVersion = Field(
        SignatureVersion.S3V4, description="Only Signature Version 4: version 2 is refused by AWS and others."
    )
    s3_addressing_style: AddressingStyle = Field(
        AddressingStyle.AUTO, description="`auto`: virtual host on AWS, path with an endpoint or a dotted bucket."
    )
    s3_checksum_mode: ChecksumMode = Field(
        ChecksumMode.AUTO,
        description="`auto`: `when_supported` on AWS, `when_required` with an endpoint. Content is checked in both.",
    )
    s3_connect_timeout_seconds: float = Field(
        2.0, gt=0, le=_SECONDS_MAX, description="Longest wait for a connection, per attempt."
    )
    s3_read_timeout_seconds: float = Field(
        5.0, gt=0, le=_SECONDS_MAX, description="Longest silence of the store, per attempt."
    )
    s3_total_timeout_seconds: float = Field(
        10.0, gt=0, le=_SECONDS_MAX, description="Longest duration of one store operation, retries included."
    )
    s3_max_attempts: int = Field(3, ge=1, le=10, description="Attempts per operation, the first included.")
    s3_pool_size: int = Field(16, ge=1, le=256, description="Threads and connections to the store, each.")
    s3_cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        ("*",), description="Origins that `bucket init` lets read the bucket from browsers, comma-separated."
    )

    max_upload_bytes: int = Field(
        25 * 1024 * 1024, ge=1, le=1024**3, description="Largest file accepted, in bytes (25 MiB)."
    )
    max_batch_files: int = Field(20, ge=1, le=100, description="Most files in one batch request.")
    upload_idle_timeout_seconds: float = Field(
        20.0, gt=0, le=_SECONDS_MAX, description="Longest silence of a client while its upload is read."
    )
    upload_total_timeout_seconds: float = Field(
        120.0, gt=0, le=3600, description="Longest duration of reading one request body."
    )
    image_types: Annotated[ImageTypes, NoDecode] = Field(
        default_factory=lambda: dict(DEFAULT_IMAGE_TYPES),
        description=(
            "JSON object: more image types, or changes to the built-in ones, e.g. "
            '`{"document": {"prefix": "documents", "visibility": "private", "max_upload_bytes": 5000000}}`.'
        ),
    )

    auth_mode: AuthMode = Field(
        AuthMode.NONE, description="`jwt`: bearer tokens. `none`: no check, loopback only, not in production."
    )
    jwt_secret: SecretStr | None = Field(None, description="HS256 secret, at least 32 bytes.")
    jwt_jwks_url: str | None = Field(None, description="JWKS URL of the token issuer (RS256, ES256, EdDSA).")
    jwt_audience: str | None = Field(None, description="Required `aud` of tokens. Unset: not checked.")
    jwt_issuer: str | None = Field(None, description="Required `iss` of tokens. Unset: not checked.")

    heaven_home: Path = Field(Path(".heaven"), description="Folder of the embedded store's data and credentials.")

    @field_validator("environment")
    @classmethod
    def _check_access(cls, value: Environment, info: ValidationInfo) -> Environment:
        is_for_people = value in {Environment.STAGING, Environment.PRODUCTION}
        if is_for_people and info.data.get("delivery_access") is DeliveryAccess.OPEN:
            raise NamedFault("DELIVERY_ACCESS", f"must not be open when ENVIRONMENT={value.value}")
        return value

    @field_validator("s3_endpoint_url", "s3_public_endpoint_url", "cdn_base_url", "jwt_jwks_url")
    @classmethod
    def _check_url(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None:
            return None
        if info.field_name == "jwt_jwks_url":
            return parse_base_url(value, default_scheme=None)
        is_endpoint = info.field_name in {"s3_endpoint_url", "s3_public_endpoint_url"}
        is_plain = is_endpoint and not info.data.get("s3_use_ssl", True)
        return parse_base_url(value, default_scheme="http" if is_plain else "https")

    @field_validator("s3_bucket_name")
    @classmethod
    def _check_bucket_name(cls, value: str | None) -> str | None:
        if value is not None:
            check_bucket_name(value)
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _raise_case(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @field_validator("s3_cors_origins", mode="before")
    @classmethod
    def _split_origins(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(origin.strip() for origin in value.split(",") if origin.strip())
        return value

    @field_validator("image_types", mode="before")
    @classmethod
    def _merge_types(cls, value: object) -> object:
        return parse_image_types(value) if isinstance(value, str) else value

    @field_validator("image_types")
    @classmethod
    def _check_types(cls, value: ImageTypes, info: ValidationInfo) -> ImageTypes:
        if fault := find_table_fault(value):
            raise ValueError(fault)
        check_variants_of_types(value, info.data)
        return value

    # The checks across settings sit on single fields, so that they run, and are reported, beside every other fault.
    @field_validator("aws_secret_access_key")
    @classmethod
    def _check_key_pair(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if (value is None) != (info.data.get("aws_access_key_id") is None):
            raise ValueError("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be set together")
        return value

    @field_validator("aws_session_token")
    @classmethod
    def _check_session_token(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if value is not None and info.data.get("aws_access_key_id") is None:
            raise ValueError("needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY beside it")
        return value

    @field_validator("s3_total_timeout_seconds")
    @classmethod
    def _check_total_timeout(cls, value: float, info: ValidationInfo) -> float:
        for part in ("s3_connect_timeout_seconds", "s3_read_timeout_seconds"):
            if value < info.data.get(part, 0.0):
                raise ValueError(f"must not be shorter than {part.upper()}")
        return value

    @field_validator("auth_mode")
    @classmethod
    def _check_auth_mode(cls, value: AuthMode, info: ValidationInfo) -> AuthMode:
        if value is AuthMode.NONE and info.data.get("environment") is Environment.PRODUCTION:
            raise ValueError("must be jwt when ENVIRONMENT=production")
        return value

    @field_validator("jwt_secret")
    @classmethod
    def _check_jwt_secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value().encode()) < MIN_JWT_SECRET_BYTES:
            raise ValueError(f"must be at least {MIN_JWT_SECRET_BYTES} bytes (RFC 7518, section 3.2)")
        return value

    @field_validator("jwt_jwks_url")
    @classmethod
    def _check_key_source(cls, value: str | None, info: ValidationInfo) -> str | None:
        secret = info.data.get("jwt_secret")
        if (
            info.data.get("auth_mode") is AuthMode.JWT
            and (value is None) == (secret is None)
            and _valid(info, "jwt_secret")
        ):
            raise ValueError("AUTH_MODE=jwt needs exactly one of JWT_SECRET and JWT_JWKS_URL")
        return value

    @field_validator("heaven_home")
    @classmethod
    def _check_store(cls, value: Path, info: ValidationInfo) -> Path:
        if not (_valid(info, "s3_bucket_name") and _valid(info, "s3_endpoint_url")):
            return value
        bucket, endpoint = info.data["s3_bucket_name"], info.data["s3_endpoint_url"]
        if bucket is None and endpoint is not None:
            raise NamedFault("S3_BUCKET_NAME", "must be set when S3_ENDPOINT_URL is")
        if bucket is None and info.data.get("environment") is Environment.PRODUCTION:
            raise NamedFault("S3_BUCKET_NAME", "must be set when ENVIRONMENT=production")
        return value

    @property
    def uses_embedded_store(self) -> bool:
        """Whether the service starts a SeaweedFS of its own."""
        return (
            self.s3_bucket_name is None
            and self.s3_endpoint_url is None
            and self.environment is not Environment.PRODUCTION
        )

    @property
    def embedded_store_folder(self) -> Path:
        """Where the embedded store keeps its objects and credentials."""
        return self.heaven_home / "s3"

    @classmethod
    def load(cls, **overrides: Any) -> Self:
        """Settings from `overrides`, the environment and `.env`, in this order.

        Raises:
            ConfigurationError: some values are wrong; `faults` names every one of them. Repeating does not help.
        """
        try:
            return cls(**overrides)
        except ValidationError as error:
            raise ConfigurationError(faults_of(error)) from None
        except UnicodeDecodeError:  # its message would repeat what the file holds
            raise ConfigurationError({".env": "is not UTF-8 text"}) from None
        except OSError as error:
            raise ConfigurationError({".env": f"cannot be read: {error.strerror}"}) from error


def _valid(info: ValidationInfo, field: str) -> bool:
    return field in info.data
