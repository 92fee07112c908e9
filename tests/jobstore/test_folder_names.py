"""Names in a folder that nothing came into are listed once; whatever comes or goes is known at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from printsys.jobstore import folder_names
from printsys.jobstore.folder_names import FolderNames
from tests.waiting import until

ID, OTHER = "k7m29xq4", "a0b1c2d3"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With three names, and times that are trusted soon."""
    monkeypatch.setattr(folder_names, "SETTLE_S", 0.05)
    for name in (f"Jane_{ID}", f"JOHN_{ID.upper()}", f"x{ID}", "by hand", f"Jim_{OTHER}"):
        (tmp_path / name).mkdir()
    return tmp_path


def settled(folder: Path) -> FolderNames:
    names = FolderNames()
    until(lambda: any(names.ending_with(folder, ID)) and names._listings[folder].is_settled)
    return names


def test_names_are_found_by_the_id_at_their_end(folder: Path) -> None:
    for names in (FolderNames(), settled(folder)):
        assert sorted(names.ending_with(folder, ID)) == [f"JOHN_{ID.upper()}", f"Jane_{ID}"]
        assert list(names.ending_with(folder, OTHER)) == [f"Jim_{OTHER}"]
        assert list(names.ending_with(folder, "00000000")) == []
        assert sorted(names.without_id(folder)) == ["by hand", f"x{ID}"]


def test_a_folder_at_rest_is_listed_no_more(folder: Path) -> None:
    names = settled(folder)
    listing = names._listings[folder]
    assert list(names.ending_with(folder, OTHER))
    assert names._listings[folder] is listing
    names.forget()
    assert list(names.ending_with(folder, OTHER)) == [f"Jim_{OTHER}"]


def test_what_comes_and_goes_is_known_at_once(folder: Path, tmp_path: Path) -> None:
    names = settled(folder)
    (folder / f"New_{OTHER}").mkdir()
    assert sorted(names.ending_with(folder, OTHER)) == [f"Jim_{OTHER}", f"New_{OTHER}"]
    (folder / f"Jim_{OTHER}").rename(folder / f"Jim_{ID}")
    assert list(names.ending_with(folder, OTHER)) == [f"New_{OTHER}"]
    (folder / f"New_{OTHER}").rmdir()
    assert list(names.ending_with(folder, OTHER)) == []


def test_another_folder_in_its_place_is_listed(folder: Path, tmp_path: Path) -> None:
    inner = folder / "by hand"
    (inner / f"Jane_{ID}").mkdir()
    names = settled(inner)
    inner.rename(folder / "away")
    inner.mkdir()
    assert list(names.ending_with(inner, ID)) == []
