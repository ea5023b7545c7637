"""`/img`: pictures of stored images in any size and format, for those who have a signed URL or a grant."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.core.delivery_settings import DeliveryAccess, DeliveryAnswer
from app.core.exceptions import ConfigurationError, ImageNotFound, InvalidImageKey, InvalidSignature
from app.core.image_types import Visibility
from app.entrypoints.http.conditions import format_date, is_unchanged, range_holds
from app.entrypoints.http.img_docs import IMG_ANSWERS, IMG_PARAMETERS
from app.entrypoints.http.key_path import KEY_PATH
from app.entrypoints.http.object_stream import object_stream
from app.entrypoints.http.ranges import parse_range
from app.images.formats import STORED_FORMATS
from app.images.grants import check_grant, check_owner, expiry_of
from app.images.keys import ImageKey
from app.images.signatures import UNSIGNED, SignedPicture, verify_picture
from app.images.transform_text import canonical_text, parse_transform
from app.services.delivery import PictureRequest
from app.services.image_service import ImageService
from app.services.protocols import StoredObject
from app.services.stored_images import owner_of

_CONTENT_TYPES = {stored.extension: stored.content_type for stored in STORED_FORMATS}
# The fallback is shown until the image is there; a redirect stays good for as long as its picture is not deleted.
_FALLBACK_CACHE = "public, max-age=60"
_REDIRECT_CACHE_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Admitted:
    """A request that may be answered; `expires_at` in seconds since 1970 where its URL or grant ends."""

    picture: PictureRequest
    expires_at: int | None = None


class ImgRoutes:
    """The endpoint `/img`."""

    def __init__(self, service: ImageService) -> None:
        self._service = service
        self._policy = service.parts.delivery
        self._fallback_key = _find_fallback(service)

    def add_to(self, router: APIRouter) -> None:
        """Registers the endpoint."""
        path = f"/img/{{signature}}/{{transform}}/{KEY_PATH}"
        for method in ("GET", "HEAD"):
            router.add_api_route(
                path,
                self.show,
                methods=[method],
                name=f"img_{method.lower()}",
                response_class=Response,
                responses=IMG_ANSWERS,
                openapi_extra={"parameters": IMG_PARAMETERS},
            )

    async def show(self, request: Request) -> Response:
        """A picture of a stored image, transformed as the URL says, in a format that the client takes."""
        signature, text, s3_key = (request.path_params[name] for name in ("signature", "transform", "s3_key"))
        admitted = await self._admit(request, signature, text, s3_key)
        if isinstance(admitted, Response):
            return admitted
        try:
            return await self._answer(request, admitted)
        except ImageNotFound:
            fallback = self._fallback(admitted.picture)
            if fallback is None:
                raise
            return await self._answer_fallback(request, fallback)

    async def _admit(self, request: Request, signature: str, text: str, s3_key: str) -> Admitted | Response:
        """Who asks may see this picture, or is sent to its one URL.

        Raises:
            InvalidSignature, UrlExpired, InvalidGrant: they may not.
            ImageNotFound: it is private, and they showed nothing that opens it.
        """
        signed: SignedPicture | None = None
        if signature != UNSIGNED:
            now = self._service.parts.now().timestamp()
            signed = verify_picture(signature, text, s3_key, keys=self._policy.keys, now=now)
        token = request.query_params.get("grant")
        if signed is None and token is None and self._policy.access is DeliveryAccess.SIGNED:
            raise InvalidSignature("URLs without a signature are off here (DELIVERY_ACCESS): make a signed one.")
        key = self._service.parse_key(s3_key)
        if signed is None:
            await self._check_stranger(key, token)
        elif signed.expires_at is None and self._service.visibility_of(key) is Visibility.PRIVATE:
            raise InvalidSignature("URLs of private images are signed with an expiry.")
        transform = parse_transform(text)
        picture = self._service.picture_request(key, transform, request.headers.get("accept", ""))
        if signed is None and (token is not None or self._policy.access is not DeliveryAccess.OPEN):
            self._service.delivery.check_allowed(picture)
        if (canonical := canonical_text(transform)) != text:
            return self._send_to(request, signature, canonical, key, signed)
        if signed is None and token is not None:
            return Admitted(picture, expiry_of(token))
        return Admitted(picture, signed.expires_at if signed else None)

    async def _check_stranger(self, key: ImageKey, token: str | None) -> None:
        if token is not None:
            parts = self._service.parts
            scope = check_grant(token, key, signing_keys=self._policy.keys, now=parts.now())
            stored = await self._service.find_object(str(key))
            check_owner(scope, key, owner_of(key, stored))
        elif self._service.visibility_of(key) is Visibility.PRIVATE:
            raise ImageNotFound

    def _send_to(
        self, request: Request, signature: str, canonical: str, key: ImageKey, signed: SignedPicture | None
    ) -> Response:
        if signed is None:
            url = self._service.url_of(signature, canonical, str(key))
            if request.url.query:
                url = f"{url}?{request.url.query}"
        else:
            url = self._service.resign(SignedPicture(canonical, str(key), signed.expires_at))
        return Response(status_code=308, headers={"Location": url, "Cache-Control": "no-store"})

    async def _answer(self, request: Request, admitted: Admitted) -> Response:
        picture, delivery = admitted.picture, self._service.delivery
        if self._policy.answer is not DeliveryAnswer.STREAM:
            return await self._redirect(admitted)
        asks_for_part = request.method == "HEAD" or "range" in request.headers
        is_conditional = "if-none-match" in request.headers or "if-modified-since" in request.headers
        if not asks_for_part and not is_conditional:
            return await self._stream(request, admitted)
        stored = await delivery.locate(picture)
        headers = self._headers(admitted, stored)
        if is_conditional and is_unchanged(request.headers, etag=stored.etag, last_modified=stored.last_modified):
            return Response(status_code=304, headers=headers)
        if request.method == "HEAD":
            return Response(headers=headers | {"Content-Length": str(stored.size)})
        return await self._stream(request, admitted, stored)

    async def _stream(self, request: Request, admitted: Admitted, stored: StoredObject | None = None) -> Response:
        header = ",".join(request.headers.getlist("range"))
        holds = stored and range_holds(request.headers, etag=stored.etag, last_modified=stored.last_modified)
        byte_range = parse_range(header, size=stored.size) if stored and header and holds else None
        if stored and byte_range:
            part = await self._service.delivery.open_part(stored, byte_range)
            if part is not None:
                return await object_stream(part, self._headers(admitted, part.object), byte_range)
        stream = await self._service.delivery.open(admitted.picture)
        return await object_stream(stream, self._headers(admitted, stream.object))

    async def _redirect(self, admitted: Admitted) -> Response:
        picture = admitted.picture
        stored = await self._service.delivery.locate(picture)
        left = self._seconds_left(admitted)
        if picture.visibility is Visibility.PUBLIC:
            url = self._service.parts.urls.public_url(stored.key)
            seconds = _REDIRECT_CACHE_SECONDS if left is None else min(_REDIRECT_CACHE_SECONDS, int(left))
            cache_control = f"public, max-age={seconds}"
        else:
            # Credentials may have to be renewed: not on the event loop.
            url = await asyncio.to_thread(self._service.private_object_url, stored.key, until=admitted.expires_at)
            cache_control = "private, no-store"
        headers = {"Location": url, "Cache-Control": cache_control, **_vary(picture)}
        return Response(status_code=int(self._policy.answer.value), headers=headers)

    def _fallback(self, picture: PictureRequest) -> PictureRequest | None:
        key = self._fallback_key
        if key is None or key == picture.key:
            return None
        return PictureRequest(key, self._service.type_name(key), Visibility.PUBLIC, picture.transform, picture.accepted)

    async def _answer_fallback(self, request: Request, fallback: PictureRequest) -> Response:
        stream = await self._service.delivery.open(fallback)
        headers = self._headers(Admitted(fallback), stream.object) | {"Cache-Control": _FALLBACK_CACHE}
        # The image that comes in its place may be older: no cache should go by the date, or join ranges of both.
        del headers["Last-Modified"], headers["Accept-Ranges"]
        if request.method == "HEAD":
            async with aclosing(stream.chunks):
                return Response(headers=headers | {"Content-Length": str(stream.object.size)})
        return await object_stream(stream, headers)

    def _seconds_left(self, admitted: Admitted) -> float | None:
        if admitted.expires_at is None:
            return None
        return max(0.0, admitted.expires_at - self._service.parts.now().timestamp())

    def _headers(self, admitted: Admitted, stored: StoredObject) -> dict[str, str]:
        picture, left = admitted.picture, self._seconds_left(admitted)
        return {
            # By the key, which this service wrote: the store's word could be anybody's.
            "Content-Type": _CONTENT_TYPES[stored.key.rpartition(".")[2]],
            "ETag": stored.etag,
            "Last-Modified": format_date(stored.last_modified),
            "Accept-Ranges": "bytes",
            "Cache-Control": self._policy.cache_control(picture.visibility, seconds_left=left),
            "Content-Disposition": "inline",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            # Who has the URL may show the picture anywhere: nothing else, no cookie or token, opened it.
            "Cross-Origin-Resource-Policy": "cross-origin",
            **({} if picture.visibility is Visibility.PUBLIC else {"Referrer-Policy": "no-referrer"}),
            **_vary(picture),
        }


def _vary(picture: PictureRequest) -> dict[str, str]:
    return {"Vary": "Accept"} if picture.transform.format is None else {}


def _find_fallback(service: ImageService) -> ImageKey | None:
    """The image that is shown where one is missing.

    Raises:
        ConfigurationError: the setting names no image that everyone may see.
    """
    text = service.parts.delivery.fallback_key
    if text is None:
        return None
    try:
        key = service.parse_key(text)
        is_public = service.visibility_of(key) is Visibility.PUBLIC
    except InvalidImageKey:
        is_public = False
    if not is_public:
        raise ConfigurationError({"DELIVERY_FALLBACK_KEY": "must be the s3_key of a public image"})
    return key
