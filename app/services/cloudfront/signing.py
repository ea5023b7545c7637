"""Signed URLs and cookies of CloudFront, made without network.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-signed-urls.html
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-signed-cookies.html
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import datetime

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from app.services.cloudfront.private_keys import PrivateKey

_AWS_ALPHABET = str.maketrans("+=/", "-_~")
_ECDSA_HASH = "SHA256"


class CloudFrontSigner:
    """Implements `CdnSigner` with the private key of a CloudFront public key.

    RSA signs SHA-1, CloudFront's default. ECDSA signs SHA-256, which URLs say with `Hash-Algorithm` and cookies with
    `CloudFront-Hash-Algorithm`; its signatures are deterministic (RFC 6979), so equal arguments give equal URLs.
    """

    def __init__(self, private_key: PrivateKey, key_pair_id: str) -> None:
        self._private_key = private_key
        self._key_pair_id = key_pair_id

    def __repr__(self) -> str:
        return f"{type(self).__name__}(key_pair_id={self._key_pair_id!r})"

    def signed_url(self, url: str, *, expires_at: datetime) -> str:
        """This exact URL, query included, signed until then by a canned policy. `url` is encoded as it is requested.

        Raises:
            ValueError: the URL has a fragment, or characters that a URL never holds as they are.
        """
        signature = self._sign(_policy(url, expires_at))
        return _with_query(url, f"Expires={_seconds(expires_at)}&{self._proof(signature)}")

    def signed_pattern(self, url: str, pattern: str, *, expires_at: datetime) -> str:
        """The URL with a signature that opens all URLs that match the pattern: `*` any characters, `?` any one.

        Raises:
            ValueError: as `signed_url`, of either.
        """
        policy = _policy(pattern, expires_at)
        return _with_query(url, f"Policy={_encode(policy)}&{self._proof(self._sign(policy))}")

    def cookies(self, pattern: str, *, expires_at: datetime) -> Mapping[str, str]:
        """Values of the cookies that open all URLs that match the pattern; one `Set-Cookie` for each.

        They are to be set for the CDN's domain with `Path=/` or the pattern's folder, `Secure` and `HttpOnly`, with
        `SameSite=None` where the page is of another site, and without `Expires` and `Max-Age`: the policy ends them.

        Raises:
            ValueError: as `signed_url`, of the pattern.
        """
        policy = _policy(pattern, expires_at)
        values = {
            "CloudFront-Policy": _encode(policy),
            "CloudFront-Signature": _encode(self._sign(policy)),
            "CloudFront-Key-Pair-Id": self._key_pair_id,
        }
        return values if self._signs_sha1 else values | {"CloudFront-Hash-Algorithm": _ECDSA_HASH}

    @property
    def _signs_sha1(self) -> bool:
        return isinstance(self._private_key, rsa.RSAPrivateKey)

    def _proof(self, signature: bytes) -> str:
        proof = f"Signature={_encode(signature)}&Key-Pair-Id={self._key_pair_id}"
        return proof if self._signs_sha1 else f"{proof}&Hash-Algorithm={_ECDSA_HASH}"

    def _sign(self, policy: bytes) -> bytes:
        if isinstance(self._private_key, rsa.RSAPrivateKey):
            return self._private_key.sign(policy, padding.PKCS1v15(), hashes.SHA1())  # noqa: S303 - CloudFront's choice
        return self._private_key.sign(policy, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))


def _policy(resource: str, expires_at: datetime) -> bytes:
    """The policy statement; CloudFront builds the canned one itself, so its order and lack of spaces are given."""
    _check_url(resource)
    condition = {"DateLessThan": {"AWS:EpochTime": _seconds(expires_at)}}
    statement = {"Statement": [{"Resource": resource, "Condition": condition}]}
    return json.dumps(statement, separators=(",", ":")).encode()


def _check_url(url: str) -> None:
    # A quote or a backslash would be escaped in the policy that we sign, and not in the one that CloudFront compares.
    if any(not "!" <= character <= "~" or character in '"\\<>^`{|}#' for character in url):
        raise ValueError("a URL is signed as it is requested: percent-encoded, and without a fragment")


def _seconds(moment: datetime) -> int:
    """Whole seconds since 1970, never later than the moment. A time without zone would be read as local: refused."""
    if moment.tzinfo is None:
        raise ValueError("an expiry needs a time zone")
    return int(moment.timestamp())


def _with_query(url: str, parameters: str) -> str:
    _check_url(url)
    return f"{url}{'&' if '?' in url else '?'}{parameters}"


def _encode(content: bytes) -> str:
    """Base64 with the three characters replaced that a query cannot hold; AWS's replacements, not those of RFC 4648."""
    return base64.b64encode(content).decode().translate(_AWS_ALPHABET)
