"""Signatures of delivery URLs: HMAC-SHA256 over everything that the URL says, with keys that can be rotated.

A signed URL's first segment is `<43 characters>` or `<43 characters>.<expiry in seconds since 1970>`.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass

from app.core.exceptions import InvalidSignature, UrlExpired

# Stands where a signature would: the URL has none.
UNSIGNED = "-"
_PURPOSE = "heaven-img-v1"
_SEGMENT = re.compile(r"[A-Za-z0-9_-]{43}(?:\.([1-9][0-9]{0,11}))?", re.ASCII)
# As generous as may be: hiding what is none does no harm.
_SIGNED_PATH = re.compile(r"(/img/)[^/]{2,}(?=/)")


@dataclass(frozen=True, slots=True)
class SignedPicture:
    """What a signature is for: the transform's text, the image's key, and until when (None: for ever)."""

    transform: str
    s3_key: str
    expires_at: int | None = None


def sign_picture(picture: SignedPicture, key: bytes) -> str:
    """The first segment of the picture's URL."""
    expiry = "" if picture.expires_at is None else str(picture.expires_at)
    # None of the parts holds a line break: a transform has none, a key of an image has none.
    message = f"{_PURPOSE}\n{expiry}\n{picture.transform}\n{picture.s3_key}"
    digest = hmac.digest(key, message.encode("utf-8", "surrogatepass"), "sha256")
    text = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return f"{text}.{expiry}" if expiry else text


def verify_picture(segment: str, transform: str, s3_key: str, *, keys: Sequence[bytes], now: float) -> SignedPicture:
    """What the segment signs; compared in constant time and as text, so that no two texts pass for one signature.

    Raises:
        InvalidSignature: no key signed this. Repeating does not help.
        UrlExpired: one did, and its time is over.
    """
    match = _SEGMENT.fullmatch(segment)
    if not match:
        raise InvalidSignature
    picture = SignedPicture(transform, s3_key, int(match[1]) if match[1] else None)
    # All are tried, so that the time tells nothing of which one it was.
    outcomes = [hmac.compare_digest(sign_picture(picture, key), segment) for key in keys]
    if not any(outcomes):
        raise InvalidSignature
    if picture.expires_at is not None and picture.expires_at <= now:
        raise UrlExpired
    return picture


def without_signature(path: str) -> str:
    """The path of a URL as it may be shown to others: whoever has a signature sees the picture."""
    return _SIGNED_PATH.sub(r"\1***", path, count=1) if "/img/" in path else path
