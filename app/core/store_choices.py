"""What settings may choose of how S3 is spoken to."""

from __future__ import annotations

from enum import StrEnum


class AddressingStyle(StrEnum):
    AUTO = "auto"
    PATH = "path"
    VIRTUAL = "virtual"


class ChecksumMode(StrEnum):
    AUTO = "auto"
    WHEN_SUPPORTED = "when_supported"
    WHEN_REQUIRED = "when_required"


class SignatureVersion(StrEnum):
    S3V4 = "s3v4"
