"""CPU seconds and memory of a process and all its descendants, read from outside. Linux only."""

from __future__ import annotations

import time
from pathlib import Path

_CLOCK_TICKS_PER_SECOND = 100
_RESET_PEAK = "5"


def processes_of(pid: int) -> list[int]:
    """The process and its living descendants."""
    found = [pid]
    for each in found:
        try:
            tasks = [*Path(f"/proc/{each}/task").iterdir()]
            found += [int(child) for task in tasks for child in (task / "children").read_text().split()]
        except OSError:  # it ended meanwhile
            continue
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of this one process, with nanosecond clocks; 0 when it has ended.

    The clock of another process has an id that is made of its pid, see clock_getcpuclockid(3).
    """
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0


def tree_cpu_seconds(pid: int) -> float:
    """The same of the process and its descendants, with what those that have ended had used (in steps of 10 ms)."""
    return sum(cpu_seconds(each) + _reaped_cpu_seconds(each) for each in processes_of(pid))


def resident_bytes(pid: int) -> int:
    """What the process holds in memory now, shared pages included."""
    return _status_bytes(pid, "VmRSS")


def peak_resident_bytes(pid: int) -> int:
    """The most it has held since `reset_peak`."""
    return _status_bytes(pid, "VmHWM")


def reset_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text(_RESET_PEAK)


def _status_bytes(pid: int, field: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(f"{field}:")).split()[1]) * 1024


def _reaped_cpu_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[13]) + int(fields[14])) / _CLOCK_TICKS_PER_SECOND
