"""URLs of images: the public one, and a presigned one for a time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from app.core.image_types import Visibility
from app.entrypoints.http.authentication import current_caller
from app.entrypoints.http.authorization import check_may_ask, check_may_read
from app.entrypoints.http.caller import Caller
from app.entrypoints.http.key_path import KEY_PATH, KeyParameter
from app.entrypoints.http.problem_docs import problem_answers
from app.entrypoints.http.upload_docs import OPTIONAL_TOKEN
from app.images.facts import format_time
from app.schemas.images import ImageUrls
from app.services.image_service import ImageService
from app.services.stored_images import owner_of
from app.services.url_methods import DEFAULT_EXPIRY_SECONDS, MAX_EXPIRY_SECONDS, MIN_EXPIRY_SECONDS

# Told, not enforced here: the service refuses with a code of its own.
_EXPIRY_BOUNDS: dict[str, Any] = {"minimum": MIN_EXPIRY_SECONDS, "maximum": MAX_EXPIRY_SECONDS}


class UrlRoutes:
    """The endpoint under `/urls`."""

    def __init__(self, service: ImageService) -> None:
        self._service = service

    def add_to(self, router: APIRouter) -> None:
        """Registers the endpoint."""
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
        expires_in: Annotated[int, Query(description="Seconds.", examples=[600], json_schema_extra=_EXPIRY_BOUNDS)] = (
            DEFAULT_EXPIRY_SECONDS
        ),
    ) -> ImageUrls:
        """The image's URLs. Made without asking the store whether it is there, unless it is private."""
        await self._check_may_have(s3_key, caller)
        signed_at = datetime.now(UTC)
        # The first URL makes the client that signs, and may start the embedded store: not on the event loop.
        presigned_url = await asyncio.to_thread(self._service.get_presigned_url, s3_key, expires_in)
        response.headers["Cache-Control"] = "no-store"
        return ImageUrls(
            s3_key=s3_key,
            url=self._service.get_image_url(s3_key),
            presigned_url=presigned_url,
            expires_in=expires_in,
            expires_at=format_time(signed_at + timedelta(seconds=expires_in)),
        )

    async def _check_may_have(self, s3_key: str, caller: Caller) -> None:
        key = self._service.parse_key(s3_key)
        visibility = self._service.visibility_of(key)
        check_may_ask(caller, visibility)
        if visibility is Visibility.PRIVATE:
            stored = await self._service.find_object(s3_key)
            check_may_read(caller, visibility, owner_of(key, stored))
