"""The few calls of the C library that Python does not offer and the launcher needs."""

from __future__ import annotations

import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)


def checked(result: int) -> int:
    """The result of a call of the C library; raises OSError where it failed."""
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def system_call(number: int, *arguments: object) -> int:
    return checked(int(libc.syscall(ctypes.c_long(number), *arguments)))


def process_control(option: int, value: int = 0, more: int = 0) -> int:
    unused = ctypes.c_ulong(0)
    arguments = (ctypes.c_ulong(value), ctypes.c_ulong(more), unused, unused)
    return checked(int(libc.prctl(option, *arguments)))
