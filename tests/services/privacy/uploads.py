"""What an upload leaves behind: in the store, in answers, and in logs."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from app.services.image_service import ImageService


async def everything_stored(service: ImageService) -> bytes:
    """Keys, descriptions and bodies of all objects, one after the other."""
    store = service.parts.store
    parts = []
    for listed in await store.list(""):
        stream = await store.get(listed.key)
        parts.append(repr((listed, stream.object)).encode())
        parts += [chunk async for chunk in stream.chunks]
    return b"\n".join(parts)


async def delete_everything(service: ImageService) -> None:
    for listed in await service.parts.store.list(""):
        await service.parts.store.delete(listed.key)


def told(response: Any) -> bytes:
    content: bytes = response.content
    return repr(dict(response.headers)).encode() + content


def logged(caplog: pytest.LogCaptureFixture) -> bytes:
    """Every record with all that hangs on it."""
    formatter = logging.Formatter()
    return "\n".join(f"{formatter.format(record)} {vars(record)}" for record in caplog.records).encode()
