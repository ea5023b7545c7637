"""The outermost layer of the application: one line per request in the log, and an answer to what nobody caught."""

from __future__ import annotations

import time
from urllib.parse import quote

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from app.core.logging import get_logger
from app.entrypoints.http.error_handlers import answer_error
from app.entrypoints.http.request_id import request_id_of, with_request_id
from app.images.signatures import without_signature

_log = get_logger("heaven.access")


class RequestLog:
    """ASGI middleware. Query strings and signatures in paths are not logged: whoever has one may see its picture."""

    def __init__(self, app: ASGIApp, *, debug: bool) -> None:
        self._app = app
        self._debug = debug

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes one request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with bound_contextvars(request_id=request_id_of(scope)):
            await self._serve(scope, receive, with_request_id(scope, send))

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        started_at = time.perf_counter()
        status: int | None = None
        aborted_by: str | None = None

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except Exception as error:
            if status is not None:
                # The answer is under way: only a broken connection can tell the client.
                aborted_by = type(error).__name__
                raise
            await answer_error(Request(scope), error, debug=self._debug)(scope, receive, watch)
        finally:
            _log.info(
                "request",
                method=scope["method"],
                # Encoded again, so that no line break of a client becomes one of the log.
                path=quote(without_signature(scope["path"]), safe="/*"),
                status=status,
                duration_ms=round((time.perf_counter() - started_at) * 1000, 1),
                **({"aborted_by": aborted_by} if aborted_by else {}),
            )
