"""Grants: tokens that open all sizes of one image, or one user's images of a type, to whoever holds them."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from app.core.config import Settings
from app.core.exceptions import InvalidRequest
from app.entrypoints.http.authentication import current_caller
from app.entrypoints.http.authorization import check_known, check_may_change, check_may_grant
from app.entrypoints.http.caller import Caller
from app.entrypoints.http.json_body import json_body, json_limits, read_json
from app.entrypoints.http.problem_docs import problem_answers
from app.images.keys import parse_user_id
from app.schemas.grants import CreatedGrant, GrantRequest
from app.services.grant_methods import Grant
from app.services.image_service import ImageService
from app.services.stored_images import owner_of


class GrantRoutes:
    """The endpoint `/grants`."""

    def __init__(self, service: ImageService, settings: Settings) -> None:
        self._service = service
        self._settings = settings

    def add_to(self, router: APIRouter) -> None:
        """Registers the endpoint."""
        router.add_api_route(
            "/grants",
            self.create_grant,
            methods=["POST"],
            status_code=201,
            response_model=CreatedGrant,
            responses=problem_answers(400, 401, 403, 404, 408, 413, 422),
            openapi_extra={"requestBody": json_body(GrantRequest)},
        )

    async def create_grant(
        self, request: Request, response: Response, caller: Annotated[Caller, Depends(current_caller)]
    ) -> Grant:
        """A grant for one image in all its sizes, or for one user's images of a type. For owners and admins only.

        Whoever has the token may look until it expires, without any other proof.
        """
        check_known(caller)
        wanted = await read_json(request, GrantRequest, limits=json_limits(self._settings))
        asked = await self._check_may_grant(wanted, caller)
        response.headers["Cache-Control"] = "no-store"
        # A CDN's signature takes a millisecond, and the first URL may start the embedded store: not on the event loop.
        return await asyncio.to_thread(self._service.create_grant, expires_in=wanted.expires_in, **asked)

    async def _check_may_grant(self, wanted: GrantRequest, caller: Caller) -> dict[str, Any]:
        """The arguments that say what is to be opened, once the caller may open it."""
        if wanted.s3_key is not None and wanted.image_type is None and wanted.user_id is None:
            key = self._service.parse_key(wanted.s3_key)
            stored = await self._service.find_object(wanted.s3_key)
            check_may_change(caller, self._service.visibility_of(key), owner_of(key, stored))
            return {"s3_key": wanted.s3_key}
        if wanted.s3_key is None and wanted.image_type is not None and wanted.user_id is not None:
            check_may_grant(caller, parse_user_id(wanted.user_id))
            return {"owner": (wanted.image_type, wanted.user_id)}
        raise InvalidRequest("A grant is for an `s3_key`, or for an `image_type` and a `user_id`.")
