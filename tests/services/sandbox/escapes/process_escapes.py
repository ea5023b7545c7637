"""Attempts at other processes, at becoming one, and at becoming somebody else."""

from __future__ import annotations

import ctypes
import os
import signal
import struct
from pathlib import Path

from tests.services.sandbox.escapes.raw_calls import Stopped, addresses, raw
from tests.services.sandbox.escapes.target import Target

_HERE = -100
_EMPTY_PATH = 0x1000
_SEIZE = 0x4206
_NEW_USER = 0x10000000
_NEW_NETWORK = 0x40000000
_SAME_PARENT = 0x00008000
_CAPABILITY_VERSION_3 = 0x20080522
_EVERY_RIGHT = (1 << 64) - 1
# Read while there are files.
_SHELL = Path("/bin/sh").resolve().read_bytes()


def _say_escaped(target: Target) -> tuple[bytes, bytes, bytes]:
    return b"sh", b"-c", f"echo escaped >&{target.report}".encode()


def _expect_two_processes(child: int) -> None:
    """In the second process, ends it; in the first, waits for that."""
    if not child:
        raw("exit_group", 0)
    raw("wait4", child, None, 0, None)


def execute_a_program(target: Target) -> None:
    raw("execve", b"/bin/sh", addresses(*_say_escaped(target)), addresses())


def execute_a_program_from_memory(target: Target) -> None:
    program = raw("memfd_create", b"program", 0)
    raw("write", program, _SHELL, len(_SHELL))
    raw("execveat", program, b"", addresses(*_say_escaped(target)), addresses(), _EMPTY_PATH)


def gain_rights_by_a_set_uid_program(target: Target) -> None:
    """`cat`, owned by root and set-uid, copies what only root may read to the report."""
    raw("dup3", target.report, 1, 0)
    arguments = addresses(b"cat", target.private.encode())
    raw("execve", target.set_uid_cat.encode(), arguments, addresses())


def fork(_: Target) -> None:
    _expect_two_processes(raw("clone", signal.SIGCHLD, 0, 0, 0, 0))


def fork_a_sibling(_: Target) -> None:
    """A process that this one's parent would be the parent of."""
    if not raw("clone", signal.SIGCHLD | _SAME_PARENT, 0, 0, 0, 0):
        raw("exit_group", 0)


def fork_by_the_newest_call(_: Target) -> None:
    arguments = struct.pack("=8Q", 0, 0, 0, 0, signal.SIGCHLD, 0, 0, 0)
    _expect_two_processes(raw("clone3", arguments, len(arguments)))


def trace_a_process(target: Target) -> None:
    raw("ptrace", _SEIZE, target.victim, 0, 0)


def kill_a_process(target: Target) -> None:
    raw("kill", target.victim, signal.SIGKILL)


def kill_every_process(_: Target) -> None:
    """Only whether it could: signal 0 kills nobody."""
    raw("kill", -1, 0)


def kill_a_thread(target: Target) -> None:
    raw("tgkill", target.victim, target.victim, signal.SIGKILL)


def queue_a_signal(target: Target) -> None:
    told = struct.pack("=iii", signal.SIGKILL, 0, -1).ljust(128, b"\0")
    raw("rt_sigqueueinfo", target.victim, signal.SIGKILL, told)


def kill_by_descriptor(target: Target) -> None:
    raw("pidfd_send_signal", raw("pidfd_open", target.victim, 0), signal.SIGKILL, None, 0)


def take_a_descriptor_of_a_process(target: Target) -> None:
    raw("pidfd_getfd", raw("pidfd_open", target.victim, 0), 0, 0)


def read_the_memory_of_a_process(target: Target) -> None:
    wanted = len(target.canary)
    here = ctypes.create_string_buffer(wanted)
    local = struct.pack("=QQ", ctypes.addressof(here), wanted)
    raw("process_vm_readv", target.victim, local, 1, struct.pack("=QQ", target.address, wanted), 1, 0)
    if here.raw != target.canary.encode():
        raise Stopped("it was something else")


def limit_a_process(target: Target) -> None:
    raw("prlimit64", target.victim, 7, struct.pack("=QQ", 3, 3), None)


def lift_the_limit_of_files(_: Target) -> None:
    raw("prlimit64", 0, 7, struct.pack("=QQ", 64, 64), None)


def lift_the_limit_of_memory(_: Target) -> None:
    raw("prlimit64", 0, 9, struct.pack("=QQ", _EVERY_RIGHT, _EVERY_RIGHT), None)


def become_root(_: Target) -> None:
    raw("setresuid", 0, 0, 0)
    if os.getuid() != 0:
        raise Stopped("still somebody else")


def regain_capabilities(_: Target) -> None:
    """That of administering the system, number 21."""
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    raw("capset", header, struct.pack("=6I", 1 << 21, 1 << 21, 0, 0, 0, 0))


def be_root_in_a_world_of_ones_own(_: Target) -> None:
    raw("unshare", _NEW_USER)


def be_in_a_network_of_ones_own(_: Target) -> None:
    raw("unshare", _NEW_USER | _NEW_NETWORK)


def leave_the_network_namespace(_: Target) -> None:
    raw("unshare", _NEW_NETWORK)


def enter_the_network_of_a_process(target: Target) -> None:
    raw("setns", raw("pidfd_open", target.victim, 0), _NEW_NETWORK)


def outlive_the_server(_: Target) -> None:
    raw("prctl", 1, 0, 0, 0, 0)


def let_others_look(_: Target) -> None:
    raw("prctl", 4, 1, 0, 0, 0)
