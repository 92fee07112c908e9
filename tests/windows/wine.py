"""Where wine is not like Windows, in one list: what a test here cannot prove, with a probe that shows it.

`test_wine.py` runs each probe, so that the list stays true. A test that meets one of them calls `skip_under_wine`,
which skips it under wine alone. docs/windows.md says what it means for the lab.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from printsys.ops.file_access import others_may_read
from tests.windows.programs import is_wine


@dataclass(frozen=True)
class Difference:
    """`shows`, called with an empty folder, is true under wine and false on Windows."""

    words: str
    shows: Callable[[Path], bool]


def _links(folder: Path) -> bool:
    (folder / "target").touch()
    with contextlib.suppress(OSError):  # Windows asks for a right that few accounts have
        (folder / "link").symlink_to(folder / "target")
        return not (folder / "link").is_symlink()
    return False


def _junctions(folder: Path) -> bool:
    (folder / "target").mkdir()
    with contextlib.suppress(OSError):
        importlib.import_module("_winapi").CreateJunction(str(folder / "target"), str(folder / "junction"))
        return False
    return True


def _case(folder: Path) -> bool:
    (folder / "foo").touch()
    (folder / "foo").rename(folder / "FOO")
    return os.listdir(folder) == ["foo"]


def _locked_bytes(folder: Path) -> bool:
    msvcrt: Any = importlib.import_module("msvcrt")
    (folder / "file").write_bytes(b"x")
    with (folder / "file").open("r+b") as locked, (folder / "file").open("rb") as other:
        msvcrt.locking(locked.fileno(), msvcrt.LK_NBLCK, 1)
        try:
            return other.read() == b"x"
        except PermissionError:
            return False
        finally:
            locked.seek(0)
            msvcrt.locking(locked.fileno(), msvcrt.LK_UNLCK, 1)


def _long_paths(folder: Path) -> bool:
    winreg: Any = importlib.import_module("winreg")
    with contextlib.suppress(OSError):
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"SYSTEM\CurrentControlSet\Control\FileSystem") as key:
            if winreg.QueryValueEx(key, "LongPathsEnabled")[0]:
                return False
    with contextlib.suppress(OSError):
        folder.joinpath(*["n" * 100] * 3).mkdir(parents=True)
        return True
    return False


def _read_only(folder: Path) -> bool:
    (folder / "file").touch()
    (folder / "file").chmod(0o444)
    with contextlib.suppress(PermissionError), (folder / "file").open("r+b"):
        return True
    return False


def _access_lists(folder: Path) -> bool:
    (folder / "file").touch()
    return others_may_read(folder / "file")


DIFFERENCES = {
    "links": Difference("os.symlink succeeds and makes neither a file nor a link", _links),
    "junctions": Difference("a junction cannot be made", _junctions),
    "case": Difference("renaming foo to FOO does nothing", _case),
    "locked bytes": Difference("others may read bytes that a program has locked", _locked_bytes),
    "long paths": Difference("paths of more than 260 letters need no setting", _long_paths),
    "access lists": Difference("each user may read what another one made", _access_lists),
    "read-only": Difference("the tests run as root there, who writes into read-only files", _read_only),
}


def is_met(name: str) -> bool:
    """Whether these tests run under wine, and so meet the difference `name`."""
    assert name in DIFFERENCES
    return sys.platform == "win32" and is_wine()


def skip_under_wine(name: str) -> None:
    if is_met(name):
        pytest.skip(f"wine: {DIFFERENCES[name].words}")
