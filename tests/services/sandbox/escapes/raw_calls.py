"""System calls by number, straight to the kernel: nothing of Python stands between an attempt and its answer."""

from __future__ import annotations

import ctypes
import os
import platform
from typing import Any

# Name: number on x86-64, number on 64-bit ARM.
_NUMBERS = {
    "read": (0, 63),
    "write": (1, 64),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "munmap": (11, 215),
    "pread64": (17, 67),
    "shmget": (29, 194),
    "shmctl": (31, 195),
    "getpid": (39, 172),
    "socket": (41, 198),
    "connect": (42, 203),
    "sendto": (44, 206),
    "bind": (49, 200),
    "listen": (50, 201),
    "clone": (56, 220),
    "execve": (59, 221),
    "exit": (60, 93),
    "wait4": (61, 260),
    "kill": (62, 129),
    "truncate": (76, 45),
    "ftruncate": (77, 46),
    "ptrace": (101, 117),
    "setresuid": (117, 147),
    "capset": (126, 91),
    "rt_sigqueueinfo": (129, 138),
    "personality": (135, 92),
    "setpriority": (141, 140),
    "prctl": (157, 167),
    "chroot": (161, 51),
    "mount": (165, 40),
    "umount2": (166, 39),
    "getdents64": (217, 61),
    "exit_group": (231, 94),
    "tgkill": (234, 131),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
    "add_key": (248, 217),
    "openat": (257, 56),
    "mkdirat": (258, 34),
    "mknodat": (259, 33),
    "newfstatat": (262, 79),
    "unlinkat": (263, 35),
    "symlinkat": (266, 36),
    "fchmodat": (268, 53),
    "unshare": (272, 97),
    "utimensat": (280, 88),
    "dup3": (292, 24),
    "inotify_init1": (294, 26),
    "perf_event_open": (298, 241),
    "prlimit64": (302, 261),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "setns": (308, 268),
    "process_vm_readv": (310, 270),
    "renameat2": (316, 276),
    "memfd_create": (319, 279),
    "bpf": (321, 280),
    "execveat": (322, 281),
    "userfaultfd": (323, 282),
    "pkey_mprotect": (329, 288),
    "pidfd_send_signal": (424, 424),
    "io_uring_setup": (425, 425),
    "pidfd_open": (434, 434),
    "clone3": (435, 435),
    "pidfd_getfd": (438, 438),
    "landlock_create_ruleset": (444, 444),
}
_COLUMN = {"x86_64": 0, "aarch64": 1}.get(platform.machine(), 0)
_C_LIBRARY = ctypes.CDLL(None, use_errno=True)


class Stopped(Exception):
    """The kernel did as asked, but nothing was gained."""


def raw(name: str, *arguments: Any) -> int:
    """What the kernel answers; bytes are passed by address.

    Raises:
        OSError: the kernel refused.
    """
    return raw_number(_NUMBERS[name][_COLUMN], *arguments)


def raw_number(number: int, *arguments: Any) -> int:
    """The same, by number."""
    _C_LIBRARY.syscall.restype = ctypes.c_long
    result = int(_C_LIBRARY.syscall(ctypes.c_long(number), *map(_passed, arguments)))
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def _passed(argument: Any) -> Any:
    if isinstance(argument, int):
        return ctypes.c_long(argument)
    return ctypes.c_char_p(argument) if isinstance(argument, bytes) else argument


def addresses(*texts: bytes) -> Any:
    """An array of strings as execve wants it, ended by a null."""
    return (ctypes.c_char_p * (len(texts) + 1))(*texts, None)
