"""Checks on single settings, and how their faults are told: by the name of the variable to change."""

from __future__ import annotations

import ipaddress
import json
import re
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_BUCKET_NAME = re.compile(r"(?!xn--)(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


class NamedFault(ValueError):
    """A fault found while looking at another variable than the one to blame."""

    def __init__(self, variable: str, message: str) -> None:
        super().__init__(message)
        self.variable = variable


def parse_base_url(text: str, *, default_scheme: str | None) -> str:
    """An http or https URL to which paths are appended: no slash at its end.

    Raises:
        ValueError: it is none, or holds what must not stand in it. The message does not repeat it.
    """
    if "://" not in text and default_scheme:
        text = f"{default_scheme}://{text}"
    try:
        parts = urlsplit(text)
        has_port = parts.port != 0
    except ValueError:
        raise ValueError("must be an http or https URL") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or not has_port or re.search(r"[\s\\]", text):
        raise ValueError("must be an http or https URL")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("must hold no credentials, query or fragment")
    return text.rstrip("/")


def parse_json_object(text: str, meaning: str) -> dict[str, Any]:
    """The entries of a JSON object; `meaning` says what it maps to what.

    Raises:
        ValueError: the text is no such object.
    """
    try:
        entries = json.loads(text)
    except ValueError as error:
        raise ValueError(f"is not JSON: {error}") from None
    if not isinstance(entries, dict):
        raise ValueError(f"must be a JSON object: {meaning}")
    return entries


def check_bucket_name(text: str) -> None:
    """Returns when S3 accepts the name.

    Raises:
        ValueError: it does not.
    """
    if not _BUCKET_NAME.fullmatch(text) or _is_ip_address(text):
        raise ValueError("must be 3 to 63 of a-z, 0-9, '-' and '.', as S3 names its buckets")


def faults_of(error: ValidationError) -> dict[str, str]:
    """Each variable's name with what is wrong with it; never with its value."""
    faults: dict[str, str] = {}
    for entry in error.errors(include_url=False, include_input=False):
        cause = entry.get("ctx", {}).get("error")
        variable = cause.variable if isinstance(cause, NamedFault) else str(entry["loc"][0]).upper()
        faults.setdefault(variable, entry["msg"].removeprefix("Value error, "))
    return faults


def _is_ip_address(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True
