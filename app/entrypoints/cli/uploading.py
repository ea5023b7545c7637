"""Uploads many files at once, with a progress bar, and answers for each of them, also when it is interrupted."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from app.bootstrap import Services
from app.core.exceptions import ImageServiceError
from app.core.image_types import Visibility
from app.entrypoints.cli.exit_codes import Failure, InputUnreadable, Interrupted, LocalFailure
from app.entrypoints.cli.output import stderr_console
from app.services.results import UploadResult

_INTERRUPTS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """One file: its result or its failure, never both, never neither."""

    path: Path
    result: UploadResult | None = None
    error: Failure | None = None


@dataclass(frozen=True, slots=True)
class Destination:
    """Which kind of images the files become, whose, what crops of them keep in view, and who may see them."""

    image_type: str
    user_id: str | None = None
    focal_point: tuple[float, float] | None = None
    visibility: Visibility | None = None


def upload_files(
    services: Services, paths: Sequence[Path], destination: Destination, *, concurrency: int
) -> list[FileOutcome]:
    """An outcome per file, in the files' order.

    At the first Ctrl-C or SIGTERM no further file is begun and those under way are finished; at the second these are
    given up, and what they may have written is taken back. Either way every image that was stored is reported.
    """
    finished: dict[int, FileOutcome] = {}

    async def upload(path: Path) -> FileOutcome:
        try:
            _check_readable(path)
            result = await services.image_service.upload_image(
                path,
                destination.image_type,
                destination.user_id,
                focal_point=destination.focal_point,
                visibility=destination.visibility,
            )
            return FileOutcome(path, result=result)
        except (ImageServiceError, LocalFailure) as error:
            return FileOutcome(path, error=error)

    async def upload_all() -> None:
        # More at once would wait for one another, and be refused for that.
        gate = asyncio.Semaphore(min(concurrency, services.image_service.parts.slots.count))
        with _stop_at_interrupt() as stopped, _progress_bar() as progress:
            task = progress.add_task("uploading", total=len(paths))

            async def upload_in_turn(number: int, path: Path) -> None:
                async with gate:
                    if not stopped.is_set():
                        finished[number] = await upload(path)
                        progress.advance(task)

            # Unlike `gather`, a group that is cancelled waits until each upload has taken back what it wrote.
            async with asyncio.TaskGroup() as group:
                for number, path in enumerate(paths):
                    group.create_task(upload_in_turn(number, path))

    try:
        asyncio.run(upload_all())
    except (KeyboardInterrupt, SystemExit):
        services.close()
    return [finished.get(number) or FileOutcome(path, error=Interrupted()) for number, path in enumerate(paths)]


def _check_readable(path: Path) -> None:
    """Raises: InputUnreadable, with the reason; a pipe or a device is refused, since it may never end."""
    if not path.exists():
        raise InputUnreadable("There is no such file.")
    if path.is_dir():
        raise InputUnreadable("That is a folder: name the files in it.")
    if not path.is_file():
        raise InputUnreadable("That is no ordinary file.")
    if not os.access(path, os.R_OK):
        raise InputUnreadable("You have no permission to read it.")


def _progress_bar() -> Progress:
    console = stderr_console()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(
        *columns,
        console=console,
        transient=True,
        disable=not console.is_terminal,
        redirect_stdout=False,
        redirect_stderr=False,
    )


@contextlib.contextmanager
def _stop_at_interrupt() -> Iterator[asyncio.Event]:
    """An event that the first Ctrl-C or SIGTERM sets; afterwards these mean what they did before."""
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    before = {number: signal.getsignal(number) for number in _INTERRUPTS}

    def restore() -> None:
        for number, handler in before.items():
            if loop.remove_signal_handler(number):
                signal.signal(number, handler)

    def stop() -> None:
        restore()
        stopped.set()
        stderr_console().print("Finishing the files under way; Ctrl-C again gives up on them.")

    if sys.platform == "win32":  # which has no such handlers: Ctrl-C gives up at once
        yield stopped
        return
    for number in _INTERRUPTS:
        loop.add_signal_handler(number, stop)
    try:
        yield stopped
    finally:
        restore()
