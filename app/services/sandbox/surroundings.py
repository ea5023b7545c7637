"""What a confined process finds around it: no network, no files by name, no descriptors but its own."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Collection

from app.services.sandbox import kernel
from app.services.sandbox.limits import limit_threads

if sys.platform != "win32":
    import resource

_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000
_SIGKILL = 9
# Where close_range(2) is missing, descriptors are closed one by one, and a limit can be a thousand million.
_MAX_DESCRIPTORS = 1 << 16


def leave_network() -> None:
    """Moves this single-threaded process into an empty network of its own, in which not even loopback is up.

    An ordinary user does so inside a user namespace of its own, has every capability in there (drop them), and is
    bounded in its threads.

    Raises:
        OSError: the system does not let this user.
    """
    try:
        kernel.call("unshare", _NEW_NETWORK)
    except PermissionError:
        # For root it would end in a namespace in which it could become nobody but root.
        if os.getuid() == 0:
            raise
        kernel.call("unshare", _NEW_USER | _NEW_NETWORK)
        limit_threads()


def enter_empty_root() -> None:
    """No path leads anywhere any more: the root is a directory of /proc, which ends with this process.

    It lists the numbers of this process's descriptors and takes no new entries; `..` leads nowhere.

    Raises:
        OSError: the system does not let this user, or has no /proc.
    """
    os.chroot("/proc/self/fdinfo")
    os.chdir("/")


def hide_memory() -> None:
    """No core is written for this process, and no other process of its user may read or trace it.

    Raises:
        OSError: the kernel refused.
    """
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)


def die_with(server: int) -> None:
    """The kernel kills this process when `server`, the process that forked it, ends.

    Raises:
        OSError: the kernel refused, or the server has ended already.
    """
    kernel.prctl(kernel.PR_SET_PDEATHSIG, _SIGKILL)
    if os.getppid() != server:
        raise ProcessLookupError("the fork server has ended")


def close_files(keep: Collection[int]) -> None:
    """Closes every descriptor but these, standard input, output and error included."""
    bounds = sorted({*keep, -1, _highest_descriptor()})
    for lower, upper in itertools.pairwise(bounds):
        # An empty range that begins at 0 would close them all.
        if lower + 1 < upper:
            os.closerange(lower + 1, upper)


def _highest_descriptor() -> int:
    if sys.platform == "win32":
        return _MAX_DESCRIPTORS
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MAX_DESCRIPTORS if soft == resource.RLIM_INFINITY else min(soft, _MAX_DESCRIPTORS)
