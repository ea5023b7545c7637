"""Conditional requests (RFC 9110, section 13): what the client's headers say of the copy it has."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

from starlette.datastructures import Headers

_ENTITY_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')
CONDITIONS = ("if-none-match", "if-modified-since", "range")


def has_conditions(headers: Headers) -> bool:
    """Whether the answer depends on more than that the object is there."""
    return any(name in headers for name in CONDITIONS)


def is_unchanged(headers: Headers, *, etag: str, last_modified: datetime | None = None) -> bool:
    """Whether the client's copy is still good: by If-None-Match, compared weakly, else by If-Modified-Since."""
    if "if-none-match" in headers:
        candidates = ",".join(headers.getlist("if-none-match"))
        return candidates.strip() == "*" or etag.removeprefix("W/") in _ENTITY_TAG.findall(candidates)
    since = _parse_date(headers.get("if-modified-since"))
    return since is not None and last_modified is not None and last_modified.replace(microsecond=0) <= since


def range_holds(headers: Headers, *, etag: str, last_modified: datetime) -> bool:
    """Whether If-Range, where there is one, still names this very object: compared strongly."""
    condition = headers.get("if-range")
    if condition is None:
        return True
    if condition.endswith('"'):
        return condition == etag
    return _parse_date(condition) == last_modified.replace(microsecond=0)


def format_date(moment: datetime) -> str:
    """As HTTP writes dates: "Sun, 01 Dec 2024 14:30:22 GMT"."""
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def _parse_date(text: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text or "")
    # A year or an offset beyond all numbers overflows rather than being a wrong value.
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
