"""The system calls that confinement names, with their numbers on each kind of machine (Linux's unistd.h)."""

from __future__ import annotations

import platform
import struct
from collections.abc import Mapping
from dataclasses import dataclass

# Name, number on x86-64, number in the generic table that 64-bit ARM uses; None where the machine lacks the call.
_NUMBERS: tuple[tuple[str, int | None, int | None], ...] = (
    ("read", 0, 63),
    ("write", 1, 64),
    ("close", 3, 57),
    ("fstat", 5, 80),
    ("poll", 7, None),
    ("lseek", 8, 62),
    ("mmap", 9, 222),
    ("mprotect", 10, 226),
    ("munmap", 11, 215),
    ("brk", 12, 214),
    ("rt_sigaction", 13, 134),
    ("rt_sigprocmask", 14, 135),
    ("rt_sigreturn", 15, 139),
    ("pread64", 17, 67),
    ("pwrite64", 18, 68),
    ("readv", 19, 65),
    ("writev", 20, 66),
    ("select", 23, None),
    ("sched_yield", 24, 124),
    ("mremap", 25, 216),
    ("madvise", 28, 233),
    ("nanosleep", 35, 101),
    ("getpid", 39, 172),
    ("clone", 56, 220),
    ("execve", 59, 221),
    ("exit", 60, 93),
    ("kill", 62, 129),
    ("uname", 63, 160),
    ("fcntl", 72, 25),
    ("gettimeofday", 96, 169),
    ("getrlimit", 97, 163),
    ("getrusage", 98, 165),
    ("sysinfo", 99, 179),
    ("times", 100, 153),
    ("ptrace", 101, 117),
    ("getuid", 102, 174),
    ("getgid", 104, 176),
    ("setuid", 105, 146),
    ("setgid", 106, 144),
    ("geteuid", 107, 175),
    ("getegid", 108, 177),
    ("getppid", 110, 173),
    ("setreuid", 113, 145),
    ("setregid", 114, 143),
    ("setgroups", 116, 159),
    ("setresuid", 117, 147),
    ("setresgid", 119, 149),
    ("setfsuid", 122, 151),
    ("setfsgid", 123, 152),
    ("capset", 126, 91),
    ("rt_sigqueueinfo", 129, 138),
    ("sigaltstack", 131, 132),
    ("personality", 135, 92),
    ("modify_ldt", 154, None),
    ("pivot_root", 155, 41),
    ("prctl", 157, 167),
    ("chroot", 161, 51),
    ("mount", 165, 40),
    ("umount2", 166, 39),
    ("init_module", 175, 105),
    ("delete_module", 176, 106),
    ("gettid", 186, 178),
    ("tkill", 200, 130),
    ("time", 201, None),
    ("futex", 202, 98),
    ("sched_getaffinity", 204, 123),
    ("restart_syscall", 219, 128),
    ("clock_gettime", 228, 113),
    ("clock_getres", 229, 114),
    ("clock_nanosleep", 230, 115),
    ("exit_group", 231, 94),
    ("tgkill", 234, 131),
    ("kexec_load", 246, 104),
    ("add_key", 248, 217),
    ("request_key", 249, 218),
    ("keyctl", 250, 219),
    ("unshare", 272, 97),
    ("pselect6", 270, 72),
    ("ppoll", 271, 73),
    ("set_robust_list", 273, 99),
    ("perf_event_open", 298, 241),
    ("rt_tgsigqueueinfo", 297, 240),
    ("prlimit64", 302, 261),
    ("name_to_handle_at", 303, 264),
    ("open_by_handle_at", 304, 265),
    ("setns", 308, 268),
    ("getcpu", 309, 168),
    ("process_vm_readv", 310, 270),
    ("process_vm_writev", 311, 271),
    ("kcmp", 312, 272),
    ("finit_module", 313, 273),
    ("seccomp", 317, 277),
    ("getrandom", 318, 278),
    ("kexec_file_load", 320, 294),
    ("bpf", 321, 280),
    ("execveat", 322, 281),
    ("userfaultfd", 323, 282),
    ("membarrier", 324, 283),
    ("rseq", 334, 293),
    ("pidfd_send_signal", 424, 424),
    ("io_uring_setup", 425, 425),
    ("io_uring_enter", 426, 426),
    ("io_uring_register", 427, 427),
    ("open_tree", 428, 428),
    ("move_mount", 429, 429),
    ("fsopen", 430, 430),
    ("fsconfig", 431, 431),
    ("fsmount", 432, 432),
    ("fspick", 433, 433),
    ("pidfd_open", 434, 434),
    ("clone3", 435, 435),
    ("pidfd_getfd", 438, 438),
    ("process_madvise", 440, 440),
    ("mount_setattr", 442, 442),
    ("landlock_create_ruleset", 444, 444),
    ("landlock_restrict_self", 446, 446),
    ("memfd_secret", 447, 447),
    ("process_mrelease", 448, 448),
)


@dataclass(frozen=True, slots=True)
class Machine:
    """A kind of processor: its number in linux/audit.h, and its system calls by name.

    `foreign_calls_from` is the first number of a second table of calls that this machine also answers to, if any.
    """

    audit_number: int
    numbers: Mapping[str, int]
    foreign_calls_from: int | None


# The x32 calls of an x86-64 kernel share the audit number of the ordinary ones and begin at 2^30.
_X86_64 = Machine(
    0xC000003E, {name: number for name, number, _ in _NUMBERS if number is not None}, foreign_calls_from=0x4000_0000
)
_AARCH64 = Machine(
    0xC00000B7, {name: number for name, _, number in _NUMBERS if number is not None}, foreign_calls_from=None
)
MACHINES = {"x86_64": _X86_64, "aarch64": _AARCH64}


def this_machine() -> Machine:
    """The machine this process runs on, as the kernel sees the process.

    Raises:
        OSError: its numbers are not known, as those of 32-bit programs.
    """
    machine = MACHINES.get(platform.machine())
    if machine is None or struct.calcsize("P") != 8:
        raise OSError(f"the system calls of {platform.machine()} are not known")
    return machine
