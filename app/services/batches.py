"""Many uploads at once: a bounded number under way, an outcome for each, and no failure that loses another's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from app.core.exceptions import ImageServiceError, InternalError
from app.core.logging import get_logger
from app.images.facts import clean_file_name
from app.services.results import UploadOutcome, UploadResult
from app.services.upload_sources import UploadSource, name_of

_log = get_logger("heaven.images")


async def upload_each(
    files: Iterable[UploadSource], upload: Callable[[UploadSource], Awaitable[UploadResult]], *, concurrency: int
) -> list[UploadOutcome]:
    """An outcome per file, in the files' order."""
    gate = asyncio.Semaphore(max(1, concurrency))

    async def upload_one(file: UploadSource) -> UploadOutcome:
        name = None
        async with gate:
            try:
                name = clean_file_name(name_of(file))
                return UploadOutcome(name, result=await upload(file))
            except ImageServiceError as error:
                return UploadOutcome(name, error=error)
            except Exception as error:  # noqa: BLE001 - a fault of ours in one file must not lose the others
                return UploadOutcome(name, error=_internal_error(error))

    # Unlike `gather`, a group that is cancelled waits until each upload has taken back what it wrote.
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(upload_one(file)) for file in files]
    return [task.result() for task in tasks]


def _internal_error(error: Exception) -> InternalError:
    _log.error("upload_failed", exc_info=error)
    failure = InternalError(cause={"exception": type(error).__name__})
    failure.__cause__ = error
    return failure
