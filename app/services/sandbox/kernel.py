"""Raw calls into the Linux kernel, for what Python's standard library has no name for."""

from __future__ import annotations

import ctypes
import os
import sys
from functools import cache
from typing import Any

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_KEEPCAPS = 8
PR_CAPBSET_DROP = 24
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4


def call(function_name: str, *arguments: Any) -> int:
    """What a function of the C library answers, for functions that answer -1 and set errno when they fail.

    Raises:
        OSError: the call failed, or this system has no such function.
    """
    function = getattr(_c_library(), function_name)
    result = int(function(*(ctypes.c_long(each) if isinstance(each, int) else each for each in arguments)))
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, f"{function_name}: {os.strerror(code)}")
    return result


def prctl(option: int, *arguments: int) -> None:
    """See prctl(2); arguments that are left out are 0.

    Raises:
        OSError: the kernel refused.
    """
    call("prctl", option, *arguments, *[0] * (4 - len(arguments)))


def syscall(number: int, *arguments: Any) -> int:
    """See syscall(2).

    Raises:
        OSError: the kernel refused, or does not know the call.
    """
    return call("syscall", number, *arguments)


@cache
def _c_library() -> Any:
    if sys.platform != "linux":
        raise OSError(f"{sys.platform} has none of Linux's ways to confine a process")
    return ctypes.CDLL(None, use_errno=True)
