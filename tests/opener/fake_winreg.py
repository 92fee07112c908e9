"""A registry in memory, with the calls, the errors and the oddities of Python's `winreg`.

https://docs.python.org/3/library/winreg.html and https://learn.microsoft.com/windows/win32/sysinfo/registry-functions
"""

from __future__ import annotations

import errno
from dataclasses import dataclass, field
from typing import Any

_NO_MORE_ITEMS = 259


@dataclass
class Key:
    """Names of keys and values keep their spelling; upper and lower case are the same."""

    name: str
    values: dict[str, tuple[Any, int]] = field(default_factory=dict)
    keys: dict[str, Key] = field(default_factory=dict)

    def at(self, path: str, make: bool = False) -> Key:
        key = self
        for part in path.split("\\") if path else ():
            if make:
                key.keys.setdefault(part.lower(), Key(part))
            if part.lower() not in key.keys:
                raise FileNotFoundError(errno.ENOENT, "The system cannot find the file specified")
            key = key.keys[part.lower()]
        return key


@dataclass
class Handle:
    """An open key: allows the access that it was opened for, until it is closed."""

    key: Key
    access: int
    closed: bool = False

    def __enter__(self) -> Handle:
        return self

    def __exit__(self, *_: object) -> None:
        self.closed = True

    def may(self, access: int) -> Key:
        if self.closed:
            raise OSError(errno.EBADF, "The handle is invalid")
        if not self.access & access:
            raise PermissionError(errno.EACCES, "Access is denied")
        return self.key


class FakeRegistry:
    KEY_READ = 0x20019
    KEY_WRITE = 0x20006
    REG_SZ = 1
    _QUERY, _SET, _ENUMERATE = 0x1, 0x2, 0x8

    def __init__(self) -> None:
        self.HKEY_CURRENT_USER = Key("HKCU")
        self.HKEY_LOCAL_MACHINE = Key("HKLM")
        self.read_only: set[str] = set()

    def CreateKeyEx(self, key: Key, sub_key: str, reserved: int = 0, access: int = KEY_WRITE) -> Handle:
        assert reserved == 0
        self._writable(sub_key)
        return Handle(key.at(sub_key, make=True), access)

    def OpenKey(self, key: Key, sub_key: str, reserved: int = 0, access: int = KEY_READ) -> Handle:
        assert reserved == 0
        return Handle(key.at(sub_key), access)

    def SetValueEx(self, key: Handle, value_name: str | None, reserved: Any, type: int, value: str, /) -> None:
        assert type == self.REG_SZ and isinstance(value, str)
        key.may(self._SET).values[(value_name or "").lower()] = (value, type)

    def QueryValueEx(self, key: Handle, name: str | None, /) -> tuple[Any, int]:
        try:
            return key.may(self._QUERY).values[(name or "").lower()]
        except KeyError:
            raise FileNotFoundError(errno.ENOENT, "The system cannot find the file specified") from None

    def EnumKey(self, key: Handle, index: int, /) -> str:
        beneath = list(key.may(self._ENUMERATE).keys.values())
        if index >= len(beneath):
            raise OSError(_NO_MORE_ITEMS, "No more data is available")
        return beneath[index].name

    def DeleteKey(self, key: Key, sub_key: str, /) -> None:
        self._writable(sub_key)
        above, _, name = sub_key.rpartition("\\")
        parent = key.at(above)
        if parent.at(name).keys:
            raise PermissionError(errno.EACCES, "Access is denied")
        del parent.keys[name.lower()]

    def _writable(self, path: str) -> None:
        if path in self.read_only:
            raise PermissionError(errno.EACCES, "Access is denied")

    def put(self, hive: Key, path: str, **values: Any) -> None:
        """For tests: values by their names, `default` being the one without."""
        key = hive.at(path, make=True)
        key.values |= {("" if name == "default" else name).lower(): (value, 1) for name, value in values.items()}
