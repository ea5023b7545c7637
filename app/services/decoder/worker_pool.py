"""Workers ready for a picture: hired ahead, replaced when worn or lost, from a fork server that is kept alive."""

from __future__ import annotations

import threading
import time

from app.core.exceptions import SandboxUnavailable
from app.core.logging import get_logger
from app.services.decoder.conversation import WorkerDied, hear_confinement
from app.services.decoder.fork_server_client import START_SECONDS, ForkServer, HiredWorker, ServerGone, ServerOrders
from app.services.sandbox.measures import Confinement

_log = get_logger("heaven.workers")


class WorkerPool:
    """Safe for threads. Nothing starts before the first worker is taken."""

    def __init__(self, orders: ServerOrders, *, max_pictures: int) -> None:
        self._orders = orders
        self._max_pictures = max_pictures
        self._server: ForkServer | None = None
        self._is_told = False
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[HiredWorker] = []
        self._busy: set[HiredWorker] = set()

    @property
    def memory_bytes(self) -> int:
        return self._orders.memory_bytes

    def take(self) -> HiredWorker:
        """A worker for one picture; `give_back` it when all went well, else `discard` it. It may still be starting.

        Raises:
            SandboxUnavailable: workers do not start on this system, or not confined as asked.
        """
        with self._lock:
            worker = self._find_idle() or self._hire()
            self._busy.add(worker)
            # Forked while the taken one works, so that replacing it costs the next picture nothing.
            if not self._idle:
                self._idle.append(self._hire())
            return worker

    def await_ready(self, worker: HiredWorker, *, deadline: float) -> Confinement:
        """How far the worker is confined, once it waits for its first picture.

        Raises:
            WorkerDied: it ended before.
            SandboxUnavailable: it could not be confined as asked.
            TimeoutError: it is not ready in time.
        """
        if not worker.confinement:
            worker.confinement = hear_confinement(worker, deadline=deadline)
            self._tell(worker.confinement)
        return worker.confinement

    def start(self) -> Confinement:
        """Starts the fork server and the first worker; how far that is confined.

        Raises:
            SandboxUnavailable: workers do not start on this system, or not confined as asked.
        """
        worker = self.take()
        try:
            confinement = self.await_ready(worker, deadline=time.monotonic() + START_SECONDS)
        except (WorkerDied, TimeoutError) as error:
            self.discard(worker)
            raise SandboxUnavailable(cause={"worker": "ends before it begins"}) from error
        except BaseException:
            self.discard(worker)
            raise
        self.give_back(worker)
        return confinement

    def give_back(self, worker: HiredWorker) -> None:
        """The worker is ready for the next picture, unless it has had its share."""
        with self._lock:
            is_ours = worker in self._busy
            self._busy.discard(worker)
            if is_ours and worker.pictures < self._max_pictures:
                self._idle.append(worker)
                return
        worker.dismiss()

    def discard(self, worker: HiredWorker) -> None:
        """The worker is killed."""
        with self._lock:
            self._busy.discard(worker)
        worker.dismiss()

    def discard_idle(self) -> None:
        """All workers that wait are killed: the next ones taken are new."""
        with self._lock:
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.dismiss()

    def close(self) -> None:
        """Ends all workers, busy ones too, and the fork server. The next worker taken starts everything anew."""
        with self._lock:
            server, self._server = self._server, None
            busy, self._busy = self._busy, set()
        self.discard_idle()
        for worker in busy:
            # Whoever works with it will dismiss it.
            worker.kill()
        if server:
            server.close()

    def forget(self) -> None:
        """In a forked child: the parent's workers are left alone."""
        for worker in (*self._idle, *self._busy):
            worker.forget()
        if self._server:
            self._server.forget()
            self._server = None
        self._begin()

    def _find_idle(self) -> HiredWorker | None:
        if self._server and not self._server.is_running:
            _log.warning("fork_server_ended")
            self._end_server()
        while self._idle:
            worker = self._idle.pop()
            if not worker.has_ended:
                return worker
            worker.dismiss()
        return None

    def _hire(self) -> HiredWorker:
        if self._server is None:
            self._server = self._start()
        try:
            return self._server.hire()
        except ServerGone:
            _log.warning("fork_server_ended")
            self._end_server()
        self._server = self._start()
        try:
            return self._server.hire()
        except ServerGone as error:
            raise SandboxUnavailable from error

    def _start(self) -> ForkServer:
        server = ForkServer(self._orders)
        server.wait_until_ready()
        self._is_told = False
        return server

    def _tell(self, confinement: Confinement) -> None:
        """Once per fork server: its workers are alike."""
        with self._lock:
            is_news, self._is_told = not self._is_told, True
        if is_news:
            missing = [measure.value for measure in confinement.missing]
            _log.info("decoders_confined", level=confinement.level, missing=missing)

    def _end_server(self) -> None:
        """Its workers ended with it."""
        if self._server:
            self._server.close()
            self._server = None
        for worker in self._idle:
            worker.dismiss()
        self._idle = []
