"""Who the decoders are: an unprivileged user without capabilities, who cannot become anybody else."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import struct
import sys

from app.services.sandbox import kernel
from app.services.sandbox.limits import limit_threads

if sys.platform != "win32":
    import pwd

# systemd documents these as used by nobody (UIDS-GIDS.md), so no other program shares their limits and signals.
_FREE_USERS = range(60578, 61184)
_NOBODY = 65534
_CAPABILITY_VERSION_3 = 0x20080522
_MAX_CAPABILITIES = 64
_CHANGE_ROOT = 1 << 18


def forbid_new_privileges() -> None:
    """No program that this process or its children execute gains rights by it, for good.

    Raises:
        OSError: the system has no such promise.
    """
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)


def find_free_user() -> int:
    """The number of a user that no account has, another one in each process as far as there are enough; else nobody."""
    first = os.getpid() % len(_FREE_USERS)
    for step in range(8):
        user = _FREE_USERS[(first + step) % len(_FREE_USERS)]
        try:
            pwd.getpwuid(user)
        except KeyError:
            return user
    return _NOBODY


def become_unprivileged(user: int) -> None:
    """Root becomes this user, in the group of the same number and no other; anybody else stays who they are.

    Where root may not become that user, as in containers with few users, it becomes nobody. The new user's threads are
    bounded. Of root's capabilities it keeps the one to change its root directory, for `enter_empty_root`: drop it then.

    Raises:
        OSError: this root cannot become anybody else.
    """
    if 0 not in os.getresuid():
        return
    _shrink_bounding_set()
    os.setgroups([])
    kernel.prctl(kernel.PR_SET_KEEPCAPS, 1)
    for candidate in (user, _NOBODY):
        with contextlib.suppress(OSError):
            os.setresgid(candidate, candidate, candidate)
            os.setresuid(candidate, candidate, candidate)
            break
    else:
        raise PermissionError(errno.EPERM, "root cannot become another user here")
    limit_threads()
    try:
        _set_capabilities(_CHANGE_ROOT)
    except PermissionError:
        # As root it had not been allowed to either.
        _set_capabilities(0)


def drop_capabilities() -> None:
    """Gives up every capability: what is in force, and what could ever be gained where we may still decide on that.

    Raises:
        OSError: the kernel refused.
    """
    _shrink_bounding_set()
    kernel.prctl(kernel.PR_CAP_AMBIENT, kernel.PR_CAP_AMBIENT_CLEAR_ALL)
    _set_capabilities(0)


def _shrink_bounding_set() -> None:
    """Needs CAP_SETPCAP; without it nothing changes, and no_new_privs alone keeps capabilities from being gained."""
    with contextlib.suppress(OSError):
        for capability in range(_MAX_CAPABILITIES):
            kernel.prctl(kernel.PR_CAPBSET_DROP, capability)


def _set_capabilities(held: int) -> None:
    """Has these capabilities, as bits, in force and permitted, and none that could be inherited; see capset(2)."""
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    sets = struct.pack("=6I", held, held, 0, 0, 0, 0)
    kernel.call("capset", ctypes.c_char_p(header), ctypes.c_char_p(sets))
