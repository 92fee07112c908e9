"""Slicers are found in the usual places of each system."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from opener.catalog import KNOWN_SLICERS, KnownSlicer
from opener.config import Config, SlicerOverride
from opener.record import RecordedJob
from opener.slicer_search import HostSystem, find
from opener.slicers import fitting, kind, on_this_computer
from tests.opener.fake_winreg import FakeRegistry

BY_NAME = {slicer.name: slicer for slicer in KNOWN_SLICERS}
PRUSA, CURA, PREFORM = BY_NAME["PrusaSlicer"], BY_NAME["Cura"], BY_NAME["PreForm"]


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    path.chmod(0o755)
    return path


def linux(root: Path, **environ: str) -> HostSystem:
    return HostSystem("linux", environ, root / "home", root)


def windows(root: Path, registry: FakeRegistry | None = None) -> HostSystem:
    environ = {"ProgramFiles": str(root / "PF"), "LOCALAPPDATA": str(root / "Local")}
    return HostSystem("win32", environ, root / "home", root, registry)


@pytest.mark.parametrize("slicer", KNOWN_SLICERS, ids=lambda slicer: slicer.name)
@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_on_an_empty_computer_nothing_is_found(tmp_path: Path, slicer: KnownSlicer, platform: str) -> None:
    assert find(slicer, HostSystem(platform, {}, tmp_path, tmp_path, FakeRegistry())) is None


@pytest.mark.parametrize(
    ("slicer", "relative_path"),
    [
        (PRUSA, "PF/Prusa3D/PrusaSlicer/prusa-slicer.exe"),
        (BY_NAME["OrcaSlicer"], "PF/OrcaSlicer/orca-slicer.exe"),
        (BY_NAME["Bambu Studio"], "PF/Bambu Studio/bambu-studio.exe"),
        (CURA, "PF/UltiMaker Cura 5.9.0/UltiMaker-Cura.exe"),
        (BY_NAME["ideaMaker"], "PF/Raise3D/ideaMaker/ideaMaker.exe"),
        (PREFORM, "PF/Formlabs/PreForm/PreForm.exe"),
        (BY_NAME["Slic3r"], "Local/Programs/Slic3r/Slic3r.exe"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_windows_has_it_in_program_files(tmp_path: Path, slicer: KnownSlicer, relative_path: str) -> None:
    path = program(tmp_path / relative_path)
    assert find(slicer, windows(tmp_path)) == path


def test_the_newest_version_is_taken(tmp_path: Path) -> None:
    for version in ("5.9.1", "5.10.0", "4.13"):
        program(tmp_path / "PF" / f"UltiMaker Cura {version}" / "UltiMaker-Cura.exe")
    newest = find(CURA, windows(tmp_path))
    assert newest and newest.parent.name == "UltiMaker Cura 5.10.0"


@pytest.mark.parametrize("quotes", ["", '"'])
def test_windows_registry_knows_an_unusual_place(tmp_path: Path, quotes: str) -> None:
    registry = FakeRegistry()
    path = program(tmp_path / "D" / "Tools" / "prusa-slicer.exe")
    key = r"Software\Microsoft\Windows\CurrentVersion\App Paths\prusa-slicer.exe"
    registry.put(registry.HKEY_LOCAL_MACHINE, key, default=f"{quotes}{path}{quotes}")
    assert find(PRUSA, windows(tmp_path, registry)) == path


def test_windows_list_of_what_can_be_uninstalled_knows_it_too(tmp_path: Path) -> None:
    registry = FakeRegistry()
    path = program(tmp_path / "D" / "PreForm" / "PreForm.exe")
    uninstall = r"Software\WOW6432Node\Microsoft\Windows\CurrentVersion\Uninstall"
    registry.put(registry.HKEY_LOCAL_MACHINE, rf"{uninstall}\Broken", DisplayName=7)
    registry.put(registry.HKEY_LOCAL_MACHINE, rf"{uninstall}\Other", DisplayName="Other", InstallLocation=str(tmp_path))
    registry.put(
        registry.HKEY_LOCAL_MACHINE,
        rf"{uninstall}\{{0815}}",
        DisplayName="Formlabs PreForm 3.40",
        InstallLocation=str(path.parent),
    )
    assert find(PREFORM, windows(tmp_path, registry)) == path


@pytest.mark.parametrize("listed", ["relative.exe", "", "/gone/prusa-slicer.exe"])
def test_what_the_registry_lists_and_is_not_there_is_not_taken(tmp_path: Path, listed: str) -> None:
    registry = FakeRegistry()
    key = r"Software\Microsoft\Windows\CurrentVersion\App Paths\prusa-slicer.exe"
    registry.put(registry.HKEY_CURRENT_USER, key, default=listed)
    assert find(PRUSA, windows(tmp_path, registry)) is None


@pytest.mark.parametrize("folder", ["Applications", "home/Applications"])
def test_macos_has_a_bundle(tmp_path: Path, folder: str) -> None:
    bundle = tmp_path / folder / "PrusaSlicer.app"
    (bundle / "Contents" / "MacOS").mkdir(parents=True)
    system = HostSystem("darwin", {}, tmp_path / "home", tmp_path)
    assert find(PRUSA, system) == bundle


def test_a_folder_named_like_a_bundle_is_none(tmp_path: Path) -> None:
    (tmp_path / "Applications" / "PrusaSlicer.app").mkdir(parents=True)
    assert find(PRUSA, HostSystem("darwin", {}, tmp_path, tmp_path)) is None


@pytest.mark.parametrize(
    "relative_path",
    [
        "usr/bin/prusa-slicer",
        "home/.local/share/flatpak/exports/bin/com.prusa3d.PrusaSlicer",
        "var/lib/flatpak/exports/bin/com.prusa3d.PrusaSlicer",
        "home/Applications/PrusaSlicer-2.9.1-x86_64.AppImage",
        "home/.local/bin/PrusaSlicer.AppImage",
        "opt/PrusaSlicer.AppImage",
    ],
)
def test_linux_has_it_on_path_as_flatpak_or_as_appimage(tmp_path: Path, relative_path: str) -> None:
    path = program(tmp_path / relative_path)
    assert find(PRUSA, linux(tmp_path, PATH=str(tmp_path / "usr/bin"))) == path


def test_a_relative_entry_of_path_is_not_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    program(tmp_path / "prusa-slicer")
    assert find(PRUSA, linux(tmp_path, PATH=os.pathsep.join([".", "", "bin"]))) is None


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no mode that keeps a file from being run")
def test_what_may_not_be_run_is_not_found(tmp_path: Path) -> None:
    program(tmp_path / "bin" / "prusa-slicer").chmod(0o644)
    assert find(PRUSA, linux(tmp_path, PATH=str(tmp_path / "bin"))) is None


@pytest.fixture
def system(tmp_path: Path) -> HostSystem:
    for name in ("prusa-slicer", "cura"):
        program(tmp_path / "bin" / name)
    return linux(tmp_path, PATH=str(tmp_path / "bin"))


def names(config: Config, system: HostSystem, extension: str, record: RecordedJob) -> list[str]:
    return [slicer.name for slicer in fitting(on_this_computer(config, system), extension, record)]


def test_the_settings_name_a_path_and_leave_another_out(system: HostSystem, tmp_path: Path) -> None:
    config = Config(slicers=(SlicerOverride("prusaslicer", "/opt/ps"), SlicerOverride("Cura", ignore=True)))
    assert [(s.name, s.path) for s in on_this_computer(config, system)] == [("PrusaSlicer", Path("/opt/ps"))]


def test_a_slicer_that_only_the_settings_know_opens_models(system: HostSystem) -> None:
    config = Config(
        slicers=(SlicerOverride("Lychee", "/opt/lychee", methods=frozenset({"resin"})), SlicerOverride("no path"))
    )
    assert names(config, system, ".stl", RecordedJob(method="Resin")) == ["Lychee"]
    assert names(config, system, ".gcode", RecordedJob(method="Resin")) == ["PrusaSlicer", "Cura"]


def test_a_printer_s_own_slicer_goes_before_all_others(system: HostSystem) -> None:
    config = Config(slicers=(SlicerOverride("Cura", printers=frozenset({"raise3d-pro2-plus"})),))
    assert names(config, system, ".stl", RecordedJob(method="Filament", printer="Raise3D-Pro2-Plus")) == ["Cura"]
    assert names(config, system, ".stl", RecordedJob(method="Filament", printer="prusa-mk4s")) == ["PrusaSlicer"]


def test_a_job_without_a_method_may_be_opened_with_any(system: HostSystem) -> None:
    assert names(Config(), system, ".stl", RecordedJob()) == ["PrusaSlicer", "Cura"]


def test_a_choice_is_remembered_for_method_and_printer_but_not_for_a_slicer_s_own_file() -> None:
    record = RecordedJob(method="Resin", printer="Form-3")
    assert kind(".stl", record) == ".stl resin form-3"
    assert kind(".gcode", record) == ".gcode"
