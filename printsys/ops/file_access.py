"""Whether other users of this computer may read a file: by its mode on POSIX, by its access list on Windows."""

from __future__ import annotations

import ctypes
import re
import sys
from pathlib import Path

EVERYBODY = {"WD", "AU", "BU", "BG", "AN", "IU", "S-1-1-0", "S-1-5-7", "S-1-5-11", "S-1-5-32-545", "S-1-5-32-546"}
"""Everyone, authenticated users, users, guests, anonymous and interactive users, as SDDL names them
(https://learn.microsoft.com/windows/win32/secauthz/sid-strings)."""
FILE_READ_DATA = 1
READING = {"GA", "GR", "FA", "FR"}
_ENTRY = re.compile(r"\((?P<type>\w+);[^;]*;(?P<rights>[^;]*);[^;]*;[^;]*;(?P<trustee>[^;)]*+)[^)]*\)")
_SE_FILE_OBJECT = 1
_DACL_SECURITY_INFORMATION = 4


def others_may_read(path: Path) -> bool:
    """OSError where the system does not tell."""
    if sys.platform == "win32":
        return grants_everybody(_access_list(path))
    return bool(path.stat().st_mode & 0o077)


def grants_everybody(access_list: str) -> bool:
    """Whether an access list in SDDL lets everybody on the computer read. An absent list lets everybody do all.

    https://learn.microsoft.com/windows/win32/secauthz/security-descriptor-string-format
    """
    _, has_list, entries = access_list.partition("D:")
    if not has_list or entries.startswith("NO_ACCESS_CONTROL"):
        return True
    return any(
        entry["type"] == "A" and entry["trustee"] in EVERYBODY and _can_read(entry["rights"])
        for entry in _ENTRY.finditer(entries.partition("S:")[0])
    )


def _can_read(rights: str) -> bool:
    if rights.startswith("0x"):
        return bool(int(rights, 16) & FILE_READ_DATA)
    return bool(READING & {rights[at : at + 2] for at in range(0, len(rights), 2)})


def _access_list(path: Path) -> str:
    if sys.platform != "win32":
        raise OSError("only Windows has access lists of this kind")
    advapi32 = ctypes.WinDLL("advapi32", use_last_error=True)
    kernel32 = ctypes.WinDLL("kernel32")
    descriptor, text = ctypes.c_void_p(), ctypes.c_wchar_p()
    code = advapi32.GetNamedSecurityInfoW(
        str(path), _SE_FILE_OBJECT, _DACL_SECURITY_INFORMATION, None, None, None, None, ctypes.byref(descriptor)
    )
    if code != 0:
        raise ctypes.WinError(code)
    try:
        if not advapi32.ConvertSecurityDescriptorToStringSecurityDescriptorW(
            descriptor, 1, _DACL_SECURITY_INFORMATION, ctypes.byref(text), None
        ):
            raise ctypes.WinError(ctypes.get_last_error())
        access_list = text.value or ""
        kernel32.LocalFree(text)
        return access_list
    finally:
        kernel32.LocalFree(descriptor)
