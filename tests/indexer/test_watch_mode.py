"""Where the system does not report everything that happens in the storage folder, the indexer polls."""

from __future__ import annotations

from pathlib import Path

import pytest

from indexer.watch_mode import ONEDRIVE, is_share, mode_for, sync_program


@pytest.fixture(autouse=True)
def no_onedrive(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ONEDRIVE:
        monkeypatch.delenv(name, raising=False)


def test_auto_takes_native_events_on_the_computers_own_disk(tmp_path: Path) -> None:
    assert mode_for(tmp_path, "auto") == "native"
    assert mode_for(tmp_path, "polling") == "polling"


@pytest.mark.parametrize("name", ONEDRIVE)
def test_a_folder_in_onedrive_is_polled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, str(tmp_path / "OneDrive - Campus"))
    inside, outside = tmp_path / "OneDrive - Campus" / "lab" / "storage", tmp_path / "OneDrive - Campus 2"
    for folder in (inside, outside):
        folder.mkdir(parents=True)
    assert (sync_program(inside), mode_for(inside, "auto"), mode_for(inside, "native")) == (
        "OneDrive",
        "polling",
        "native",
    )
    assert (sync_program(outside), mode_for(outside, "auto")) == (None, "native")


@pytest.mark.parametrize(
    ("marker", "program"),
    [(".dropbox.cache", "Dropbox"), (".tmp.drivedownload", "Google Drive"), (".stfolder", "Syncthing")],
)
def test_a_folder_that_a_program_syncs_is_polled(tmp_path: Path, marker: str, program: str) -> None:
    storage = tmp_path / "synced" / "lab" / "storage"
    storage.mkdir(parents=True)
    assert sync_program(storage) is None
    (tmp_path / "synced" / marker).mkdir()
    assert (sync_program(storage), mode_for(storage, "auto")) == (program, "polling")


def test_the_clouds_of_macos_are_recognized_by_their_place(tmp_path: Path) -> None:
    storage = tmp_path / "Library" / "CloudStorage" / "GoogleDrive-lab@example.edu" / "storage"
    storage.mkdir(parents=True)
    assert sync_program(storage) == "GoogleDrive"


@pytest.mark.parametrize(
    ("path", "is_remote"),
    [
        (r"\\server\share\printlab", True),
        (r"\\?\UNC\server\share\printlab", True),
        (r"\\.\UNC\server\share", True),
        (r"\\?\C:\printlab", False),
        (r"\\.\C:\printlab", False),
        (r"C:\printlab", False),
        (r"C:\unc\printlab", False),
    ],
)
def test_a_path_of_windows_that_names_a_share_is_recognized(path: str, is_remote: bool) -> None:
    assert is_share(path) == is_remote
