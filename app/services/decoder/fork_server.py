"""The process that workers are forked from: it has imported everything, used nothing, and is confined itself.

It ends, and every worker with it, when the service's end of the control socket closes: also when the service was
killed.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
from dataclasses import dataclass
from typing import Any

from app.core.exceptions import ImageServiceError
from app.core.sandbox_mode import Sandbox
from app.services.decoder.engine import render_picture
from app.services.decoder.spare_memory import give_memory_back
from app.services.decoder.transforming import transform_picture
from app.services.decoder.vips_library import import_codecs
from app.services.decoder.wire import HIRE, WORKER_EXIT, WorkerEnd
from app.services.decoder.worker import Render, Skills, TransformPicture, work
from app.services.sandbox.confinement import Measure, confine_server, confine_worker

# getrusage(2) counts in KiB, on macOS in bytes.
_RSS_UNIT_BYTES = 1 if sys.platform == "darwin" else 1024
_IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(argument: str, render: Render = render_picture, transform: TransformPicture = transform_picture) -> None:
    """Serves the socket that the JSON object `argument` names until it closes."""
    orders: dict[str, Any] = json.loads(argument)
    control = socket.socket(fileno=orders["control"])
    # Whoever stops the service and its group stops the service: it lets what is being rendered finish.
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    import_codecs()
    wanted = Sandbox(orders["sandbox"])
    silence = os.open(os.devnull, os.O_RDWR)
    try:
        measures = confine_server(wanted)
    except ImageServiceError as error:
        control.sendall(json.dumps({"refusal": error.detail}).encode())
        return
    # What is alive now is shared with the workers; a collection there would copy it.
    gc.collect()
    gc.freeze()
    control.sendall(json.dumps({"measures": measures}).encode())
    for standard in (0, 1, 2):
        os.dup2(silence, standard)
    os.close(silence)
    _ForkServer(control, wanted, measures, orders["memory_bytes"], Skills(render, transform)).serve()


@dataclass(slots=True)
class _Hired:
    process: int
    # The service closes its end, or says anything, to have the worker killed; it hears there how the worker ended.
    watch: socket.socket
    is_killed: bool = False


class _ForkServer:
    def __init__(
        self, control: socket.socket, wanted: Sandbox, measures: tuple[Measure, ...], memory_bytes: int, skills: Skills
    ) -> None:
        self._control = control
        self._wanted = wanted
        self._measures = measures
        self._memory_bytes = memory_bytes
        self._skills = skills
        self._hired: dict[int, _Hired] = {}
        self._wake, self._bell = os.pipe()
        for end in (self._wake, self._bell):
            os.set_blocking(end, False)

    def serve(self) -> None:
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._bell, warn_on_full_buffer=False)
        while self._turn():
            pass
        for hired in self._hired.values():
            os.kill(hired.process, signal.SIGKILL)

    def _turn(self) -> bool:
        """Waits for something to do and does it; whether the service is still there."""
        waiting = select.poll()
        watched = {hired.watch.fileno(): hired for hired in self._hired.values() if not hired.is_killed}
        for descriptor in (self._control.fileno(), self._wake, *watched):
            waiting.register(descriptor, select.POLLIN)
        ready = {descriptor for descriptor, _ in waiting.poll()}
        # Before the dead are buried: until then no other process gets their numbers.
        for descriptor in ready & watched.keys():
            watched[descriptor].is_killed = True
            os.kill(watched[descriptor].process, signal.SIGKILL)
        if self._wake in ready:
            os.read(self._wake, 4096)
        self._bury()
        return self._control.fileno() not in ready or self._hire()

    def _bury(self) -> None:
        while self._hired:
            process, status, usage = os.wait4(-1, os.WNOHANG)
            if not process:
                return
            hired = self._hired.pop(process)
            # The service may have turned away.
            with contextlib.suppress(OSError):
                hired.watch.send(WORKER_EXIT.pack(status, usage.ru_maxrss * _RSS_UNIT_BYTES))
            hired.watch.close()

    def _hire(self) -> bool:
        """Forks a worker for the pair of sockets that comes with the order; whether there was one."""
        order, descriptors, _, _ = socket.recv_fds(self._control, len(HIRE), 2)
        if not order:
            return False
        connection, watch = descriptors
        server = os.getpid()
        process = os.fork()
        if not process:
            self._become_worker(connection, watch, server)
        os.close(connection)
        self._hired[process] = _Hired(process, socket.socket(fileno=watch))
        return True

    def _become_worker(self, connection: int, watch: int, server: int) -> None:
        """Never returns. Nothing of the server's, nor of other workers, is left open."""
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for descriptor in (self._wake, self._bell, watch):
                os.close(descriptor)
            self._control.close()
            for hired in self._hired.values():
                hired.watch.close()
            service = WorkerEnd(connection)
            try:
                confinement = confine_worker(
                    self._wanted,
                    memory_bytes=self._memory_bytes,
                    server_measures=self._measures,
                    server_process=server,
                    keep_fds=[connection],
                )
            except ImageServiceError as error:
                service.send({"kind": "refusal", "detail": error.detail})
            except Exception as error:  # noqa: BLE001 - no stranger's byte was seen yet: the service may read it all
                service.send({"kind": "refusal", "detail": f"A worker does not start: {error!r}"})
            else:
                service.send({"kind": "ready", "reached": confinement.reached})
                work(service, self._skills, give_memory_back)
            status = 0
        finally:
            os._exit(status)
