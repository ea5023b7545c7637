"""Manifests of many images in one call."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from app.core.config import Settings
from app.core.exceptions import TooManyFiles
from app.core.image_types import Visibility
from app.entrypoints.http.authentication import current_caller
from app.entrypoints.http.authorization import owns
from app.entrypoints.http.caller import Caller
from app.entrypoints.http.json_body import json_body, json_limits, read_json
from app.entrypoints.http.problem_docs import problem_answers
from app.entrypoints.http.upload_docs import OPTIONAL_TOKEN
from app.images.manifests import Manifest
from app.schemas.manifests import ManifestRequest, Manifests
from app.services.image_service import ImageService
from app.services.manifest_methods import MAX_MANIFESTS

# 100 keys of 200 characters, each written as six, and `sizes`.
_MAX_BODY_BYTES = 128 * 1024


class ManifestRoutes:
    """The endpoint `/manifests`."""

    def __init__(self, service: ImageService, settings: Settings) -> None:
        self._service = service
        self._limits = json_limits(settings, max_bytes=_MAX_BODY_BYTES)

    def add_to(self, router: APIRouter) -> None:
        """Registers the endpoint."""
        router.add_api_route(
            "/manifests",
            self.get_manifests,
            methods=["POST"],
            response_model=Manifests,
            responses=problem_answers(400, 401, 408, 413, 422),
            openapi_extra={**OPTIONAL_TOKEN, "requestBody": json_body(ManifestRequest)},
        )

    async def get_manifests(
        self, request: Request, response: Response, caller: Annotated[Caller, Depends(current_caller)]
    ) -> dict[str, Any]:
        """What a page needs to show up to 100 images. Private images of others are null, as if they were not there."""
        asked = await read_json(request, ManifestRequest, limits=self._limits)
        response.headers["Cache-Control"] = "private, no-store"
        return {"manifests": await self._find(asked, caller)}

    async def _find(self, asked: ManifestRequest, caller: Caller) -> dict[str, Manifest | None]:
        if len(asked.keys) > MAX_MANIFESTS:
            raise TooManyFiles(f"At most {MAX_MANIFESTS} keys in one request.")
        # The store is not asked for what the answer may not depend on.
        askable = [key for key in asked.keys if not self._is_private(key) or not caller.is_anonymous]
        found = await self._service.get_manifests(
            askable,
            sizes=asked.sizes,
            may_see=lambda visibility, owner: visibility is Visibility.PUBLIC or owns(caller, owner),
        )
        return {key: found.get(key) for key in asked.keys}

    def _is_private(self, s3_key: str) -> bool:
        return self._service.visibility_of(self._service.parse_key(s3_key)) is Visibility.PRIVATE
