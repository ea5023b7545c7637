"""Settings of delivery: who may ask for which pictures, how they are sent, and how URLs of private ones live."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode

from app.core.setting_checks import parse_base_url

MIN_DELIVERY_KEY_BYTES = 32
MAX_WINDOW_SECONDS = 302_400


class DeliveryAccess(StrEnum):
    """Which transforms are made for whom: `auto` is `signed` where there are keys, else `presets`."""

    AUTO = "auto"
    SIGNED = "signed"
    PRESETS = "presets"
    OPEN = "open"


class DeliveryAnswer(StrEnum):
    """How a transformed picture is answered: with its bytes, or with a redirect to where it lies."""

    STREAM = "stream"
    FOUND = "302"
    TEMPORARY_REDIRECT = "307"


class AvifChoice(StrEnum):
    """When negotiation gives AVIF to those who take it."""

    NEVER = "never"
    STORED = "stored"
    SMALL = "small"
    ALWAYS = "always"


class DeliverySettings(BaseSettings):
    """The part of the settings that delivery reads. It is loaded as part of `Settings`."""

    delivery_access: DeliveryAccess = Field(
        DeliveryAccess.AUTO,
        description=(
            "Which transforms `/img` makes: `signed`: any, by signed URLs; `presets`: presets and widths of variants; "
            "`open`: any, in development only; `auto`: `signed` where `DELIVERY_KEYS` are set, else `presets`."
        ),
    )
    delivery_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (),
        description=(
            "Secrets that sign `/img` URLs and grants, comma-separated, each at least 32 bytes; the first one signs, "
            "all are accepted, so that they can be rotated."
        ),
    )
    delivery_base_url: str | None = Field(
        None, description="Base of `/img` URLs as browsers see it. Unset: URLs begin at the host's root."
    )
    delivery_answer: DeliveryAnswer = Field(
        DeliveryAnswer.STREAM,
        description="`stream`: `/img` sends the picture; `302`, `307`: it redirects to the CDN or a presigned URL.",
    )
    delivery_avif: AvifChoice = Field(
        AvifChoice.SMALL,
        description=(
            "When `f:auto` gives AVIF to browsers that take it: `never`; `stored`: where it is stored already; "
            "`small`: also where it has at most `DELIVERY_AVIF_MAX_PIXELS`; `always`."
        ),
    )
    delivery_avif_max_pixels: int = Field(
        600_000, ge=1, le=100_000_000, description="Most pixels of an AVIF that is made while a browser waits."
    )
    delivery_fallback_key: str | None = Field(
        None, description="`s3_key` of a public image that `/img` shows where an image is missing. Unset: 404."
    )
    delivery_memory_seconds: float = Field(
        2.0,
        ge=0,
        le=60,
        description="How long `/img` remembers what is stored, for 304 and redirects; 0: not.",
    )
    private_cache_seconds: int = Field(
        0, ge=0, le=86_400, description="How long browsers may keep private pictures; 0: `private, no-store`."
    )
    url_window_seconds: int = Field(
        3600,
        ge=60,
        le=MAX_WINDOW_SECONDS,
        description="Within a window of this length a stable presigned URL stays the same; it lives for two of them.",
    )
    cloudfront_key_pair_id: str | None = Field(
        None, description="Id of the CloudFront public key that verifies signed URLs and cookies."
    )
    cloudfront_private_key: SecretStr | None = Field(
        None, description="Its private key in PEM, RSA 2048 or ECDSA P-256; line breaks may be written as `\\n`."
    )
    cloudfront_private_key_file: Path | None = Field(None, description="The same as a file, instead of the text.")
    cloudfront_distribution_id: str | None = Field(
        None, description="Distribution in which deleted images are invalidated. Unset: none is."
    )

    @field_validator("delivery_keys", mode="before")
    @classmethod
    def _split_keys(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(SecretStr(part.strip()) for part in value.split(",") if part.strip())
        return value

    @field_validator("delivery_keys")
    @classmethod
    def _check_keys(cls, value: tuple[SecretStr, ...], info: ValidationInfo) -> tuple[SecretStr, ...]:
        if any(len(key.get_secret_value().encode()) < MIN_DELIVERY_KEY_BYTES for key in value):
            raise ValueError(f"must be secrets of at least {MIN_DELIVERY_KEY_BYTES} bytes each")
        if not value and info.data.get("delivery_access") is DeliveryAccess.SIGNED:
            raise ValueError("must be set when DELIVERY_ACCESS=signed")
        return value

    @field_validator("delivery_base_url")
    @classmethod
    def _check_base_url(cls, value: str | None) -> str | None:
        return None if value is None else parse_base_url(value, default_scheme="https")

    @field_validator("cloudfront_private_key_file")
    @classmethod
    def _check_cloudfront_key(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is not None and info.data.get("cloudfront_private_key") is not None:
            raise ValueError("must not be set beside CLOUDFRONT_PRIVATE_KEY")
        has_key = value is not None or info.data.get("cloudfront_private_key") is not None
        if has_key != (info.data.get("cloudfront_key_pair_id") is not None):
            raise ValueError("goes with CLOUDFRONT_KEY_PAIR_ID: both a key and its id, or neither")
        return value
