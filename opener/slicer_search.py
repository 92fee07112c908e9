"""Looks for the slicer slicers where each system usually has them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from opener import registry as reg
from opener.catalog import KnownSlicer
from opener.registry import Registry

_APP_PATHS = r"Software\Microsoft\Windows\CurrentVersion\App Paths"
_UNINSTALL = (
    r"Software\Microsoft\Windows\CurrentVersion\Uninstall",
    r"Software\WOW6432Node\Microsoft\Windows\CurrentVersion\Uninstall",
)


@dataclass(frozen=True)
class HostSystem:
    """The system as the search sees it; tests give it a folder and a registry of their own."""

    platform: str
    environ: Mapping[str, str]
    home: Path
    root: Path = Path("/")
    registry: Registry | None = None


def find(slicer: KnownSlicer, system: HostSystem) -> Path | None:
    """The program (on macOS the bundle) of the first usual place that has it, the newest version there."""
    search = {"win32": _on_windows, "darwin": _on_macos}.get(system.platform, _on_linux)
    return next(search(slicer, system), None)


def _on_windows(slicer: KnownSlicer, system: HostSystem) -> Iterator[Path]:
    yield from _from_registry(slicer, system)
    local = system.environ.get("LOCALAPPDATA", "")
    folders = [system.environ.get(name, "") for name in ("ProgramW6432", "ProgramFiles", "ProgramFiles(x86)")]
    for folder in [*folders, str(Path(local) / "Programs") if local else ""]:
        for pattern in slicer.windows if folder else ():
            yield from (path for path in _newest_first(Path(folder), pattern) if os.path.isfile(path))


def _from_registry(slicer: KnownSlicer, system: HostSystem) -> Iterator[Path]:
    registry = system.registry
    if registry is None:
        return
    for hive in (registry.HKEY_CURRENT_USER, registry.HKEY_LOCAL_MACHINE):
        app_path = reg.value(registry, hive, f"{_APP_PATHS}\\{slicer.exe}")
        yield from _programs([app_path.strip('"')] if app_path else [])
        for uninstall in _UNINSTALL:
            for entry in reg.subkeys(registry, hive, uninstall):
                name = reg.value(registry, hive, f"{uninstall}\\{entry}", "DisplayName") or ""
                folder = reg.value(registry, hive, f"{uninstall}\\{entry}", "InstallLocation")
                if folder and slicer.name.lower() in name.lower():
                    yield from _programs([str(Path(folder.strip('"')) / slicer.exe)])


def _programs(paths: list[str]) -> Iterator[Path]:
    yield from (Path(path) for path in paths if os.path.isabs(path) and os.path.isfile(path))


def _on_macos(slicer: KnownSlicer, system: HostSystem) -> Iterator[Path]:
    for folder in (system.root / "Applications", system.home / "Applications"):
        yield from (folder / bundle for bundle in slicer.mac if os.path.isdir(folder / bundle / "Contents" / "MacOS"))


def _on_linux(slicer: KnownSlicer, system: HostSystem) -> Iterator[Path]:
    # A relative entry of PATH would mean whatever folder the browser was started in.
    path = [Path(part) for part in system.environ.get("PATH", "").split(os.pathsep) if os.path.isabs(part)]
    data = Path(system.environ.get("XDG_DATA_HOME") or system.home / ".local" / "share")
    flatpak = [data / "flatpak/exports/bin", system.root / "var/lib/flatpak/exports/bin"]
    candidates = [folder / program for folder in path for program in slicer.programs]
    candidates += [folder / app for folder in flatpak for app in slicer.flatpak]
    for folder in (system.home / "Applications", system.home / ".local/bin", system.root / "opt"):
        candidates += _newest_first(folder, slicer.appimage) if slicer.appimage else []
    yield from (candidate for candidate in candidates if os.path.isfile(candidate) and os.access(candidate, os.X_OK))


def _newest_first(folder: Path, pattern: str) -> list[Path]:
    """Matches of a pattern, `Cura 5.10` before `Cura 5.9`."""

    def by_number(path: Path) -> list[tuple[int, str]]:
        parts = re.split(r"(\d+)", str(path))
        return [(int(part), "") if part.isdigit() else (-1, part.lower()) for part in parts]

    return sorted(folder.glob(pattern), key=by_number, reverse=True)
