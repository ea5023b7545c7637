"""The filter of system calls: what decoding in memory needs passes, all else fails, plain hostility ends the process.

See seccomp(2) and linux/bpf_common.h for the instructions.
"""

from __future__ import annotations

import ctypes
import errno
import struct

from app.services.sandbox import kernel
from app.services.sandbox.machines import Machine, this_machine

# Nothing here names a file, a process or an address, makes a descriptor, or reaches beyond the calling process.
_ALLOWED = (
    # What is open already: the pipes and the shared memory that the worker was given.
    *("read", "readv", "pread64", "write", "writev", "pwrite64", "lseek", "fstat", "close"),
    *("poll", "ppoll", "select", "pselect6"),
    # Memory without execution (mmap and mprotect are checked below), threads and their waiting.
    *("munmap", "mremap", "madvise", "brk", "futex", "membarrier", "rseq", "set_robust_list", "sched_yield"),
    *("sched_getaffinity", "getcpu", "exit", "exit_group", "restart_syscall"),
    *("rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack"),
    # Time, chance and questions about oneself.
    *("clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time", "times"),
    *("getrandom", "getrusage", "getrlimit", "getpid", "getppid", "gettid", "getuid", "geteuid", "getgid", "getegid"),
    *("uname", "sysinfo"),
)

# No decoder, encoder or interpreter ever tries these, so there is nobody to answer gently: the first attempt is the
# last, and SIGSYS tells the parent what happened. Calls that libraries do probe (open, socket, fork) fail instead.
_HOSTILE = (
    *("execve", "execveat", "ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "kill", "tkill"),
    *("rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_open", "pidfd_getfd", "pidfd_send_signal", "process_madvise"),
    *("process_mrelease", "io_uring_setup", "io_uring_enter", "io_uring_register", "userfaultfd", "bpf"),
    *("perf_event_open", "add_key", "request_key", "keyctl", "mount", "umount2", "pivot_root", "chroot", "unshare"),
    *("setns", "open_tree", "move_mount", "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr"),
    *("init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load"),
    *("name_to_handle_at", "open_by_handle_at", "memfd_secret", "personality", "modify_ldt", "capset", "seccomp"),
    *("setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setgroups", "setfsuid", "setfsgid"),
)

# The flags of pthread_create in glibc and in musl: a thread of this process, and nothing else that clone can make.
_THREAD_FLAGS = (0x3D0F00, 0x7D0F00)
_PROT_EXEC = 0x4
_F_GETFD, _F_GETFL = 1, 3
_PR_SET_NAME, _PR_GET_NAME = 15, 16

_SET_MODE_FILTER = 1
_FLAG_TSYNC = 1
_ALLOW = 0x7FFF0000
_KILL_PROCESS = 0x80000000
_ERRNO = 0x00050000
_REFUSE = _ERRNO | errno.EPERM

_LOAD, _JUMP_EQUAL, _JUMP_NOT_BELOW, _JUMP_BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER_AT, _MACHINE_AT, _ARGUMENTS_AT = 0, 4, 16


class _Program(ctypes.Structure):
    """`struct sock_fprog` of linux/filter.h."""

    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p)]


def restrict_system_calls(process_id: int) -> None:
    """Installs the filter for all threads of this process, which is `process_id`; it cannot be taken off again.

    Needs no_new_privs.

    Raises:
        OSError: the kernel has no filters, or this machine's calls are not known.
    """
    machine = this_machine()
    program = filter_program(machine, process_id)
    buffer = ctypes.create_string_buffer(program, len(program))
    described = _Program(len(program) // 8, ctypes.addressof(buffer))
    kernel.syscall(machine.numbers["seccomp"], _SET_MODE_FILTER, _FLAG_TSYNC, ctypes.byref(described))


def filter_program(machine: Machine, process_id: int) -> bytes:
    """The filter as classic BPF, 8 bytes per instruction; `process_id` is the one that may be sent signals."""
    parts = [_load(_MACHINE_AT), _jump(_JUMP_EQUAL, machine.audit_number, 1, 0), _return(_KILL_PROCESS)]
    parts.append(_load(_NUMBER_AT))
    if machine.foreign_calls_from is not None:
        parts += [_jump(_JUMP_NOT_BELOW, machine.foreign_calls_from, 0, 1), _return(_KILL_PROCESS)]
    parts += [_verdict(machine, name, _ALLOW) for name in _ALLOWED]
    parts += [_verdict(machine, name, _KILL_PROCESS) for name in _HOSTILE]
    # clone3 hides its flags in memory, where a filter cannot look; told that it is unknown, the C library uses clone.
    parts.append(_verdict(machine, "clone3", _ERRNO | errno.ENOSYS))
    parts.append(_for_call(machine, "clone", _allow_values(0, _THREAD_FLAGS)))
    parts.append(_for_call(machine, "fcntl", _allow_values(1, (_F_GETFD, _F_GETFL))))
    parts.append(_for_call(machine, "prctl", _allow_values(0, (_PR_SET_NAME, _PR_GET_NAME))))
    parts += [_for_call(machine, name, _allow_without_bits(2, _PROT_EXEC)) for name in ("mmap", "mprotect")]
    # abort() sends its signal this way.
    parts.append(_for_call(machine, "tgkill", _allow_values(0, (process_id,), otherwise=_KILL_PROCESS)))
    parts.append(_for_call(machine, "prlimit64", _allow_null(2)))
    parts.append(_return(_REFUSE))
    return b"".join(parts)


def _instruction(code: int, constant: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, constant)


def _load(offset: int) -> bytes:
    return _instruction(_LOAD, offset)


def _jump(code: int, constant: int, if_true: int, if_false: int) -> bytes:
    """Skips so many instructions, depending on how what was loaded compares with the constant."""
    return _instruction(code, constant, if_true, if_false)


def _return(verdict: int) -> bytes:
    return _instruction(_RETURN, verdict)


def _verdict(machine: Machine, name: str, verdict: int) -> bytes:
    return _for_call(machine, name, _return(verdict))


def _for_call(machine: Machine, name: str, block: bytes) -> bytes:
    """A block that ends with a verdict, for one call; nothing where the machine lacks the call."""
    number = machine.numbers.get(name)
    return b"" if number is None else _jump(_JUMP_EQUAL, number, 0, len(block) // 8) + block


def _argument_halves(index: int) -> tuple[int, int]:
    """Where the lower and the upper 32 bits of an argument lie; both kinds of machine are little-endian."""
    lower = _ARGUMENTS_AT + 8 * index
    return lower, lower + 4


def _allow_values(index: int, values: tuple[int, ...], *, otherwise: int = _REFUSE) -> bytes:
    """Allows where an argument, of which the kernel reads 32 bits, has one of these values."""
    lower, _ = _argument_halves(index)
    allowing = b"".join(_jump(_JUMP_EQUAL, value, 0, 1) + _return(_ALLOW) for value in values)
    return _load(lower) + allowing + _return(otherwise)


def _allow_without_bits(index: int, bits: int) -> bytes:
    lower, _ = _argument_halves(index)
    return _load(lower) + _jump(_JUMP_BITS, bits, 0, 1) + _return(_REFUSE) + _return(_ALLOW)


def _allow_null(index: int) -> bytes:
    """Allows where a pointer is null, both halves of it."""
    lower, upper = _argument_halves(index)
    refused = _jump(_JUMP_EQUAL, 0, 1, 0) + _return(_REFUSE)
    return _load(lower) + refused + _load(upper) + refused + _return(_ALLOW)
