"""The line between use cases and a CDN that stands before the bucket: what it signs, and what it is told to forget."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Protocol


class CdnSigner(Protocol):
    """URLs and cookies that open private pictures at the CDN; made without network."""

    def signed_url(self, url: str, *, expires_at: datetime) -> str:
        """This exact URL, signed until then; equal arguments give equal URLs."""
        ...

    def signed_pattern(self, url: str, pattern: str, *, expires_at: datetime) -> str:
        """The URL with a signature that opens every URL matching the pattern (`*` any characters) until then."""
        ...

    def cookies(self, pattern: str, *, expires_at: datetime) -> Mapping[str, str]:
        """Cookies, by name, that open every URL matching the pattern until then."""
        ...


class CdnInvalidator(Protocol):
    """Paths that the CDN is to forget."""

    async def remember(self, paths: Iterable[str]) -> None:
        """Writes down, so that no restart loses them, paths whose objects are about to go or to change.

        Paths begin with `/` and are encoded as in URLs; one that ends with `*` stands for all that begin so. Returns
        as soon as they are written down; the CDN is told later, in the background.

        Raises:
            S3Error: they could not be written down; nothing may be deleted then.
        """
        ...
