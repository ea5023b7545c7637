"""The parent of `serve --workers`: starts the serving processes, replaces those that die, ends them all.

Each is a program of its own, started anew rather than forked: neither event loops nor libraries cross. In a session of
its own it is not reached by the terminal's Ctrl-C, which the parent passes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable
from pathlib import Path

from app.core.config import Settings
from app.entrypoints.cli.exit_codes import Failure
from app.entrypoints.cli.http_server import STORE_CHECK_SECONDS
from app.entrypoints.cli.listening import SharedAddress
from app.entrypoints.cli.serving_process import END_SECONDS, ServingOrders
from app.entrypoints.cli.serving_reports import Readiness, decode_report

# The same modules as here, wherever they were found, and nothing from the current folder.
_PROGRAM = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from app.entrypoints.cli.serving_process import main
main()
"""
_MOST_FAILED_STARTS = 5
_FIRST_PAUSE_SECONDS = 0.25
_LONGEST_PAUSE_SECONDS = 8.0
# A process that lived longer is replaced at once.
_BRIEF_LIFE_SECONDS = 10.0


class ServingProcesses:
    """So many processes behind one address, from `run` until a signal; `on_ready` is called once, when all answer."""

    def __init__(
        self,
        settings: Settings,
        address: SharedAddress,
        count: int,
        *,
        on_ready: Callable[[Readiness], Awaitable[None]],
        check_store: Callable[[], Awaitable[None]],
    ) -> None:
        self._settings = settings
        self._address = address
        self._count = count
        self._on_ready = on_ready
        self._check_store = check_store
        self._running: set[Process] = set()
        self._ready: set[int] = set()
        self._is_announced = False
        self._failure: Failure | None = None
        self._ended_by: int | None = None

    async def run(self) -> None:
        """Returns after SIGTERM, when all have drained and ended.

        Raises:
            KeyboardInterrupt: SIGINT ended it.
            ImageServiceError, LocalFailure: why a process could not start: at once for the first ones, after five
                attempts for one that replaces another.
        """
        self._ending = asyncio.Event()
        self._take_signals(asyncio.get_running_loop())
        try:
            await self._run_until_the_end()
        finally:
            # Nothing interrupts what the caller still has to close; but Ctrl-C does.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if self._failure:
            raise self._failure
        if self._ended_by == signal.SIGINT:
            raise KeyboardInterrupt

    def _take_signals(self, loop: asyncio.AbstractEventLoop) -> None:
        # Not `loop.add_signal_handler`: closing the loop would leave SIGTERM to end the program at once.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, _: loop.call_soon_threadsafe(self._notice_signal, number))

    def _notice_signal(self, number: int) -> None:
        if self._ending.is_set() and number == signal.SIGINT:
            # The second Ctrl-C: nobody is waited for.
            self._send(signal.SIGKILL)
        self._ended_by = self._ended_by or number
        self._ending.set()

    async def _run_until_the_end(self) -> None:
        keepers = [asyncio.create_task(self._keep(number)) for number in range(self._count)]
        tasks = [*keepers, asyncio.create_task(self._keep_store())]
        for task in tasks:
            # Also one that failed ends all.
            task.add_done_callback(lambda _: self._ending.set())
        await self._ending.wait()
        self._send(signal.SIGTERM)
        await asyncio.wait(keepers, timeout=END_SECONDS)
        self._send(signal.SIGKILL)
        await asyncio.gather(*tasks)

    def _send(self, number: signal.Signals) -> None:
        for process in self._running:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)

    async def _keep(self, number: int) -> None:
        """One process after the other, with pauses between those that live briefly, until the end."""
        clock, failed_starts, pause_seconds = asyncio.get_running_loop().time, 0, 0.0
        while not self._ending.is_set():
            began = clock()
            failure = await self._live(number)
            failed_starts = failed_starts + 1 if failure else 0
            if failure and (failed_starts == _MOST_FAILED_STARTS or not self._is_announced):
                if not self._ending.is_set():
                    self._failure = self._failure or failure
                return
            is_brief = clock() - began < _BRIEF_LIFE_SECONDS
            pause_seconds = min(2 * pause_seconds or _FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS) if is_brief else 0.0
            await self._pause(pause_seconds)

    async def _live(self, number: int) -> Failure | None:
        """The life of one process; why it never answered, if it did not."""
        process = await self._start(number)
        self._running.add(process)
        try:
            if self._ending.is_set():
                process.terminate()
            assert process.stdout is not None  # noqa: S101 - it was asked for
            report = decode_report(await process.stdout.readline())
            if isinstance(report, Readiness):
                await self._notice_ready(number, report)
            await process.wait()
        finally:
            self._running.discard(process)
            self._ready.discard(number)
        return None if isinstance(report, Readiness) else report

    async def _start(self, number: int) -> Process:
        with self._address.new_listener() as listener:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-c", _PROGRAM, _module_paths()),
                stdin=PIPE,
                stdout=PIPE,
                pass_fds=[listener.fileno()],
                start_new_session=True,
            )
            settings = divide_decoders(self._settings, self._count)[number]
            orders = ServingOrders(number, settings, listener.fileno())
        assert process.stdin is not None  # noqa: S101 - it was asked for
        process.stdin.write(orders.as_line())
        return process

    async def _notice_ready(self, number: int, report: Readiness) -> None:
        self._ready.add(number)
        if len(self._ready) == self._count and not self._is_announced:
            self._is_announced = True
            await self._on_ready(report)

    async def _keep_store(self) -> None:
        while not await self._pause(STORE_CHECK_SECONDS):
            await self._check_store()

    async def _pause(self, seconds: float) -> bool:
        """Waits; true at once when the end has come."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ending.wait(), seconds)
        return self._ending.is_set()


def divide_decoders(settings: Settings, count: int) -> list[Settings]:
    """The settings of each process: `PROCESSING_WORKERS` are divided, and each has at least one."""
    whole, rest = divmod(settings.processing_workers, count)
    shares = [max(1, whole + (number < rest)) for number in range(count)]
    return [settings.model_copy(update={"processing_workers": share}) for share in shares]


def _module_paths() -> str:
    return json.dumps([str(Path(path).absolute()) for path in sys.path])
