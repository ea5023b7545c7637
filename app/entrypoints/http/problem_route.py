"""A route that answers every error itself, so that the routes keep their promises in anybody's application."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.entrypoints.http.error_handlers import answer_error
from app.entrypoints.http.request_id import with_request_id
from app.entrypoints.http.unread_body import UnreadBody


class ProblemRoute(APIRoute):
    """Errors leave as problem+json, every answer carries the request's id. Make it by `problem_route_class`."""

    debug = False
    # The methods of all routes with this path, for `Allow`; `list_methods` fills it in.
    path_methods: frozenset[str] = frozenset()

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler with its errors answered here: the application's own handlers would see them first."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except Exception as error:  # noqa: BLE001 - answered, and logged where it is no error of ours
                return answer_error(request, error, debug=self.debug)

        return answer

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request whose path matches; its method may not."""
        body = UnreadBody(scope, receive, with_request_id(scope, send))
        own_methods = self.methods or set()
        if scope["method"] in own_methods:
            await self._serve(scope, body.receive, body.send)
            return
        allowed = ", ".join(sorted(self.path_methods or own_methods))
        refusal = HTTPException(405, headers={"Allow": allowed})
        answer = answer_error(Request(scope), refusal, debug=self.debug)
        await answer(scope, body.receive, body.send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        await super().handle(scope, receive, send)


def problem_route_class(*, debug: bool) -> type[ProblemRoute]:
    """The route class for a router; with `debug` its problems show their cause."""
    return type("ProblemRoute", (ProblemRoute,), {"debug": debug})


def list_methods(routes: list[Any]) -> None:
    """Tells each route which methods its path answers in all."""
    ours = [route for route in routes if isinstance(route, ProblemRoute)]
    for route in ours:
        same_path = [other for other in ours if other.path == route.path]
        route.path_methods = frozenset[str]().union(*(other.methods or () for other in same_path))
