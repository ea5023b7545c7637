"""What use cases see of invalidation: paths are written into the queue, and told to CloudFront by others, later."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from urllib.parse import urlsplit

from app.services.cloudfront.paths import check_path, merge_paths
from app.services.cloudfront.queue import InvalidationQueue


class QueuedInvalidator:
    """Implements `CdnInvalidator` with a queue in the bucket.

    Paths are those of keys in the bucket, `/{encoded key}`; where `CDN_BASE_URL` has a path, it is put before them.
    `on_added` is told of every addition, so that a worker in this process need not look for it.
    """

    def __init__(
        self,
        queue: InvalidationQueue,
        *,
        cdn_base_url: str | None,
        now: Callable[[], datetime],
        on_added: Callable[[], None],
    ) -> None:
        self._queue = queue
        self._path_prefix = urlsplit(cdn_base_url or "").path.rstrip("/")
        self._now = now
        self._on_added = on_added

    async def remember(self, paths: Iterable[str]) -> None:
        """See `CdnInvalidator.remember`. One write for up to 1,000 paths.

        What is done to the objects must be over `SETTLE_MARGIN_SECONDS` after the service's limit for one use case:
        the CDN is told then, and would fetch again what is still there.

        Raises:
            ValueError: one is not a path that can be invalidated; none is written down.
        """
        given = list(paths)
        for path in given:
            check_path(path)
        if not given:
            return
        merged = merge_paths(f"{self._path_prefix}{path}" for path in given)
        await self._queue.add(merged.all, moment=self._now())
        self._on_added()
