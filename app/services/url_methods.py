"""The use cases about URLs of stored pictures: public and presigned ones, made without network."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice

from app.core.exceptions import InvalidExpiry, InvalidImageKey, InvalidRequest, TooManyFiles
from app.images.keys import MAX_KEY_CHARACTERS, ImageKey
from app.services.service_base import ServiceBase

MIN_EXPIRY_SECONDS = 1
MAX_EXPIRY_SECONDS = 7 * 24 * 3600
DEFAULT_EXPIRY_SECONDS = 3600
MAX_URLS = 1000


@dataclass(frozen=True, slots=True)
class UrlWindow:
    """A stretch of time, counted from 1970 in UTC, in which stable URLs stay the same; they live for two of them."""

    signed_at: datetime
    expires_in: int

    @classmethod
    def at(cls, moment: datetime, *, length_seconds: int) -> UrlWindow:
        """The window that the moment lies in."""
        seconds = int(moment.timestamp())
        return cls(datetime.fromtimestamp(seconds - seconds % length_seconds, UTC), expires_in=2 * length_seconds)

    @property
    def expires_at(self) -> datetime:
        return self.signed_at + timedelta(seconds=self.expires_in)


@dataclass(frozen=True, slots=True)
class PresignedUrls:
    """URLs by key, in the order of the keys, and when they cease to hold (UTC)."""

    urls: dict[str, str]
    expires_at: datetime


class UrlMethods(ServiceBase):
    """URLs of the objects themselves."""

    def get_image_url(self, s3_key: str) -> str:
        """The image's URL, made without network or look-up; it answers strangers for public images only."""
        return self.parts.urls.public_url(str(self.parse_key(s3_key)))

    def get_presigned_url(self, s3_key: str, expires_in: int = DEFAULT_EXPIRY_SECONDS, *, stable: bool = False) -> str:
        """A URL that lets anyone who has it fetch the image for `expires_in` seconds; without network.

        With `stable` it is the URL of the current window (`URL_WINDOW_SECONDS`): the same one until the window ends,
        so that browsers keep what they fetched, and good for one more window at least. Its lifetime is the window's,
        and `expires_in` is left out.

        Raises:
            InvalidExpiry: not from 1 second to 7 days.
            InvalidRequest: `stable`, and a lifetime of its own.
            S3InvalidCredentials: no credentials to sign with.
        """
        self.parse_key(s3_key)
        return self._presign([s3_key], _lifetime(expires_in, stable=stable)).urls[s3_key]

    def get_presigned_urls(
        self, keys: Iterable[str], expires_in: int = DEFAULT_EXPIRY_SECONDS, *, stable: bool = False
    ) -> dict[str, str]:
        """The presigned URLs of up to 1,000 images by their keys, as `get_presigned_url` makes them; without network.

        Raises:
            InvalidImageKey: one of them is no key; the detail says which one. No URL is made then.
            TooManyFiles: more than 1,000.
            InvalidExpiry, InvalidRequest, S3InvalidCredentials: as for one URL.
        """
        # One more than allowed, which is refused: what is given may have no end.
        texts = list(islice(keys, MAX_URLS + 1))
        self.parse_keys(texts)
        return self._presign(texts, _lifetime(expires_in, stable=stable)).urls

    def parse_keys(self, s3_keys: Sequence[str]) -> list[ImageKey]:
        """The parts of up to 1,000 keys.

        Raises:
            InvalidImageKey: one of them is no key; the detail says which one, counted from 0.
            TooManyFiles: more than 1,000.
        """
        if len(s3_keys) > MAX_URLS:
            raise TooManyFiles(f"At most {MAX_URLS} keys in one call.")
        keys: list[ImageKey] = []
        for at, text in enumerate(s3_keys):
            try:
                keys.append(self.parse_key(text))
            except InvalidImageKey:
                shown = f"{text!r:.{MAX_KEY_CHARACTERS}}"
                raise InvalidImageKey(f"keys[{at}] is not the key of an image: {shown}") from None
        return keys

    def presign(self, keys: Sequence[ImageKey], *, expires_in: int | None) -> PresignedUrls:
        """Presigned URLs that hold for `expires_in` seconds from now; None: those of the current window.

        Raises:
            InvalidExpiry: not from 1 second to 7 days.
            S3InvalidCredentials: no credentials to sign with.
        """
        return self._presign([str(key) for key in keys], expires_in)

    def _presign(self, object_keys: Sequence[str], expires_in: int | None) -> PresignedUrls:
        if expires_in is None:
            window = self._window()
            urls = self.parts.urls.presigned_urls(object_keys, expires_in=window.expires_in, signed_at=window.signed_at)
            return PresignedUrls(dict(zip(object_keys, urls, strict=True)), window.expires_at)
        # A bool is an int to Python, and callers that are not type-checked send floats and texts.
        if type(expires_in) is not int or not MIN_EXPIRY_SECONDS <= expires_in <= MAX_EXPIRY_SECONDS:
            raise InvalidExpiry
        signed_at = self.parts.now().replace(microsecond=0)
        urls = self.parts.urls.presigned_urls(object_keys, expires_in=expires_in, signed_at=signed_at)
        expires_at = signed_at + timedelta(seconds=expires_in)
        return PresignedUrls(dict(zip(object_keys, urls, strict=True)), expires_at)

    def stable_object_urls(self, object_keys: Sequence[str]) -> tuple[list[str], datetime]:
        """URLs of these objects (originals, variants, results; any number) for this window, and when they end (UTC).

        They lead to the CDN where it signs, else to the store. The keys are not checked: never a caller's own.

        Raises:
            S3InvalidCredentials: no credentials to sign with.
        """
        window, cdn, signer = self._window(), self.parts.cdn, self.parts.urls
        if cdn is not None:
            urls = [cdn.signed_url(signer.public_url(key), expires_at=window.expires_at) for key in object_keys]
        else:
            urls = signer.presigned_urls(object_keys, expires_in=window.expires_in, signed_at=window.signed_at)
        return urls, window.expires_at

    def private_object_url(self, object_key: str, *, until: int | None = None) -> str:
        """The URL of the current window for one object, or one that ends with `until` (seconds since 1970) if sooner.

        Raises:
            S3InvalidCredentials: no credentials to sign with.
        """
        urls, expires_at = self.stable_object_urls([object_key])
        if until is None or until >= expires_at.timestamp():
            return urls[0]
        if self.parts.cdn is not None:
            end = datetime.fromtimestamp(until, UTC)
            return self.parts.cdn.signed_url(self.parts.urls.public_url(object_key), expires_at=end)
        seconds = max(MIN_EXPIRY_SECONDS, until - math.ceil(self.parts.now().timestamp()))
        return self.parts.urls.presigned_url(object_key, expires_in=seconds)

    def _window(self) -> UrlWindow:
        return UrlWindow.at(self.parts.now(), length_seconds=self.parts.delivery.url_window_seconds)


def _lifetime(expires_in: int, *, stable: bool) -> int | None:
    if not stable:
        # None would mean the window.
        return expires_in if type(expires_in) is int else 0
    if expires_in != DEFAULT_EXPIRY_SECONDS:
        raise InvalidRequest("A stable URL lives as long as its window: leave `expires_in` out.")
    return None
