"""One limit for everything that a single use case asks of the store, however many requests that takes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.core.exceptions import S3ConnectionFailed


@asynccontextmanager
async def store_time(seconds: float) -> AsyncIterator[None]:
    """The block ends within `seconds`; what it has under way then is cancelled, and so leaves nothing behind.

    Raises:
        S3ConnectionFailed: time was up; repeating may help.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise S3ConnectionFailed(cause={"operation": "several", "exception": "total time-out"}) from error
