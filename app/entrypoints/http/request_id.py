"""The request's id: taken from the client or drawn, in every answer and every line of the log."""

from __future__ import annotations

import re
import secrets

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Message, Scope, Send

REQUEST_ID_HEADER = "X-Request-ID"
_SCOPE_KEY = "heaven.request_id"
_SANE = re.compile(r"[A-Za-z0-9._-]{1,64}")


def request_id_of(scope: Scope) -> str:
    """The id that the client sent, where it is 1 to 64 of A-Za-z0-9._-, else a new one; the same for each call."""
    known = scope.get(_SCOPE_KEY)
    if isinstance(known, str):
        return known
    sent = Headers(scope=scope).get(REQUEST_ID_HEADER, "")
    request_id = sent if _SANE.fullmatch(sent) else secrets.token_hex(8)
    scope[_SCOPE_KEY] = request_id
    return request_id


def with_request_id(scope: Scope, send: Send) -> Send:
    """A send channel that puts the request's id into the answer's headers."""
    request_id = request_id_of(scope)

    async def send_tagged(message: Message) -> None:
        if message["type"] == "http.response.start":
            message.setdefault("headers", [])
            MutableHeaders(scope=message).setdefault(REQUEST_ID_HEADER, request_id)
        await send(message)

    return send_tagged
