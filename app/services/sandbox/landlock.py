"""Landlock without rules: no file, no TCP port, no abstract socket and no foreign process can be reached any more.

See landlock(7); rights are those of the kernel's ABI version 7, of which each kernel gets what it knows.
"""

from __future__ import annotations

import ctypes
import os
import struct

from app.services.sandbox import kernel
from app.services.sandbox.machines import this_machine

_VERSION_FLAG = 1
_REFER, _TRUNCATE, _IOCTL_DEVICE = 1 << 13, 1 << 14, 1 << 15
_BIND_TCP, _CONNECT_TCP = 1, 2
_ABSTRACT_UNIX_SOCKET, _SIGNAL = 1, 2
# execute, read, write, list, and make and remove everything there is.
_FIRST_FILE_RIGHTS = (1 << 13) - 1


def enter_landlock() -> None:
    """Puts the calling thread and what it forks into a Landlock domain of its own, for good.

    Descriptors that are open stay open. Processes outside the domain cannot be traced or (ABI 6) signalled from it;
    what is forked inside can enter a further domain, apart from this one. Needs no_new_privs.

    Raises:
        OSError: the kernel has no Landlock, or its calls are not known here.
    """
    numbers = this_machine().numbers
    create = numbers["landlock_create_ruleset"]
    rights = ruleset(kernel.syscall(create, None, 0, _VERSION_FLAG))
    ruleset_fd = kernel.syscall(create, ctypes.c_char_p(rights), len(rights), 0)
    try:
        kernel.syscall(numbers["landlock_restrict_self"], ruleset_fd, 0)
    finally:
        os.close(ruleset_fd)


def ruleset(version: int) -> bytes:
    """`struct landlock_ruleset_attr` that denies everything that a kernel of this ABI version (from 1) can deny."""
    files = _FIRST_FILE_RIGHTS
    for right, since in ((_REFER, 2), (_TRUNCATE, 3), (_IOCTL_DEVICE, 5)):
        files |= right if version >= since else 0
    network = _BIND_TCP | _CONNECT_TCP if version >= 4 else 0
    scopes = _ABSTRACT_UNIX_SOCKET | _SIGNAL if version >= 6 else 0
    known_fields = 1 + (version >= 4) + (version >= 6)
    return struct.pack("=QQQ", files, network, scopes)[: 8 * known_fields]
