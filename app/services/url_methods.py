"""The use cases about URLs of stored pictures: public and presigned ones, made without network."""

from __future__ import annotations

from app.core.exceptions import InvalidExpiry
from app.services.service_base import ServiceBase

MIN_EXPIRY_SECONDS = 1
MAX_EXPIRY_SECONDS = 7 * 24 * 3600
DEFAULT_EXPIRY_SECONDS = 3600


class UrlMethods(ServiceBase):
    """URLs of the objects themselves."""

    def get_image_url(self, s3_key: str) -> str:
        """The image's URL, made without network or look-up; it answers strangers for public types only."""
        return self.parts.urls.public_url(str(self.parse_key(s3_key)))

    def get_presigned_url(self, s3_key: str, expires_in: int = DEFAULT_EXPIRY_SECONDS) -> str:
        """A URL that lets anyone who has it fetch the image for `expires_in` seconds; without network.

        Raises:
            InvalidExpiry: not from 1 second to 7 days.
            S3InvalidCredentials: no credentials to sign with.
        """
        key = self.parse_key(s3_key)
        # A bool is an int to Python, and callers that are not type-checked send floats and texts.
        if type(expires_in) is not int or not MIN_EXPIRY_SECONDS <= expires_in <= MAX_EXPIRY_SECONDS:
            raise InvalidExpiry
        return self.parts.urls.presigned_url(str(key), expires_in=expires_in)
