"""Windows: keys beneath HKEY_CURRENT_USER\\Software\\Classes, for which nobody needs to be an administrator.

https://learn.microsoft.com/previous-versions/windows/internet-explorer/ie-developer/platform-apis/aa767914(v=vs.85)
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from opener import registry as reg
from opener.refusals import Reason, Refused
from opener.registry import Registry
from opener.url import SCHEMES

_CLASSES = r"Software\Classes"
_OURS = "URL:Print lab job"
"""The key's description; by it we know our own keys from those of another program for the same links."""


class WindowsRegistration:
    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.hive = registry.HKEY_CURRENT_USER

    def install(self, command: Sequence[str]) -> None:
        for scheme in SCHEMES:
            self._set(f"{_CLASSES}\\{scheme}", None, _OURS)
            # An empty value of this name is what makes the key a scheme.
            self._set(f"{_CLASSES}\\{scheme}", "URL Protocol", "")
            self._set(_command_key(scheme), None, self.expected(command))

    def _set(self, path: str, name: str | None, value: str) -> None:
        try:
            with self.registry.CreateKeyEx(self.hive, path, 0, self.registry.KEY_WRITE) as key:
                self.registry.SetValueEx(key, name, 0, self.registry.REG_SZ, value)
        except OSError as error:
            raise Refused(
                Reason.REGISTRATION, f"the registry key {path} cannot be written ({error.strerror})"
            ) from error

    def uninstall(self) -> bool:
        ours = [f"{_CLASSES}\\{scheme}" for scheme in SCHEMES]
        ours = [path for path in ours if reg.value(self.registry, self.hive, path) == _OURS]
        try:
            for path in ours:
                reg.delete_tree(self.registry, self.hive, path)
        except OSError as error:
            raise Refused(Reason.REGISTRATION, f"a registry key cannot be deleted ({error.strerror})") from error
        return bool(ours)

    def registered(self) -> dict[str, str | None]:
        return {scheme: reg.value(self.registry, self.hive, _command_key(scheme)) for scheme in SCHEMES}

    def expected(self, command: Sequence[str]) -> str:
        # Quotes around %1 keep a link with spaces one argument.
        return f'{subprocess.list2cmdline(command)} "%1"'


def _command_key(scheme: str) -> str:
    return f"{_CLASSES}\\{scheme}\\shell\\open\\command"
