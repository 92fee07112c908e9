"""FAULTS R15: what NAS boxes and sync programs leave is nobody's file; their conflict copies are told as such."""

from __future__ import annotations

import pytest

from printsys.domain.clutter import conflict_of, is_clutter, is_clutter_folder, is_record_copy

CLUTTER = [
    *("@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information", "lost+found", ".@__thumb", "@Recycle"),
    *(".DS_Store", "._bracket.stl", "Thumbs.db", "desktop.ini", ".stfolder", ".stversions", ".sync", ".dropbox"),
]
UNFINISHED = [
    *("part.gcode.filepart", "part.gcode.part", "part.gcode.crdownload", "part.gcode.tmp", "~$plan.docx", "part.stl~"),
    *("~syncthing~part.stl.tmp", ".syncthing.part.stl.tmp", ".part.stl.~1a2b3c", "part.gcode.!ut"),
]
FILES = [
    "part.gcode",
    "Thumbs.db.stl",
    "recycle.stl",
    "tmp",
    "part",
    "@home.stl",
    "#1.gcode",
    "$5 part.stl",
    "filepart.3mf",
]


@pytest.mark.parametrize("name", CLUTTER)
def test_clutter_is_nobodys_file_or_folder(name: str) -> None:
    assert is_clutter(name) and is_clutter_folder(name)
    assert is_clutter(name.upper()) and is_clutter_folder(name.upper())


@pytest.mark.parametrize("name", UNFINISHED)
def test_what_is_being_written_is_no_file_yet(name: str) -> None:
    assert is_clutter(name)


@pytest.mark.parametrize("name", FILES)
def test_what_people_save_is_theirs(name: str) -> None:
    assert not is_clutter(name) and not is_clutter_folder(name)


def test_a_folder_may_be_called_like_a_temporary_file() -> None:
    assert not is_clutter_folder("JaneDoe_Filament_TrueRed_k7m29xq4.bak")


@pytest.mark.parametrize(
    ("name", "original"),
    [
        ("part.sync-conflict-20260101-101010-ABCDEFG.gcode", "part.gcode"),
        ("part (conflicted copy 2026-01-01 101010).gcode", "part.gcode"),
        ("part (Jane's conflicted copy 2026-01-01).gcode", "part.gcode"),
        ("part (PC2's conflicted copy 2026-01-01 (1)).gcode", None),
        ("part_conflict-20260101-101010.gcode", "part.gcode"),
        ("part (SFConflict jane@example.edu 2026-01-01-10-10-10).gcode", "part.gcode"),
        ("part_PC2_Jan-01-101010-2026_Conflict.gcode", "part.gcode"),
        ("part_conf(Jane).gcode", "part.gcode"),
        ("part (Case Conflict).gcode", "part.gcode"),
        ("part [Conflict].gcode", "part.gcode"),
        ("part.gcode", None),
        ("part (1).gcode", None),
        ("conflict.gcode", None),
    ],
)
def test_a_conflict_copy_names_its_original(name: str, original: str | None) -> None:
    assert conflict_of(name) == original


@pytest.mark.parametrize(
    ("name", "is_copy"),
    [
        ("metadata.sync-conflict-20260101-101010-ABC.json", True),
        ("metadata (conflicted copy 2026-01-01 101010).json", True),
        ("metadata (Jane's conflicted copy 2026-01-01).json", True),
        ("metadata_conf(PC2).json", True),
        ("metadata-PC2.json", True),
        ("Metadata - Copy.json", True),
        ("events (1).jsonl", True),
        ("metadata.json", False),
        ("metadata.stl", False),
        ("metadatas.json", False),
        ("events.json", False),
    ],
)
def test_a_second_version_of_the_record_is_known(name: str, is_copy: bool) -> None:
    assert is_record_copy(name) == is_copy
