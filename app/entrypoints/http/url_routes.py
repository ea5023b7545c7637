"""URLs of images: the public one and a presigned one for a time, of one image or of many."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from app.core.config import Settings
from app.core.exceptions import ImageNotFound, InvalidRequest
from app.core.image_types import Visibility
from app.entrypoints.http.authentication import current_caller
from app.entrypoints.http.authorization import check_may_ask, check_may_read, owns
from app.entrypoints.http.caller import Caller
from app.entrypoints.http.json_body import json_body, read_json
from app.entrypoints.http.key_path import KEY_PATH, KeyParameter
from app.entrypoints.http.problem_docs import problem_answers
from app.entrypoints.http.request_body import BodyLimits
from app.entrypoints.http.upload_docs import OPTIONAL_TOKEN
from app.images.facts import format_time
from app.schemas.images import ImageUrls
from app.schemas.urls import ImageUrlBatch, UrlsRequest
from app.services.image_service import ImageService
from app.services.stored_images import owner_of
from app.services.url_methods import DEFAULT_EXPIRY_SECONDS, MAX_EXPIRY_SECONDS, MIN_EXPIRY_SECONDS, PresignedUrls

# 1,000 keys of 100 characters would be a fifth of it.
_MAX_BODY_BYTES = 512 * 1024
# Told, not enforced here: the service refuses with a code of its own.
_EXPIRY_BOUNDS: dict[str, Any] = {"minimum": MIN_EXPIRY_SECONDS, "maximum": MAX_EXPIRY_SECONDS}

_Lifetime = Annotated[
    int | None,
    Query(
        description=f"Seconds; {DEFAULT_EXPIRY_SECONDS} unless given. Not together with `stable`.",
        examples=[600],
        json_schema_extra=_EXPIRY_BOUNDS,
    ),
]
_Stable = Annotated[
    bool, Query(description="The URL of the current window: the same one until the window ends.", examples=[True])
]


class UrlRoutes:
    """The endpoints under `/urls`."""

    def __init__(self, service: ImageService, settings: Settings) -> None:
        self._service = service
        self._limits = BodyLimits(
            max_files=1,
            max_file_bytes=_MAX_BODY_BYTES,
            idle_seconds=settings.upload_idle_timeout_seconds,
            total_seconds=settings.upload_total_timeout_seconds,
        )

    def add_to(self, router: APIRouter) -> None:
        """Registers the endpoints."""
        router.add_api_route(
            "/urls",
            self.presign_many,
            methods=["POST"],
            response_model=ImageUrlBatch,
            responses=problem_answers(400, 401, 403, 404, 408, 413, 422),
            openapi_extra={**OPTIONAL_TOKEN, "requestBody": json_body(UrlsRequest)},
        )
        router.add_api_route(
            f"/urls/{KEY_PATH}",
            self.get_urls,
            methods=["GET"],
            response_model=ImageUrls,
            responses=problem_answers(400, 401, 403, 404, 422),
            openapi_extra=OPTIONAL_TOKEN,
        )

    async def get_urls(
        self,
        s3_key: KeyParameter,
        response: Response,
        caller: Annotated[Caller, Depends(current_caller)],
        expires_in: _Lifetime = None,
        stable: _Stable = False,
    ) -> ImageUrls:
        """The image's URLs. Made without asking the store whether it is there, unless it is private."""
        await self._check_may_have(s3_key, caller)
        lifetime = _choose_lifetime(expires_in, stable=stable)
        # The first URL makes the client that signs, and may start the embedded store: not on the event loop.
        key = self._service.parse_key(s3_key)
        presigned = await asyncio.to_thread(self._service.presign, [key], expires_in=lifetime)
        response.headers["Cache-Control"] = "no-store"
        remaining = presigned.expires_at - self._service.parts.now()
        return ImageUrls(
            s3_key=s3_key,
            url=self._service.get_image_url(s3_key),
            presigned_url=presigned.urls[s3_key],
            expires_in=int(remaining.total_seconds()) if lifetime is None else lifetime,
            expires_at=format_time(presigned.expires_at),
        )

    async def presign_many(
        self, request: Request, response: Response, caller: Annotated[Caller, Depends(current_caller)]
    ) -> ImageUrlBatch:
        """Presigned URLs of up to 1,000 images; all of them, or none. The store is not asked whether they are there.

        So of private images only those in the caller's own folder can be had here, and by admins all: for a private
        image of an owner whom only its metadata names, ask `GET /urls/{s3_key}`.
        """
        asked = await read_json(request, UrlsRequest, limits=self._limits)
        presigned = await asyncio.to_thread(self._presign, asked, caller)
        response.headers["Cache-Control"] = "no-store"
        return ImageUrlBatch(urls=presigned.urls, expires_at=format_time(presigned.expires_at))

    def _presign(self, asked: UrlsRequest, caller: Caller) -> PresignedUrls:
        keys = self._service.parse_keys(asked.keys)
        for at, key in enumerate(keys):
            if self._service.visibility_of(key) is Visibility.PRIVATE and not owns(caller, key.user_id):
                raise ImageNotFound(f"There is no image at keys[{at}].")
        return self._service.presign(keys, expires_in=_choose_lifetime(asked.expires_in, stable=asked.stable))

    async def _check_may_have(self, s3_key: str, caller: Caller) -> None:
        key = self._service.parse_key(s3_key)
        visibility = self._service.visibility_of(key)
        check_may_ask(caller, visibility)
        if visibility is Visibility.PRIVATE:
            stored = await self._service.find_object(s3_key)
            check_may_read(caller, visibility, owner_of(key, stored))


def _choose_lifetime(expires_in: int | None, *, stable: bool) -> int | None:
    """Seconds, or None for the window's.

    Raises:
        InvalidRequest: both are asked for.
    """
    if not stable:
        return DEFAULT_EXPIRY_SECONDS if expires_in is None else expires_in
    if expires_in is not None:
        raise InvalidRequest("A stable URL lives as long as its window: ask for `stable` or `expires_in`, not both.")
    return None
