"""Answers as S3 documents them, and a connection to whoever gives them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from app.services.protocols import NewObject, ObjectStore
from app.services.s3_connection import S3Connection
from tests.fault_proxy import Answer

if TYPE_CHECKING:
    pass


SECRET = "wrong-secret-that-nobody-may-read"


CALLS: dict[str, Callable[[ObjectStore], Awaitable[object]]] = {
    "create": lambda store: store.create(NewObject("users/1/new.jpg", b"body", "image/jpeg", "no-cache")),
    "head": lambda store: store.head("users/1/a.jpg"),
    "get": lambda store: store.get("users/1/a.jpg"),
    "delete": lambda store: store.delete("users/1/a.jpg"),
    "list": lambda store: store.list("users/"),
    "check_bucket": lambda store: store.check_bucket(),
}


def recorded_answer(code: str, status: int) -> Answer:
    if code.isdigit():
        return Answer(status)
    body = f"<Error><Code>{code}</Code><Message>As recorded.</Message><RequestId>REQUEST1</RequestId></Error>"
    return Answer(status, body.encode(), {"Content-Type": "application/xml", "x-amz-request-id": "REQUEST1"})


def at(endpoint_url: str, **changes: Any) -> S3Connection:
    return replace(
        S3Connection("photos", "eu-central-1", endpoint_url, access_key_id="AKIAEXAMPLE", secret_access_key=SECRET),
        **({"max_attempts": 1} | changes),
    )
