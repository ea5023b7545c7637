"""What callers may upload: an `UploadFile`, bytes, a path, a binary file; read whole, but never past the limit."""

from __future__ import annotations

import asyncio
import inspect
from pathlib import Path
from typing import IO, Any, Protocol, runtime_checkable

from app.core.exceptions import InvalidRequest
from app.images.limits import check_file_size


@runtime_checkable
class AsyncUpload(Protocol):
    """A file whose `read` is awaited, such as FastAPI's `UploadFile`."""

    filename: str | None

    async def read(self, size: int = -1) -> bytes: ...


UploadSource = AsyncUpload | IO[bytes] | bytes | bytearray | memoryview | str | Path


def name_of(source: UploadSource) -> str | None:
    """The file name that the source claims, unchecked."""
    match source:
        case str() | Path():
            return Path(source).name
        case bytes() | bytearray() | memoryview():
            return None
    name = getattr(source, "filename", None) or getattr(source, "name", None)
    return name if isinstance(name, str) else None


async def read_source(source: UploadSource, *, max_bytes: int) -> bytes:
    """The source's bytes; at most one more than `max_bytes` is ever read.

    Raises:
        ImageTooLarge: there are more than `max_bytes`.
        ImageEmpty: there are none.
        InvalidRequest: the path cannot be read, or this is no source at all.
    """
    content = await _read_up_to(source, max_bytes + 1)
    check_file_size(len(content), max_bytes=max_bytes)
    return content


async def _read_up_to(source: Any, limit: int) -> bytes:
    if isinstance(source, bytes):
        return source
    if isinstance(source, bytearray | memoryview):
        return bytes(source)
    if isinstance(source, str | Path):
        return await asyncio.to_thread(_read_path, Path(source), limit)
    read = getattr(source, "read", None)
    if read is None:
        raise InvalidRequest(f"A {type(source).__name__} cannot be uploaded: give a file, bytes or a path.")
    try:
        if inspect.iscoroutinefunction(read):
            return await _read_async(read, limit)
        return await asyncio.to_thread(_read_file, read, limit)
    except (OSError, ValueError) as error:
        # Python answers a read from a closed file with ValueError.
        raise InvalidRequest("The file cannot be read.") from error


def _read_path(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(limit)
    except OSError as error:
        raise InvalidRequest(f"{path.name} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        # A NUL in the name.
        raise InvalidRequest("The path is no path of a file.") from error


def _read_file(read: Any, limit: int) -> bytes:
    """Raw and network files may answer with less than was asked for; b"" is the end."""
    parts: list[bytes] = []
    missing = limit
    while missing > 0 and (part := _bytes_of(read(missing))):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


async def _read_async(read: Any, limit: int) -> bytes:
    parts: list[bytes] = []
    missing = limit
    while missing > 0 and (part := _bytes_of(await read(missing))):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def _bytes_of(content: object) -> bytes:
    if not isinstance(content, bytes):
        raise InvalidRequest("The file must be opened in binary mode.")
    return content
