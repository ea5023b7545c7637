"""The filter of system calls, run as the kernel of each kind of machine would, whichever one the tests run on."""

from __future__ import annotations

import errno
import struct

import pytest

from app.services.sandbox.landlock import ruleset
from app.services.sandbox.machines import MACHINES
from app.services.sandbox.seccomp import filter_program

# linux/audit.h: AUDIT_ARCH_X86_64, AUDIT_ARCH_AARCH64, AUDIT_ARCH_I386.
X86_64, AARCH64, I386 = 0xC000003E, 0xC00000B7, 0x40000003
ALLOWED, REFUSED, UNKNOWN, KILLED = 0x7FFF0000, 0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS, 0x80000000
SELF = 4711
# A pointer whose lower half is zero is not null.
HIGH_POINTER = 0x7F00_0000_0000
THREAD = 0x3D0F00
NUMBERS = {
    "x86_64": {"read": 0, "open": 2, "mmap": 9, "mprotect": 10, "socket": 41, "clone": 56, "fork": 57, "vfork": 58}
    | {"execve": 59, "fcntl": 72, "ptrace": 101, "prctl": 157, "futex": 202, "tgkill": 234, "openat": 257}
    | {"prlimit64": 302, "memfd_create": 319, "io_uring_setup": 425, "clone3": 435, "newest": 470},
    "aarch64": {"read": 63, "mmap": 222, "mprotect": 226, "socket": 198, "clone": 220, "execve": 221, "fcntl": 25}
    | {"ptrace": 117, "prctl": 167, "futex": 98, "tgkill": 131, "openat": 56, "prlimit64": 261, "memfd_create": 279}
    | {"io_uring_setup": 425, "clone3": 435, "newest": 470},
}
VERDICTS = [
    ("read", (), ALLOWED),
    ("futex", (), ALLOWED),
    ("mmap", (0, 4096, 3), ALLOWED),
    ("mmap", (0, 4096, 7), REFUSED),
    ("mprotect", (0, 4096, 4), REFUSED),
    ("clone", (THREAD,), ALLOWED),
    ("clone", (17,), REFUSED),
    ("clone", (THREAD | 0x1000_0000,), REFUSED),
    ("clone3", (), UNKNOWN),
    ("fcntl", (3, 3), ALLOWED),
    ("fcntl", (3, 0), REFUSED),
    ("prctl", (15,), ALLOWED),
    ("prctl", (1,), REFUSED),
    ("tgkill", (SELF,), ALLOWED),
    ("tgkill", (1,), KILLED),
    ("prlimit64", (0, 7, 0), ALLOWED),
    ("prlimit64", (0, 7, 1), REFUSED),
    ("prlimit64", (0, 7, HIGH_POINTER), REFUSED),
    *((name, (), REFUSED) for name in ("open", "openat", "socket", "fork", "vfork", "memfd_create", "newest")),
    *((name, (), KILLED) for name in ("execve", "ptrace", "io_uring_setup")),
]


def verdict_on(program: bytes, *, machine: int, number: int, arguments: tuple[int, ...]) -> int:
    """What a kernel answers that runs this program on `struct seccomp_data` (linux/seccomp.h)."""
    padded = (*arguments, 0, 0, 0, 0, 0, 0)[:6]
    told = struct.pack("<IIQ6Q", number, machine, 0, *padded)
    instructions = list(struct.iter_unpack("<HBBI", program))
    position = accumulator = 0
    while True:
        code, if_true, if_false, constant = instructions[position]
        position += 1
        if code == 0x06:
            return int(constant)
        if code == 0x20:
            (accumulator,) = struct.unpack_from("<I", told, constant)
            continue
        holds = {0x15: accumulator == constant, 0x35: accumulator >= constant, 0x45: bool(accumulator & constant)}
        position += if_true if holds[code] else if_false


@pytest.mark.parametrize(
    ("machine", "name", "arguments", "expected"),
    [(machine, *verdict) for machine, numbers in NUMBERS.items() for verdict in VERDICTS if verdict[0] in numbers],
)
def test_verdicts(machine: str, name: str, arguments: tuple[int, ...], expected: int) -> None:
    """Decoders get memory, threads and what is open already: no files, sockets, processes or executable memory."""
    program = filter_program(MACHINES[machine], SELF)
    kind = {"x86_64": X86_64, "aarch64": AARCH64}[machine]
    assert verdict_on(program, machine=kind, number=NUMBERS[machine][name], arguments=arguments) == expected


@pytest.mark.parametrize(
    ("name", "machine", "number"),
    [("x86_64", I386, 3), ("x86_64", AARCH64, 63), ("aarch64", X86_64, 0), ("x86_64", X86_64, 0x4000_0000)],
    ids=["32-bit", "foreign", "foreign to ARM", "x32"],
)
def test_other_tables_of_calls(name: str, machine: int, number: int) -> None:
    """Numbers of another table, where they mean other calls, end the worker."""
    assert verdict_on(filter_program(MACHINES[name], SELF), machine=machine, number=number, arguments=()) == KILLED


@pytest.mark.parametrize(
    ("version", "fields"),
    [
        (1, (0x1FFF,)),
        (2, (0x3FFF,)),
        (3, (0x7FFF,)),
        (4, (0x7FFF, 3)),
        (5, (0xFFFF, 3)),
        (6, (0xFFFF, 3, 3)),
        (9, (0xFFFF, 3, 3)),
    ],
)
def test_landlock_of_each_kernel(version: int, fields: tuple[int, ...]) -> None:
    """Each kernel is asked to deny all that it knows, and nothing that it does not."""
    assert struct.unpack(f"={len(fields)}Q", ruleset(version)) == fields
