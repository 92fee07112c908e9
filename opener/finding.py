"""Looks for the known slicers in the places where each system usually has them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from opener import registry as reg
from opener.catalogue import Known
from opener.registry import Registry

_APP_PATHS = r"Software\Microsoft\Windows\CurrentVersion\App Paths"
_UNINSTALL = (
    r"Software\Microsoft\Windows\CurrentVersion\Uninstall",
    r"Software\WOW6432Node\Microsoft\Windows\CurrentVersion\Uninstall",
)


@dataclass(frozen=True)
class Computer:
    """What the search may look at: in tests a folder and a registry made for the purpose."""

    platform: str
    environ: Mapping[str, str]
    home: Path
    root: Path = Path("/")
    registry: Registry | None = None


def find(known: Known, computer: Computer) -> Path | None:
    """The program (on macOS the bundle) of the first usual place that has it, the newest version there."""
    places = {"win32": _on_windows, "darwin": _on_macos}.get(computer.platform, _on_linux)
    return next(places(known, computer), None)


def _on_windows(known: Known, computer: Computer) -> Iterator[Path]:
    yield from _registered(known, computer)
    local = computer.environ.get("LOCALAPPDATA", "")
    folders = [computer.environ.get(name, "") for name in ("ProgramW6432", "ProgramFiles", "ProgramFiles(x86)")]
    for folder in [*folders, str(Path(local) / "Programs") if local else ""]:
        for pattern in known.windows if folder else ():
            yield from (path for path in _newest_first(Path(folder), pattern) if os.path.isfile(path))


def _registered(known: Known, computer: Computer) -> Iterator[Path]:
    registry = computer.registry
    if registry is None:
        return
    for hive in (registry.HKEY_CURRENT_USER, registry.HKEY_LOCAL_MACHINE):
        listed = reg.value(registry, hive, f"{_APP_PATHS}\\{known.exe}")
        yield from _programs([listed.strip('"')] if listed else [])
        for uninstall in _UNINSTALL:
            for entry in reg.subkeys(registry, hive, uninstall):
                name = reg.value(registry, hive, f"{uninstall}\\{entry}", "DisplayName") or ""
                folder = reg.value(registry, hive, f"{uninstall}\\{entry}", "InstallLocation")
                if folder and known.name.lower() in name.lower():
                    yield from _programs([str(Path(folder.strip('"')) / known.exe)])


def _programs(paths: list[str]) -> Iterator[Path]:
    yield from (Path(path) for path in paths if os.path.isabs(path) and os.path.isfile(path))


def _on_macos(known: Known, computer: Computer) -> Iterator[Path]:
    for folder in (computer.root / "Applications", computer.home / "Applications"):
        yield from (folder / bundle for bundle in known.mac if os.path.isdir(folder / bundle / "Contents" / "MacOS"))


def _on_linux(known: Known, computer: Computer) -> Iterator[Path]:
    # A relative entry of PATH would mean whatever folder the browser was started in.
    path = [Path(part) for part in computer.environ.get("PATH", "").split(os.pathsep) if os.path.isabs(part)]
    data = Path(computer.environ.get("XDG_DATA_HOME") or computer.home / ".local" / "share")
    flatpak = [data / "flatpak/exports/bin", computer.root / "var/lib/flatpak/exports/bin"]
    candidates = [folder / program for folder in path for program in known.programs]
    candidates += [folder / app for folder in flatpak for app in known.flatpak]
    for folder in (computer.home / "Applications", computer.home / ".local/bin", computer.root / "opt"):
        candidates += _newest_first(folder, known.appimage) if known.appimage else []
    yield from (candidate for candidate in candidates if os.path.isfile(candidate) and os.access(candidate, os.X_OK))


def _newest_first(folder: Path, pattern: str) -> list[Path]:
    """Matches of a pattern, `Cura 5.10` before `Cura 5.9`."""
    return sorted(folder.glob(pattern), key=lambda path: _by_number(str(path)), reverse=True)


def _by_number(text: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part.lower()) for part in re.split(r"(\d+)", text)]
