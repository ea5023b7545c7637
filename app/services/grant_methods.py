"""The use cases about grants: one token, or one set of CDN cookies, for all sizes of an image or all of an owner's."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from typing_extensions import TypedDict

from app.core.exceptions import InvalidExpiry, InvalidRequest
from app.core.image_types import ImageType
from app.images.facts import format_time
from app.images.grants import GrantScope, check_grant, check_owner, make_image_grant, make_owner_grant
from app.images.keys import VARIANTS_PREFIX, ImageKey, folder_of, parse_user_id
from app.services.cdn_protocols import CdnSigner
from app.services.placing import list_roots
from app.services.protocols import StoredObject
from app.services.service_base import ServiceBase
from app.services.stored_images import owner_of
from app.services.url_methods import DEFAULT_EXPIRY_SECONDS, MAX_EXPIRY_SECONDS, MIN_EXPIRY_SECONDS


class CdnGrant(TypedDict):
    """What opens one part of the CDN: every URL that begins as `pattern` does, up to its `*`.

    `query` is to be appended to such a URL after `?`; `cookies` are to be set with this `path`, so that those of
    several grants do not replace one another.
    """

    pattern: str
    path: str
    query: str
    cookies: Mapping[str, str]


class Grant(TypedDict):
    """A token for `?grant=`; `opens` is the image's key, or the folder's; `cdn` is empty without a CDN that signs."""

    token: str
    opens: str
    expires_at: str
    cdn: list[CdnGrant]


class GrantMethods(ServiceBase):
    """Making grants, and asking what they open."""

    def create_grant(
        self,
        *,
        s3_key: str | None = None,
        owner: tuple[str, int | str] | None = None,
        expires_in: int = DEFAULT_EXPIRY_SECONDS,
    ) -> Grant:
        """What opens all sizes of one image, or (`owner`: image type and user id) all that a user has of a type.

        Whoever has it may look until it expires: nothing takes it back before, but new keys in DELIVERY_KEYS. Made
        without network, also for images that are not there. An owner's token opens nothing in the folder that belongs
        to somebody else by its metadata; the CDN, which cannot look, opens the whole folder.

        Raises:
            InvalidRequest: both or neither are named, or DELIVERY_KEYS is not set.
            InvalidExpiry: not from 1 second to 7 days.
            InvalidImageType, InvalidUserId: the owner.
        """
        if (s3_key is None) == (owner is None):
            raise InvalidRequest("A grant is for one image, or for one owner's images of one type: name one of these.")
        if type(expires_in) is not int or not MIN_EXPIRY_SECONDS <= expires_in <= MAX_EXPIRY_SECONDS:
            raise InvalidExpiry("A grant lives from 1 second to 7 days.")
        if not self.parts.delivery.keys:
            raise InvalidRequest("This service makes no grants: DELIVERY_KEYS is not set.")
        # Whole seconds, as tokens and CDN policies have them.
        until = (self.parts.now() + timedelta(seconds=expires_in)).replace(microsecond=0)
        if s3_key is not None:
            return self._grant_image(self.parse_key(s3_key), until)
        assert owner is not None  # noqa: S101 - one of the two is there
        return self._grant_owner(self.find_type(owner[0]), parse_user_id(owner[1]), until)

    def check_grant(self, token: str, key: ImageKey) -> GrantScope:
        """The scope of a grant that opens this key now; to be passed to `check_granted` once the image is known.

        Made without network: call it before the store is asked.

        Raises:
            InvalidGrant: it is none of ours, for something else, or has expired; also when there are no keys.
        """
        return check_grant(token, key, signing_keys=self.parts.delivery.keys, now=self.parts.now())

    def check_granted(self, scope: GrantScope, key: ImageKey, stored: StoredObject) -> None:
        """Returns when a grant of this scope opens the stored original at `key`.

        Raises:
            ImageNotFound: it belongs to somebody else than the user of its folder.
        """
        check_owner(scope, key, owner_of(key, stored))

    def _grant_image(self, key: ImageKey, until: datetime) -> Grant:
        token = make_image_grant(key, expires_at=until, signing_key=self.parts.delivery.keys[0])
        return self._describe(token, str(key), until, parts=[str(key), key.variants_prefix])

    def _grant_owner(self, kind: ImageType, user_id: str, until: datetime) -> Grant:
        token = make_owner_grant(kind.prefix, user_id, expires_at=until, signing_key=self.parts.delivery.keys[0])
        private = [folder_of(root, user_id) for root in list_roots([kind], "private")]
        parts = [*private, *(f"{VARIANTS_PREFIX}{folder}" for folder in private)]
        return self._describe(token, folder_of(kind.prefix, user_id), until, parts=parts)

    def _describe(self, token: str, opens: str, until: datetime, *, parts: list[str]) -> Grant:
        signer = self.parts.cdn
        return {
            "token": token,
            "opens": opens,
            "expires_at": format_time(until.astimezone(UTC)),
            "cdn": [self._sign_part(signer, prefix, until) for prefix in parts] if signer else [],
        }

    def _sign_part(self, signer: CdnSigner, prefix: str, until: datetime) -> CdnGrant:
        # The key is percent-encoded, so that the `*` at the end is the only one. One before it would match whatever a
        # stranger writes there, up to a query string that holds the rest: https://cdn/others.jpg?/users/123/
        url = self.parts.urls.public_url(prefix)
        pattern = f"{url}*"
        return {
            "pattern": pattern,
            "path": urlsplit(url).path.rstrip("/"),
            "query": signer.signed_pattern(url, pattern, expires_at=until).partition("?")[2],
            "cookies": signer.cookies(pattern, expires_at=until),
        }
