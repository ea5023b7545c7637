"""Health: whether the process lives, and whether it can do its work."""

from __future__ import annotations

import asyncio
import time

from fastapi import APIRouter, Request, Response

from app.core.exceptions import ImageServiceError
from app.entrypoints.http.error_handlers import answer_service_error
from app.entrypoints.http.problem_docs import problem_answers
from app.schemas.images import Health
from app.services.image_service import ImageService

CACHE_SECONDS = 5.0
_NOT_READY = 503


class Readiness:
    """Whether the bucket answers. The answer is kept for seconds, and asked for by one request at a time."""

    def __init__(self, service: ImageService) -> None:
        self._service = service
        self._good_until = 0.0
        self._fault: ImageServiceError | None = None
        self._asking: asyncio.Task[ImageServiceError | None] | None = None

    async def find_fault(self) -> ImageServiceError | None:
        """What keeps the service from working, or None."""
        if time.monotonic() < self._good_until:
            return self._fault
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        return await asyncio.shield(self._asking)

    async def _ask(self) -> ImageServiceError | None:
        fault: ImageServiceError | None = None
        try:
            await self._service.check_ready()
        except ImageServiceError as error:
            fault = error
        self._fault = fault
        self._good_until = time.monotonic() + CACHE_SECONDS
        return fault


class HealthRoutes:
    """`/healthz` and `/readyz`."""

    def __init__(self, service: ImageService, *, debug: bool) -> None:
        self._readiness = Readiness(service)
        self._debug = debug

    def add_to(self, router: APIRouter) -> None:
        """Registers the endpoints."""
        router.add_api_route("/healthz", self.is_alive, methods=["GET"], response_model=Health, tags=["health"])
        router.add_api_route(
            "/readyz",
            self.is_ready,
            methods=["GET"],
            response_model=Health,
            tags=["health"],
            responses=problem_answers(),
        )

    async def is_alive(self) -> Health:
        """The process lives. The store is not asked."""
        return Health(status="alive")

    async def is_ready(self, request: Request) -> Response | Health:
        """The bucket answers; asked at most every few seconds."""
        fault = await self._readiness.find_fault()
        if fault is None:
            return Health(status="ready")
        return answer_service_error(request, fault, status=_NOT_READY, debug=self._debug)
