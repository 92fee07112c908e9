"""The few calls of `winreg` that the opener makes, as a shape: the real module on Windows, a stand-in in tests.

https://docs.python.org/3/library/winreg.html
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any, Protocol, cast


class Registry(Protocol):
    HKEY_CURRENT_USER: Any
    HKEY_LOCAL_MACHINE: Any
    KEY_READ: int
    KEY_WRITE: int
    REG_SZ: int

    def CreateKeyEx(self, key: Any, sub_key: str, reserved: int = ..., access: int = ...) -> Any: ...
    def OpenKey(self, key: Any, sub_key: str, reserved: int = ..., access: int = ...) -> Any: ...
    def SetValueEx(self, key: Any, value_name: str | None, reserved: Any, type: int, value: str, /) -> None: ...
    def QueryValueEx(self, key: Any, name: str | None, /) -> tuple[Any, int]: ...
    def EnumKey(self, key: Any, index: int, /) -> str: ...
    def DeleteKey(self, key: Any, sub_key: str, /) -> None: ...


def real() -> Registry:
    """Python's `winreg`; ImportError anywhere but on Windows."""
    return cast(Registry, importlib.import_module("winreg"))


def value(registry: Registry, hive: Any, path: str, name: str | None = None) -> str | None:
    """A text value, None where there is no such key or value."""
    try:
        with registry.OpenKey(hive, path, 0, registry.KEY_READ) as key:
            data, _ = registry.QueryValueEx(key, name)
    except OSError:
        return None
    return data if isinstance(data, str) else None


def subkeys(registry: Registry, hive: Any, path: str) -> Iterator[str]:
    """Names beneath a key, all listed before the first is yielded: deleting one must not shift the others."""
    names: list[str] = []
    try:
        with registry.OpenKey(hive, path, 0, registry.KEY_READ) as key:
            while True:
                names.append(registry.EnumKey(key, len(names)))
    except OSError:  # there is no such key, or its list ended
        pass
    yield from names


def delete_tree(registry: Registry, hive: Any, path: str) -> None:
    """Windows deletes only keys without keys beneath them. May raise OSError, and leaves the upper keys then."""
    for name in subkeys(registry, hive, path):
        delete_tree(registry, hive, f"{path}\\{name}")
    registry.DeleteKey(hive, path)
