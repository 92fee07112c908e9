"""Files that other programs hold open: work that must succeed waits a moment, pages never do."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from printsys import fs
from tests.windows.programs import SHARE_ALL, SHARE_DELETE, SHARE_NONE, SHARE_READ, close_after, held_open


@pytest.fixture
def file(tmp_path: Path) -> Path:
    folder = tmp_path / "job"
    folder.mkdir()
    (folder / "bracket.stl").write_bytes(b"old")
    return folder / "bracket.stl"


ACTIONS: dict[str, Callable[[Path], object]] = {
    "replace": lambda file: fs.replace(file, b"new"),
    "unlink": fs.unlink,
    "rename": lambda file: fs.rename_over(file, file.with_name("renamed.stl")),
    "rename the folder": lambda file: fs.rename_folder(file.parent, file.parent.with_name("moved")),
    "remove the folder": lambda file: fs.remove_tree(file.parent),
}


@pytest.mark.parametrize("share", [SHARE_READ, SHARE_READ | SHARE_DELETE, SHARE_ALL])
@pytest.mark.parametrize("action", ACTIONS)
def test_what_a_program_holds_for_a_moment_is_waited_for(file: Path, action: str, share: int) -> None:
    with held_open(file, share) as opened:
        timer = close_after(opened, 0.4)
        ACTIONS[action](file)
        timer.join()


def test_a_file_that_refuses_to_be_read_for_a_moment_is_read_a_moment_later(file: Path) -> None:
    with held_open(file, SHARE_NONE) as opened:
        timer = close_after(opened, fs.BRIEF_PATIENCE_S / 5)
        assert fs.read(file) == b"old"
        timer.join()


def test_no_reader_is_refused_while_others_replace_the_file(file: Path) -> None:
    """One who looks now and then: without a pause in between nobody could replace it."""
    done = threading.Event()

    def replace_often() -> None:
        try:
            for _ in range(100):
                fs.replace(file, b"new")
        finally:
            done.set()

    threading.Thread(target=replace_often).start()
    while not done.wait(0.01):
        assert fs.read(file) in (b"old", b"new")
    assert fs.read(file) == b"new"


IMPATIENT: dict[str, Callable[[Path], object]] = {
    "replace": lambda file: fs.replace(file, b"new", patience_s=0),
    "rename the folder": lambda file: fs.rename_folder(file.parent, file.parent.with_name("moved"), patience_s=0),
}


@pytest.mark.parametrize("action", IMPATIENT)
def test_without_patience_it_is_refused_at_once(file: Path, action: str) -> None:
    with held_open(file, SHARE_READ), pytest.raises(OSError, match=r".") as refused:
        IMPATIENT[action](file)
    assert getattr(refused.value, "winerror", None) in fs.SHARING_ERRORS
    assert file.read_bytes() == b"old"
    assert [path.name for path in file.parent.iterdir()] == ["bracket.stl"]


@pytest.mark.parametrize("action", ["replace", "unlink", "remove the folder"])
def test_the_read_only_mark_is_lifted_where_we_remove_or_replace(file: Path, action: str) -> None:
    os.chmod(file, stat.S_IREAD)
    ACTIONS[action](file)
    assert file.exists() == (action == "replace")
    if action == "replace":
        assert file.read_bytes() == b"new"


def test_a_temporary_whose_deletion_was_pending_is_written_again(file: Path) -> None:
    """Deleted while a scanner looked at it: it goes when the scanner is done, and our new bytes would go with it."""
    temporary = file.with_name(f".{file.name}{fs.TEMPORARY_SUFFIX}")
    temporary.write_bytes(b"of an earlier call")
    with held_open(temporary, SHARE_ALL) as opened:
        temporary.unlink()

        def is_unchanged() -> bool:
            opened.close()
            return True

        assert fs.replace(file, b"new", is_unchanged)
    assert file.read_bytes() == b"new"
