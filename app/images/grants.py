"""Grants: a short text that opens all sizes of one image, or one owner's images of a type, until it expires. Pure.

    i1733067622.kYw…  one image          HMAC-SHA256 of its key
    o1733067622.3Fz…  an owner's folder  HMAC-SHA256 of `users/123/`; it opens `private/users/123/` too

A grant does not say what it opens: it is made again for the key that is asked for, and compared as text. So there is
one text per grant, and nothing in it to decode.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum

from app.core.exceptions import ImageNotFound, InvalidGrant
from app.images.keys import ImageKey, folder_of

# No URL signature is made of a text that begins like this, so neither passes for the other under one key.
_DOMAIN = "heaven-images grant 1"
MAX_GRANT_CHARACTERS = 100
_TOKEN = re.compile(r"([io])([1-9]\d{0,10})\.[A-Za-z0-9_-]{43}", re.ASCII)


class GrantScope(StrEnum):
    """What a grant opens: one image, or all that an owner has of one image type."""

    IMAGE = "i"
    OWNER = "o"


def make_image_grant(key: ImageKey, *, expires_at: datetime, signing_key: bytes) -> str:
    """A grant for one image in all its sizes, good until the second of `expires_at` ends."""
    return _make(GrantScope.IMAGE, str(key), int(expires_at.timestamp()), signing_key)


def make_owner_grant(prefix: str, user_id: str, *, expires_at: datetime, signing_key: bytes) -> str:
    """A grant for all images of the type with this prefix in one user's folder, single private ones too."""
    return _make(GrantScope.OWNER, folder_of(prefix, user_id), int(expires_at.timestamp()), signing_key)


def check_grant(token: str, key: ImageKey, *, signing_keys: Sequence[bytes], now: datetime) -> GrantScope:
    """The scope of a grant that opens this key now. One of scope `OWNER` is to be passed to `check_owner` as well.

    Takes the same time wherever a wrong token differs. Without keys no grant is good.

    Raises:
        InvalidGrant: it is not ours, for something else, or has expired; which of these is not told.
    """
    match = _TOKEN.fullmatch(token)
    if not match:
        raise InvalidGrant
    scope, expires_at = GrantScope(match[1]), int(match[2])
    subject = _subject_of(scope, key)
    if subject is None:
        raise InvalidGrant
    made = [_make(scope, subject, expires_at, signing_key) for signing_key in signing_keys]
    # Every key is tried, so that time does not tell which one signed.
    outcomes = [hmac.compare_digest(text, token) for text in made]
    if not any(outcomes) or now.astimezone(UTC).timestamp() >= expires_at + 1:
        raise InvalidGrant
    return scope


def expiry_of(token: str) -> int:
    """The second, since 1970, that a checked grant is good until."""
    return int(token[1:].partition(".")[0])


def check_owner(scope: GrantScope, key: ImageKey, owner: str | None) -> None:
    """Returns when a checked grant opens an image that belongs to `owner`, as its metadata says.

    Raises:
        ImageNotFound: it lies in the folder of the grant's user and belongs to somebody else.
    """
    if scope is GrantScope.OWNER and owner != key.user_id:
        raise ImageNotFound


def _subject_of(scope: GrantScope, key: ImageKey) -> str | None:
    if scope is GrantScope.IMAGE:
        return str(key)
    return None if key.user_id is None else folder_of(key.prefix, key.user_id)


def _make(scope: GrantScope, subject: str, expires_at: int, signing_key: bytes) -> str:
    # Subjects hold no line breaks: two grants never sign the same text.
    message = f"{_DOMAIN}\n{scope.value}\n{expires_at}\n{subject}".encode()
    digest = hmac.digest(signing_key, message, hashlib.sha256)
    return f"{scope.value}{expires_at}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"
