"""Whether another program has a file open for writing, as far as the operating system tells."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from pathlib import Path

GENERIC_READ, OPEN_EXISTING = 0x80000000, 3
SHARE_READ, SHARE_DELETE = 1, 4
SHARING_VIOLATION = 32


def has_writer(path: Path) -> bool:
    """Always False where the system does not tell: a file that is quiet has to do."""
    if sys.platform == "linux":
        return _no_read_lease(path)
    return sys.platform == "win32" and _no_opening_without_writers(path)


def _no_read_lease(path: Path) -> bool:
    """fcntl(2), F_SETLEASE: a read lease is refused with EAGAIN while the file is open for writing anywhere."""
    if sys.platform != "linux":
        return False
    import fcntl

    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        # Other refusals (a share without leases, another owner) tell nothing.
        return error.errno == errno.EAGAIN
    finally:
        os.close(descriptor)
    return False


def _no_opening_without_writers(path: Path) -> bool:
    """CreateFileW without FILE_SHARE_WRITE is refused while the file is open for writing anywhere.

    Windows brings a listing's size and time up to date only when the writer closes the file.
    """
    if sys.platform != "win32":
        return False
    kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel32.CreateFileW.restype = ctypes.c_void_p
    handle = kernel32.CreateFileW(str(path), GENERIC_READ, SHARE_READ | SHARE_DELETE, None, OPEN_EXISTING, 0, None)
    if handle in (None, ctypes.c_void_p(-1).value):
        return ctypes.get_last_error() == SHARING_VIOLATION
    kernel32.CloseHandle(ctypes.c_void_p(handle))
    return False
