"""CloudFront as the settings describe it: the signer, the invalidator of use cases, and its worker."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from app.core.config import Settings
from app.core.exceptions import ConfigurationError
from app.services.cloudfront.control_api import ControlApi
from app.services.cloudfront.invalidation import QueuedInvalidator
from app.services.cloudfront.private_keys import load_private_key
from app.services.cloudfront.queue import InvalidationQueue
from app.services.cloudfront.signing import CloudFrontSigner
from app.services.cloudfront.worker import SETTLE_MARGIN_SECONDS, InvalidationWorker, Pass
from app.services.protocols import ObjectStore
from app.services.s3_connection import S3Connection


def make_signer(settings: Settings) -> CloudFrontSigner | None:
    """What signs for CloudFront, or None where the settings name no key.

    Raises:
        ConfigurationError: the key cannot sign, or there is no CDN for whose URLs it could.
    """
    key, key_pair_id = load_private_key(settings), settings.cloudfront_key_pair_id
    if key is None or key_pair_id is None:
        return None
    if settings.cdn_base_url is None:
        raise ConfigurationError({"CDN_BASE_URL": "must be set when CLOUDFRONT_KEY_PAIR_ID is"})
    return CloudFrontSigner(key, key_pair_id)


class CdnInvalidation:
    """One distribution's invalidations: `invalidator` for use cases, and a worker for one event loop at a time."""

    def __init__(self, store: ObjectStore, connection: S3Connection, distribution_id: str) -> None:
        self._queue = InvalidationQueue(store)
        self._connection = connection
        self._distribution_id = distribution_id
        self._worker: InvalidationWorker | None = None
        self.invalidator = QueuedInvalidator(
            self._queue, cdn_base_url=connection.cdn_base_url, now=_now, on_added=self._notice
        )

    @classmethod
    def from_settings(cls, settings: Settings, store: ObjectStore) -> CdnInvalidation | None:
        """The invalidations of the configured distribution, or None without one. CloudFront is not asked yet."""
        if settings.cloudfront_distribution_id is None:
            return None
        connection = S3Connection.from_settings(settings, bucket=settings.s3_bucket_name or "")
        return cls(store, connection, settings.cloudfront_distribution_id)

    async def settle(self, *, settle_seconds: float | None = None) -> Pass:
        """One pass over the queue, as `InvalidationWorker.settle` makes it."""
        async with self._made_worker(settle_seconds) as worker:
            return await worker.settle()

    async def run(self) -> None:
        """Empties the queue in the background until it is cancelled."""
        async with self._made_worker(None) as worker:
            self._worker = worker
            try:
                await worker.run()
            finally:
                self._worker = None

    @asynccontextmanager
    async def _made_worker(self, settle_seconds: float | None) -> AsyncIterator[InvalidationWorker]:
        api = ControlApi(self._connection, self._distribution_id)
        seconds = self._connection.total_timeout_seconds + SETTLE_MARGIN_SECONDS
        try:
            yield InvalidationWorker(
                self._queue, api, settle_seconds=seconds if settle_seconds is None else settle_seconds, now=_now
            )
        finally:
            # It waits for a call under way: not on the event loop.
            await asyncio.to_thread(api.close)

    def _notice(self) -> None:
        if worker := self._worker:
            worker.notice()


@asynccontextmanager
async def running(invalidation: CdnInvalidation | None) -> AsyncIterator[None]:
    """The block with the worker beside it, if there is one; it is cancelled at the end, at whatever point it is."""
    if invalidation is None:
        yield
        return
    task = asyncio.create_task(invalidation.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def _now() -> datetime:
    return datetime.now(UTC)
