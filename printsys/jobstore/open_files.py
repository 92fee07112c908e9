"""Which files of a folder other programs hold open, and which programs those are. Only Windows can tell.

Windows renames no folder that holds an open file, so staff want to know what to close. The Restart Manager names the
programs (https://learn.microsoft.com/windows/win32/rstmgr/restart-manager-portal).
"""

from __future__ import annotations

import ctypes
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

MOST_FILES = 200
"""Enough for a job; a folder with more is not searched to its end while a person waits for the page."""
_GENERIC_READ = 0x80000000
_OPEN_EXISTING = 3
_SHARING_VIOLATION = 32
_INVALID_HANDLE = ctypes.c_void_p(-1).value
_MORE_DATA = 234


def who_holds(folder: Path) -> str:
    """`bracket.3mf is closed (open in PrusaSlicer)`, for a sentence that begins with "when"; without a file's name
    where the system does not tell."""
    held = list(held_files(folder))
    if not held:
        return "no program has a file in it open"
    names = " and ".join(path.name for path in held[:3])
    programs = ", ".join(_programs_using(held))
    return f"{names} {'is' if len(held) == 1 else 'are'} closed" + (f" (open in {programs})" if programs else "")


def held_files(folder: Path) -> Iterator[Path]:
    """Files that cannot be opened for oneself alone, because another program has them open."""
    if sys.platform != "win32":
        return
    paths: list[Path] = []
    for place, _folders, names in os.walk(folder):
        paths += [Path(place, name) for name in names]
        if len(paths) >= MOST_FILES:
            break
    kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel32.CreateFileW.restype = ctypes.c_void_p
    for path in [path for path in paths[:MOST_FILES] if stat.S_ISREG(path.lstat().st_mode)]:
        handle = kernel32.CreateFileW(str(path), _GENERIC_READ, 0, None, _OPEN_EXISTING, 0, None)
        if handle not in (None, _INVALID_HANDLE):
            kernel32.CloseHandle(ctypes.c_void_p(handle))
        elif ctypes.get_last_error() == _SHARING_VIOLATION:
            yield path


class _UniqueProcess(ctypes.Structure):
    _fields_ = (("process_id", ctypes.c_uint32), ("start_time", ctypes.c_uint32 * 2))


class _ProcessInfo(ctypes.Structure):
    """RM_PROCESS_INFO."""

    _fields_ = (
        ("process", _UniqueProcess),
        ("application_name", ctypes.c_wchar * 256),
        ("service_name", ctypes.c_wchar * 64),
        ("application_type", ctypes.c_int),
        ("application_status", ctypes.c_uint32),
        ("session_id", ctypes.c_uint32),
        ("is_restartable", ctypes.c_int),
    )


def _programs_using(paths: Iterable[Path]) -> list[str]:
    """Names of the programs, each once; none where the Restart Manager cannot tell."""
    if sys.platform != "win32":
        return []
    try:
        manager: Any = ctypes.WinDLL("rstrtmgr")
    except OSError:
        return []
    session, key = ctypes.c_uint32(), ctypes.create_unicode_buffer(33)
    if manager.RmStartSession(ctypes.byref(session), 0, key) != 0:
        return []
    try:
        names = [str(path) for path in paths]
        array = (ctypes.c_wchar_p * len(names))(*names)
        if manager.RmRegisterResources(session, len(names), array, 0, None, 0, None) != 0:
            return []
        needed, count, reasons = ctypes.c_uint32(), ctypes.c_uint32(16), ctypes.c_uint32()
        processes = (_ProcessInfo * 16)()
        code = manager.RmGetList(session, ctypes.byref(needed), ctypes.byref(count), processes, ctypes.byref(reasons))
        if code not in (0, _MORE_DATA):
            return []
        return list(dict.fromkeys(info.application_name for info in processes[: count.value] if info.application_name))
    finally:
        manager.RmEndSession(session)
