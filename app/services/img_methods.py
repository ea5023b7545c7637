"""The use cases of delivery: URLs of pictures in any size, made without network, and the pictures themselves."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable
from contextlib import aclosing
from typing import Any
from urllib.parse import quote

from app.core.delivery_settings import DeliveryAccess
from app.core.exceptions import InvalidExpiry, InvalidRequest
from app.core.image_types import Visibility
from app.images.keys import ImageKey, encode_key
from app.images.negotiation import parse_accept
from app.images.signatures import UNSIGNED, SignedPicture, sign_picture
from app.images.transform_text import canonical_text, make_transform, parse_transform
from app.images.transforms import Transform
from app.services.delivery import Delivery, PictureRequest
from app.services.delivery_candidates import allowed_widths, check_restricted, find_preset
from app.services.delivery_policy import IMG_PREFIX
from app.services.protocols import StoredObject
from app.services.service_base import ServiceBase
from app.services.wiring import Wiring

_PLAIN_IN_PATHS = ":,~"


class ImgMethods(ServiceBase):
    """`/img` URLs and what they show."""

    def __init__(self, wire: Callable[[], Wiring]) -> None:
        super().__init__(wire)
        self._delivery_lock = threading.Lock()
        self._delivery: Delivery | None = None

    @property
    def delivery(self) -> Delivery:
        """Finds, makes and remembers transformed pictures; one for the service."""
        if self._delivery is None:
            parts = self.parts
            with self._delivery_lock:
                if self._delivery is None:
                    self._delivery = Delivery(parts)
        return self._delivery

    def img_url(self, s3_key: str, transform: Transform | str, *, expires_in: int | None = None) -> str:
        """The `/img` URL of a transform, made without network or look-up; signed where there are `DELIVERY_KEYS`.

        `expires_in` is in seconds. Without it the URL of a public image never ends, that of a private one is stable:
        the same for a window of `URL_WINDOW_SECONDS`, good for one window more.

        Raises:
            InvalidTransform: it is none, or not allowed without a signature.
            InvalidExpiry: it is not 1 or more.
            InvalidRequest: the URL must be signed, and there are no keys.
        """
        key = self.parse_key(s3_key)
        asked = parse_transform(transform) if isinstance(transform, str) else transform
        text = canonical_text(asked)
        if asked.preset is not None:
            find_preset(self.parts.plans[self.type_name(key)], asked.preset)
        if expires_in is not None and (type(expires_in) is not int or expires_in < 1):
            raise InvalidExpiry("An /img URL lives for 1 second or more.")
        return self.url_of(self._signature(key, asked, text, expires_in), text, str(key))

    def image_url(self, s3_key: str, width: int | None = None, **options: Any) -> str:
        """The URL of the image in a width, for templates: `image_url(key, width=640)`; without network.

        `options` are those of `make_transform`, and `expires_in`. Without width and options: of the whole image.
        """
        expires_in = options.pop("expires_in", None)
        return self.img_url(s3_key, make_transform(width=width, **options), expires_in=expires_in)

    def srcset(self, s3_key: str, widths: Iterable[int] | None = None, **options: Any) -> str:
        """The `srcset` of an `<img>`, for templates: a URL for each width (default: those of its type's variants).

        Nothing is enlarged: what is wider than the image shows it in its own size.
        """
        key = self.parse_key(s3_key)
        if widths is None:
            widths = allowed_widths(self.parts.plans[self.type_name(key)])
        return ", ".join(f"{self.image_url(s3_key, width, **options)} {width}w" for width in sorted(set(widths)))

    async def transform_image(
        self, s3_key: str, transform: Transform | str, *, accept: str = ""
    ) -> tuple[StoredObject, bytes]:
        """The picture as `/img` would send it to a client with this `Accept`, made and stored where it was not.

        Raises:
            InvalidTransform, ImageNotFound, ProcessingOverloaded, S3Error.
        """
        asked = parse_transform(transform) if isinstance(transform, str) else transform
        stream = await self.delivery.open(self.picture_request(self.parse_key(s3_key), asked, accept))
        async with aclosing(stream.chunks) as chunks:
            return stream.object, b"".join([chunk async for chunk in chunks])

    def picture_request(self, key: ImageKey, transform: Transform, accept: str) -> PictureRequest:
        """The request for one picture by a client with this `Accept`."""
        return PictureRequest(key, self.type_name(key), self.visibility_of(key), transform, parse_accept(accept))

    def url_of(self, signature: str, text: str, s3_key: str) -> str:
        """The URL with this signature."""
        path = f"{IMG_PREFIX}/{signature}/{quote(text, safe=_PLAIN_IN_PATHS)}/{encode_key(s3_key)}"
        return f"{self.parts.delivery.base_url}{path}"

    def _signature(self, key: ImageKey, transform: Transform, text: str, expires_in: int | None) -> str:
        policy, is_private = self.parts.delivery, self.visibility_of(key) is Visibility.PRIVATE
        if policy.keys:
            expires_at = self._expiry(expires_in, is_private=is_private)
            return sign_picture(SignedPicture(text, str(key), expires_at), policy.keys[0])
        if is_private or expires_in is not None:
            raise InvalidRequest("URLs of private images, and URLs that end, are signed: set DELIVERY_KEYS.")
        if policy.access is not DeliveryAccess.OPEN:
            check_restricted(transform, self.parts.plans[self.type_name(key)])
        return UNSIGNED

    def _expiry(self, expires_in: int | None, *, is_private: bool) -> int | None:
        now = self.parts.now().timestamp()
        if expires_in is not None:
            return math.ceil(now) + expires_in
        if not is_private:
            return None
        window = self.parts.delivery.url_window_seconds
        return int(now // window) * window + 2 * window

    def resign(self, picture: SignedPicture) -> str:
        """The URL of a picture whose URL was signed, in other words: with its own expiry."""
        return self.url_of(sign_picture(picture, self.parts.delivery.keys[0]), picture.transform, picture.s3_key)
