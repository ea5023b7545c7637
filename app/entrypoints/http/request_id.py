"""The request's id: taken from the client or drawn, in every answer and every line of the log."""

from __future__ import annotations

import re
import secrets

from starlette.types import Message, Scope, Send

REQUEST_ID_HEADER = "X-Request-ID"
_RAW_NAME = REQUEST_ID_HEADER.lower().encode()
_SCOPE_KEY = "heaven.request_id"
_TAGGED_KEY = "heaven.request_id_is_sent"
_SANE = re.compile(rb"[A-Za-z0-9._-]{1,64}")


def request_id_of(scope: Scope) -> str:
    """The id that the client sent, where it is 1 to 64 of A-Za-z0-9._-, else a new one; the same for each call."""
    known = scope.get(_SCOPE_KEY)
    if isinstance(known, str):
        return known
    sent = next((value for name, value in scope["headers"] if name == _RAW_NAME), b"")
    request_id = sent.decode() if _SANE.fullmatch(sent) else secrets.token_hex(8)
    scope[_SCOPE_KEY] = request_id
    return request_id


def with_request_id(scope: Scope, send: Send) -> Send:
    """A send channel that puts the request's id into the answer's headers, unless one further out does."""
    if scope.get(_TAGGED_KEY):
        return send
    scope[_TAGGED_KEY] = True
    header = (_RAW_NAME, request_id_of(scope).encode())

    async def send_tagged(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [*message.get("headers", ())]
            if not any(name.lower() == _RAW_NAME for name, _ in headers):
                headers.append(header)
            message["headers"] = headers
        await send(message)

    return send_tagged
