"""A route for what must be answered fast: its endpoint gets the request and gives the answer, with nothing between."""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from app.entrypoints.http.error_handlers import answer_error
from app.entrypoints.http.problem_route import ProblemRoute


class DirectRoute(ProblemRoute):
    """Calls `await endpoint(request) -> Response`. Make it by `direct_route_class`.

    FastAPI solves no dependencies here, also none of the router or of the application: nobody is authenticated, and
    parameters are in `request.path_params` as the path's convertors made them. The API's documentation knows what
    `responses` and `openapi_extra` say. Errors, methods, request ids and unread bodies are as on `ProblemRoute`.
    """

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        try:
            answer = await self.endpoint(request)
        except Exception as error:  # noqa: BLE001 - answered, and logged where it is no error of ours
            answer = answer_error(request, error, debug=self.debug)
        await answer(scope, receive, send)


def direct_route_class(*, debug: bool) -> type[DirectRoute]:
    """The route class for a router; with `debug` its problems show their cause."""
    return type("DirectRoute", (DirectRoute,), {"debug": debug})
