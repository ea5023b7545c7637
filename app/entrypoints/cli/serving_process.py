"""One of the processes of `serve --workers`: takes its orders from standard input, reports on standard output.

parent ── orders, one line ──► child        standard input then stays open: its end is the parent's end
parent ◄── report, one line ── child        it answers, or why it does not
"""

from __future__ import annotations

import base64
import os
import pickle
import signal
import socket
import sys
import threading
import time
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from app.bootstrap import Services
from app.core.config import Settings
from app.core.exceptions import ImageServiceError, InternalError
from app.entrypoints.cli.exit_codes import Failure, LocalFailure, answer_of
from app.entrypoints.cli.http_server import DRAIN_SECONDS, run_http_server, store_check
from app.entrypoints.cli.output import HumanOutput, print_traceback
from app.entrypoints.cli.serving_reports import encode_failure, encode_readiness

if TYPE_CHECKING:
    from fastapi import FastAPI

# What it may take: draining, then threads that wait for the store and decoders that end.
END_SECONDS = DRAIN_SECONDS + 15


@dataclass(frozen=True, slots=True)
class ServingOrders:
    """What one process is told. Number 0 also tells the CDN of what was deleted."""

    number: int
    settings: Settings
    listener_descriptor: int

    def as_line(self) -> bytes:
        return base64.b64encode(pickle.dumps(self)) + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> ServingOrders:
        orders = pickle.loads(base64.b64decode(line))  # noqa: S301 - the parent's own, on a pipe of the two
        assert isinstance(orders, cls)  # noqa: S101 - `as_line` made it
        return orders


class SiblingServices(Services):
    """The services of every process but the first, which alone empties the queue of invalidations."""

    def invalidating(self) -> AbstractAsyncContextManager[None]:
        return nullcontext()


def main() -> NoReturn:
    """Serves until SIGTERM, or until the parent is gone. Ctrl-C is for the parent to notice."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    reports = os.dup(1)
    # What is printed by mistake is no report.
    os.dup2(2, 1)
    with os.fdopen(0, "rb", buffering=0, closefd=False) as orders:
        line = orders.readline()
    if not line:
        sys.exit()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.exit(_serve(ServingOrders.from_line(line), reports))


def _serve(orders: ServingOrders, reports: int) -> int:
    """The exit code. A failure is the parent's to print."""
    failure: Failure
    try:
        _run(orders, reports)
    except (ImageServiceError, LocalFailure) as error:
        failure = error
    except Exception as error:  # noqa: BLE001 - the last line: everything is answered, with a code of its own
        print_traceback(error)
        failure = InternalError()
    else:
        return 0
    os.write(reports, encode_failure(failure))
    return answer_of(failure).exit_code


def _run(orders: ServingOrders, reports: int) -> None:
    os.set_inheritable(orders.listener_descriptor, False)
    services = (SiblingServices if orders.number else Services)(orders.settings)

    async def report_readiness(app: FastAPI) -> None:
        os.write(reports, encode_readiness(app.docs_url))

    def follow_store() -> bool:
        """Starting it again is the parent's business; here it is found where that has started it."""
        return services.embedded is not None and bool(services.embedded.running_pid) and services.revive_embedded()

    check = store_check(follow_store, HumanOutput(), repaired="The embedded store has moved; it is found again.")
    with socket.socket(fileno=orders.listener_descriptor) as listener:
        try:
            services.start_workers()
            services.connect()
            run_http_server(services, listener, when_answering=report_readiness, check_store=check)
        finally:
            services.close()


def _end_with_parent() -> None:
    """Without its parent nobody replaces or ends this process: it drains, and is gone in bounded time."""
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(END_SECONDS)
    os._exit(1)
