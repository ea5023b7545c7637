"""The background worker that tells CloudFront of the queue: batched, within its limits, repeated until accepted."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.core.exceptions import ImageServiceError
from app.core.logging import get_logger
from app.services.cloudfront.control_api import MAX_WILDCARDS_IN_PROGRESS, CloudFrontFailed, ControlApi, Room
from app.services.cloudfront.paths import PathSet, merge_paths, widen_wildcards
from app.services.cloudfront.queue import Batch, Entry, InvalidationQueue

SETTLE_MARGIN_SECONDS = 5.0

_POLL_SECONDS = 60.0
_FULL_SECONDS = 20.0
_FIRST_BACKOFF_SECONDS = 1.0
_LONGEST_BACKOFF_SECONDS = 120.0
_LOG_INTERVAL_SECONDS = 300.0

_log = get_logger("heaven.cdn")
_dice = secrets.SystemRandom()


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass did: paths that CloudFront accepted, entries left, and whether they wait for it to have room."""

    sent_paths: int
    left_entries: int
    is_full: bool = False


class InvalidationWorker:
    """Sends what has been in the queue for `settle_seconds`; until then its objects may still be there to be fetched.

    Several may run on one queue: then CloudFront may be told of a path twice, but never not at all.
    """

    def __init__(
        self, queue: InvalidationQueue, api: ControlApi, *, settle_seconds: float, now: Callable[[], datetime]
    ) -> None:
        self._queue = queue
        self._api = api
        self._settle_seconds = settle_seconds
        self._now = now
        self._wake: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._failures = 0
        self._logged: tuple[str, float] | None = None

    def notice(self) -> None:
        """There is something new in the queue. From any thread; without effect where `run` is not running."""
        loop, wake = self._loop, self._wake
        if loop is not None and wake is not None:
            # The loop may be closing.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(wake.set)

    async def run(self) -> None:
        """Makes passes until it is cancelled. Failures are logged with their code, each once in five minutes."""
        self._wake, self._loop = asyncio.Event(), asyncio.get_running_loop()
        try:
            while True:
                await self._wait(await self._pass_safely())
        finally:
            self._wake = self._loop = None

    async def settle(self) -> Pass:
        """One pass: batches left by others first, then all entries that are due and for which CloudFront has room.

        Killed at any moment, it can be repeated: what was accepted is not sent as something new, what was not is sent.

        Raises:
            CloudFrontFailed: it refused something, which stays in the queue; what it took has left it.
            S3Error: the queue could not be read or written.
        """
        sent, refused, failure = await self._send_left_batches()
        while True:
            listed = await self._queue.list_entries()
            is_due = self._now() - timedelta(seconds=self._settle_seconds)
            due = [key for key, written in listed if written <= is_due and key not in refused]
            entries = await self._queue.read_entries(due)
            if not entries:
                break
            batch = plan_batch(entries, await self._api.ask_for_room())
            if batch is None:
                return Pass(sent, len(listed), is_full=True)
            await self._queue.open_batch(batch)
            await self._send(batch)
            sent += len(batch.paths)
        if failure is not None:
            raise failure
        return Pass(sent, len(listed))

    async def _send_left_batches(self) -> tuple[int, set[str], CloudFrontFailed | None]:
        """Paths accepted, entries of batches that were refused, and why. One that is refused holds up no other."""
        sent, refused, failure = 0, set[str](), None
        for batch in await self._queue.list_batches():
            try:
                await self._send(batch)
            except CloudFrontFailed as error:
                if not error.is_of_batch:
                    raise
                refused.update(batch.entries)
                failure = error
            else:
                sent += len(batch.paths)
        return sent, refused, failure

    async def _send(self, batch: Batch) -> None:
        await self._api.create_invalidation(batch.paths, reference=batch.reference)
        await self._queue.close_batch(batch)

    async def _pass_safely(self) -> float:
        """One pass, and the seconds until the next one."""
        try:
            made = await self.settle()
        except CloudFrontFailed as error:
            return self._back_off(error.code)
        except ImageServiceError as error:
            return self._back_off(error.code.value)
        except Exception:  # noqa: BLE001 - the last line of what runs unattended
            _log.exception("cdn_invalidation_broken")
            return self._back_off("INTERNAL_ERROR")
        self._failures, self._logged = 0, None
        if made.sent_paths:
            _log.info("cdn_invalidated", paths=made.sent_paths, left=made.left_entries)
        if made.is_full:
            return _FULL_SECONDS
        return self._settle_seconds if made.left_entries else _POLL_SECONDS

    def _back_off(self, code: str) -> float:
        moment = time.monotonic()
        if self._logged is None or self._logged[0] != code or moment - self._logged[1] > _LOG_INTERVAL_SECONDS:
            self._logged = code, moment
            _log.warning("cdn_invalidation_failed", code=code)
        longest = min(_LONGEST_BACKOFF_SECONDS, _FIRST_BACKOFF_SECONDS * 2.0 ** min(self._failures, 10))
        self._failures += 1
        return longest * _dice.uniform(0.5, 1)

    async def _wait(self, seconds: float) -> None:
        """As long, or until something new in the queue is due."""
        assert self._wake is not None  # noqa: S101 - set by `run`
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()
        await asyncio.sleep(self._settle_seconds)


def plan_batch(entries: Sequence[Entry], room: Room) -> Batch | None:
    """The batch of as many of these entries, from the first on, as there is room for; None where not even one fits.

    More wildcards than CloudFront ever takes at once are made fewer and wider.
    """
    fitting, too_many = 0, len(entries) + 1
    planned = PathSet((), ())
    count = len(entries)
    while fitting + 1 < too_many:
        paths = merge_paths(path for entry in entries[:count] for path in entry.paths)
        if len(paths.files) <= room.files:
            paths = widen_wildcards(paths, most=MAX_WILDCARDS_IN_PROGRESS)
        if len(paths.files) <= room.files and len(paths.wildcards) <= room.wildcards:
            fitting, planned = count, paths
        else:
            too_many = count
        count = (fitting + too_many) // 2
    return Batch.of(planned.all, [entry.key for entry in entries[:fitting]]) if fitting else None
