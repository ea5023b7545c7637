"""The HTTP service: the image API, health checks, documentation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from app.bootstrap import Services, default_services
from app.core.exceptions import ImageServiceError
from app.core.logging import configure_logging, get_logger
from app.entrypoints.http.error_handlers import add_error_handler
from app.entrypoints.http.health_routes import HealthRoutes
from app.entrypoints.http.problem_route import list_methods, problem_route_class
from app.entrypoints.http.request_log import RequestLog
from app.entrypoints.http.router import create_delivery_router, create_image_router

API_PREFIX = "/api/v1"
DOCS_URL = "/docs"

_log = get_logger("heaven.http")


def create_app(services: Services | None = None) -> FastAPI:
    """The application. Without `services` it makes those of the environment and closes them at its end.

    The embedded store and the workers are started with the application, so that a failure ends the start.

    Raises:
        ConfigurationError: the settings are wrong.
    """
    used = services or default_services()
    debug = used.settings.debug
    app = FastAPI(
        title="Heaven Connect Image Service",
        summary="A photo goes in; a small, safe, upright picture lies in S3.",
        version="1",
        docs_url=DOCS_URL,
        lifespan=_lifespan_of(used, closes_services=services is None),
    )
    for kind in (ImageServiceError, HTTPException, RequestValidationError):
        add_error_handler(app, kind, debug=debug)
    app.add_middleware(RequestLog, debug=debug)
    app.include_router(create_image_router(used.image_service, settings=used.settings), prefix=API_PREFIX)
    app.include_router(create_delivery_router(used.image_service, settings=used.settings))
    app.include_router(_own_routes(used))
    return app


def _own_routes(services: Services) -> APIRouter:
    debug = services.settings.debug
    router = APIRouter(route_class=problem_route_class(debug=debug))
    HealthRoutes(services.image_service, debug=debug).add_to(router)
    router.add_api_route("/", _show_documentation, methods=["GET"], include_in_schema=False)
    list_methods(router.routes)
    return router


async def _show_documentation() -> Response:
    return RedirectResponse(DOCS_URL)


def _lifespan_of(
    services: Services, *, closes_services: bool
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        configure_logging(services.settings)
        try:
            # Processes may be started, the embedded store among them: not on the event loop.
            confinement = await asyncio.to_thread(services.start_workers)
            connection = await asyncio.to_thread(services.connect)
            _log.info(
                "started",
                store="embedded" if services.embedded else "s3",
                endpoint=connection.endpoint_url or connection.aws_endpoint_url,
                bucket=connection.bucket,
                auth_mode=services.settings.auth_mode.value,
                environment=services.settings.environment.value,
                sandbox=confinement.level,
            )
            if confinement.missing:
                _log.warning("decoders_not_fully_confined", missing=[measure.value for measure in confinement.missing])
            async with services.invalidating():
                yield
        finally:
            if closes_services:
                await asyncio.to_thread(services.close)

    return lifespan
