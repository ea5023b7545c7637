"""The image API as a router for anybody's FastAPI application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, Depends, Request

from app.bootstrap import default_services
from app.core.config import Settings
from app.entrypoints.http.authentication import Authenticate, make_authenticate, remember_caller
from app.entrypoints.http.caller import Caller
from app.entrypoints.http.direct_route import direct_route_class
from app.entrypoints.http.error_handlers import add_error_handler
from app.entrypoints.http.file_routes import FileRoutes
from app.entrypoints.http.grant_routes import GrantRoutes
from app.entrypoints.http.image_routes import ImageRoutes
from app.entrypoints.http.img_routes import ImgRoutes
from app.entrypoints.http.manifest_routes import ManifestRoutes
from app.entrypoints.http.problem_route import list_methods, problem_route_class
from app.entrypoints.http.url_routes import UrlRoutes
from app.services.image_service import ImageService

__all__ = ["Caller", "add_error_handler", "create_delivery_router", "create_image_router"]


def create_image_router(
    service: ImageService | None = None,
    *,
    settings: Settings | None = None,
    authenticate: Authenticate | None = None,
) -> APIRouter:
    """The routes of images, to be included under any prefix: `app.include_router(router, prefix="/api/v1")`.

    The router needs nothing of the application: its errors are problem+json, its bodies limited, whatever handlers
    and middleware there are. `service` and `settings` default to those of the environment; without `service`, workers
    and the store (the embedded one too) are started and closed with the application. `authenticate` is a FastAPI
    dependency that returns the `Caller`, in place of what `AUTH_MODE` says; it refuses by raising.

    Raises:
        ConfigurationError: the settings are wrong.
    """
    lifespan = _default_lifespan if service is None else None
    settings = settings or default_services().settings
    service = service or default_services().image_service
    authenticate = authenticate or make_authenticate(settings)

    async def know_caller(request: Request, caller: Caller = Depends(authenticate)) -> None:  # noqa: B008
        remember_caller(request, caller)

    router = APIRouter(
        route_class=problem_route_class(debug=settings.debug),
        tags=["images"],
        dependencies=[Depends(know_caller)],
        lifespan=lifespan,
    )
    ImageRoutes(service, settings).add_to(router)
    FileRoutes(service).add_to(router)
    UrlRoutes(service, settings).add_to(router)
    GrantRoutes(service, settings).add_to(router)
    ManifestRoutes(service, settings).add_to(router)
    list_methods(router.routes)
    return router


def create_delivery_router(service: ImageService | None = None, *, settings: Settings | None = None) -> APIRouter:
    """`/img`, to be included beside the image router and without a prefix: `app.include_router(router)`.

    Nobody is authenticated there: signatures and grants say what may be seen. With a prefix `DELIVERY_BASE_URL` has to
    end with it.

    Raises:
        ConfigurationError: the settings are wrong.
    """
    settings = settings or default_services().settings
    router = APIRouter(route_class=direct_route_class(debug=settings.debug), tags=["delivery"])
    ImgRoutes(service or default_services().image_service).add_to(router)
    list_methods(router.routes)
    return router


@asynccontextmanager
async def _default_lifespan(_app: object) -> AsyncIterator[None]:
    services = default_services()
    try:
        # Processes may be started, the embedded store among them: not on the event loop.
        await asyncio.to_thread(services.start_workers)
        await asyncio.to_thread(services.connect)
        yield
    finally:
        await asyncio.to_thread(services.close)
