"""Attempts at the kernel itself, at memory that is executed, and at more memory than is allowed."""

from __future__ import annotations

import ctypes
import mmap
import platform
import struct
from typing import Any

from tests.services.sandbox.escapes.raw_calls import Stopped, raw, raw_number
from tests.services.sandbox.escapes.target import Target

_PAGE = 4096
_READ, _WRITE, _EXECUTE = 1, 2, 4
_READ_IMPLIES_EXECUTE = 0x0400000
_X32_GETPID = 0x4000_0000 + 39
_DETACH = 2
_KEYS_OF_THIS_PROCESS = -2
# A function that answers 42.
_CODE = {
    "x86_64": bytes.fromhex("b82a000000c3"),
    "aarch64": struct.pack("<II", 0x52800540, 0xD65F03C0),
}.get(platform.machine(), b"")
_STEP = 16 * 1024**2
MOST_BYTES = 1024**3


def _map(size: int, protection: int, flags: int = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) -> int:
    return raw("mmap", None, size, protection, flags, -1, 0)


def _run(address: int) -> None:
    function: Any = ctypes.CFUNCTYPE(ctypes.c_int)(address)
    if function() != 42:
        raise Stopped("it did not run")


def run_code_of_ones_own(_: Target) -> None:
    page = _map(_PAGE, _READ | _WRITE | _EXECUTE)
    ctypes.memmove(page, _CODE, len(_CODE))
    _run(page)


def make_code_of_ones_own_executable(_: Target) -> None:
    page = _map(_PAGE, _READ | _WRITE)
    ctypes.memmove(page, _CODE, len(_CODE))
    raw("mprotect", page, _PAGE, _READ | _EXECUTE)
    _run(page)


def make_it_executable_by_a_memory_key(_: Target) -> None:
    page = _map(_PAGE, _READ | _WRITE)
    ctypes.memmove(page, _CODE, len(_CODE))
    raw("pkey_mprotect", page, _PAGE, _READ | _EXECUTE, -1)
    _run(page)


def make_all_memory_executable(_: Target) -> None:
    raw("personality", _READ_IMPLIES_EXECUTE)


def allocate_past_the_limit(_: Target) -> None:
    for _step in range(MOST_BYTES // _STEP):
        _map(_STEP, _READ | _WRITE)


def share_memory_past_the_limit(_: Target) -> None:
    for _step in range(MOST_BYTES // _STEP):
        _map(_STEP, _READ | _WRITE, mmap.MAP_SHARED | mmap.MAP_ANONYMOUS)


def set_up_a_ring(_: Target) -> None:
    raw("io_uring_setup", 8, ctypes.create_string_buffer(120))


def load_a_kernel_program(_: Target) -> None:
    array = struct.pack("=IIIII", 2, 4, 4, 1, 0).ljust(72, b"\0")
    raw("bpf", 0, array, len(array))


def handle_page_faults(_: Target) -> None:
    raw("userfaultfd", 1)


def measure_the_processor(_: Target) -> None:
    wanted = struct.pack("=IIQQQQQ", 1, 112, 0, 0, 0, 0, 0b1100000).ljust(112, b"\0")
    raw("perf_event_open", wanted, 0, -1, -1, 0)


def keep_a_key(_: Target) -> None:
    raw("add_key", b"user", b"escape", b"secret", 6, _KEYS_OF_THIS_PROCESS)


def mount_a_file_system(target: Target) -> None:
    raw("mount", b"none", target.folder.encode(), b"tmpfs", 0, None)
    raw("umount2", target.folder.encode(), _DETACH)


def go_before_everybody_else(_: Target) -> None:
    raw("setpriority", 0, 0, -10)


def use_the_other_table_of_calls(_: Target) -> None:
    raw_number(_X32_GETPID)
