"""One picture on its way through the workers: retried when its worker was lost, translated when itself is to blame."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from app.core.exceptions import ImageCorrupt, ImageTooComplex, ProcessingOverloaded, SandboxUnavailable
from app.core.logging import get_logger
from app.images.records import Rendition
from app.images.verification import NotAsPlanned
from app.services.decoder.conversation import Job, OutputTooLarge, WorkerDied, WorkerFailed, converse
from app.services.decoder.fork_server_client import HiredWorker
from app.services.decoder.plain_records import NotSuchRecord
from app.services.decoder.wire import ChannelGarbage
from app.services.decoder.worker_pool import WorkerPool

_log = get_logger("heaven.workers")
Answer = TypeVar("Answer")

# By number; this module is imported on Windows too, which has no names for them.
_SIGNAL_NAMES = {number.value: number.name for number in signal.Signals}
# The worker's own limits, or the system's when memory is short.
_LIMIT_SIGNALS = frozenset({"SIGKILL", "SIGXCPU"})
# Libraries abort when a small allocation fails, which happens close to the limit only.
_ABORT_SIGNALS = frozenset({"SIGABRT", "SIGTRAP", "SIGSEGV", "SIGBUS"})
_SHORT_OF_MEMORY = 0.6


class Assignment(Generic[Answer]):
    """A picture that some worker is to work on until `deadline`, in `time.monotonic()`.

    `deliver` gets each verified variant, in the thread that runs the assignment.
    """

    def __init__(self, job: Job[Answer], *, deadline: float, deliver: Callable[[Rendition], None]) -> None:
        self._job = job
        self._deadline = deadline
        self._deliver = deliver
        self._lock = threading.Lock()
        self._worker: HiredWorker | None = None
        self._is_over = False
        self._has_delivered = False

    @property
    def is_over(self) -> bool:
        return self._is_over

    def abandon(self) -> None:
        """Nobody waits for it any more: a worker that is still at it is killed. From any thread."""
        with self._lock:
            self._is_over = True
            if self._worker:
                self._worker.kill()

    def run(self, pool: WorkerPool) -> Answer:
        """The verified answer; blocks. The worker is given back, or discarded after whatever went wrong.

        Raises:
            ImageTruncated, ImageCorrupt, ImageTooComplex: the picture.
            ProcessingOverloaded: no worker could take it on in time, or workers ended that were not to blame.
            SandboxUnavailable: workers do not start.
        """
        try:
            return self._run_once(pool)
        except _Lost:
            # The picture is not to blame: its worker, or the fork server, had ended for a reason of its own, and others
            # that wait may have ended with it.
            pool.discard_idle()
        try:
            return self._run_once(pool)
        except _Lost:
            raise SandboxUnavailable(cause={"worker": "ends before it begins"}) from None

    def _run_once(self, pool: WorkerPool) -> Answer:
        worker = pool.take()
        try:
            self._begin_on(worker)
            answer = self._work_on(worker, pool)
        except BaseException:
            self._end_on_worker()
            pool.discard(worker)
            raise
        self._end_on_worker()
        worker.pictures += 1
        pool.give_back(worker)
        return answer

    def _begin_on(self, worker: HiredWorker) -> None:
        with self._lock:
            if self._is_over:
                raise ProcessingOverloaded
            self._worker = worker

    def _end_on_worker(self) -> None:
        with self._lock:
            self._worker = None

    def _work_on(self, worker: HiredWorker, pool: WorkerPool) -> Answer:
        try:
            pool.await_ready(worker, deadline=self._deadline)
        except TimeoutError:
            raise ProcessingOverloaded from None
        except WorkerDied as death:
            raise self._explain(death, worker, pool) from None
        try:
            return converse(worker, self._job, deadline=self._deadline, deliver=self._hand_over)
        except TimeoutError:
            self._note("worker_overdue", worker)
            raise ImageTooComplex from None
        except OutputTooLarge:
            self._note("worker_output_too_large", worker)
            raise ImageTooComplex from None
        except (NotAsPlanned, NotSuchRecord, ChannelGarbage) as error:
            self._note("worker_not_believed", worker, reason=str(error) or type(error).__name__)
            raise ImageCorrupt from None
        except WorkerFailed as failure:
            self._note("worker_failed", worker, error=failure.error, place=failure.place)
            raise ImageCorrupt from None
        except WorkerDied as death:
            raise self._explain(death, worker, pool) from None

    def _hand_over(self, finished: Rendition) -> None:
        self._has_delivered = True
        self._deliver(finished)

    def _explain(self, death: WorkerDied, worker: HiredWorker, pool: WorkerPool) -> Exception:
        if worker.is_killed:
            return ProcessingOverloaded()
        if not death.has_begun or death.exit is None:
            # By itself before it began, or together with its fork server. No variant is delivered twice.
            return ProcessingOverloaded() if self._has_delivered else _Lost()
        ended = death.exit
        name = _SIGNAL_NAMES.get(ended.signal, str(ended.signal)) if ended.signal else "none"
        self._note("worker_died", worker, signal=name, peak_memory_bytes=ended.peak_memory_bytes)
        is_limit = name in _LIMIT_SIGNALS or (
            name in _ABORT_SIGNALS and ended.peak_memory_bytes > _SHORT_OF_MEMORY * pool.memory_bytes
        )
        return ImageTooComplex() if is_limit else ImageCorrupt()

    def _note(self, event: str, worker: HiredWorker, **details: object) -> None:
        structure = self._job.structure
        _log.warning(
            event,
            format=structure.format.value,
            width=structure.width,
            height=structure.height,
            file_size=self._job.file_size,
            pictures_before=worker.pictures,
            **details,
        )


class _Lost(Exception):
    """The worker ended without having had a chance."""
