"""What the tests let a confined worker do beside escaping: things that must work, and things that must find an end."""

from __future__ import annotations

import _thread
import mmap
import os
import resource
import threading
import time
from collections.abc import Callable

from tests.services.sandbox.prison import END_OF_WAITING

_STEP = 8 * 1024**2
_MOST_THREADS = 3000


def wait(report: int) -> str:
    """Lives on for a while, for others to look at or to kill."""
    os.write(report, b"%d " % os.getpid() + END_OF_WAITING)
    time.sleep(60)
    return ""


def use_threads(_: int) -> str:
    """Eight threads that wait for one another and share their results."""
    together = threading.Barrier(8, timeout=10)
    results: list[int] = []

    def work(number: int) -> None:
        together.wait()
        results.append(number * number)

    threads = [threading.Thread(target=work, args=(number,), name=f"worker {number}") for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return f"sum {sum(results)}"


def use_up_memory(_: int) -> str:
    """Fills memory until there is no more; the most that was resident, in bytes."""
    held: list[mmap.mmap] = []
    try:
        for _step in range(1024**3 // _STEP):
            held.append(mmap.mmap(-1, _STEP))
            for page in range(0, _STEP, mmap.PAGESIZE):
                held[-1][page] = 1
    except (OSError, MemoryError):
        pass
    return str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def start_threads(_: int) -> str:
    """As many threads as it gets, none of which ends."""
    threading.stack_size(64 * 1024)
    end = _thread.allocate_lock()
    end.acquire()
    for started in range(_MOST_THREADS):
        try:
            # Not by `threading`, which waits for each one to say that it has started.
            _thread.start_new_thread(end.acquire, ())
        except RuntimeError:
            return str(started)
    return str(_MOST_THREADS)


def abort(_: int) -> str:
    """As decoders do on a failed allocation."""
    os.abort()


def ask_about_oneself(_: int) -> str:
    """What decoders and interpreters ask for that gives nothing away."""
    os.urandom(16)
    time.sleep(0.001)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    return f"{time.time() > 0} {len(os.sched_getaffinity(0)) > 0} {limits} {os.getuid() == os.geteuid()}"


def works_of(_: str) -> dict[str, Callable[[int], str]]:
    """Everything in here, by name."""
    return {work.__name__: work for work in (wait, use_threads, use_up_memory, start_threads, abort, ask_about_oneself)}
