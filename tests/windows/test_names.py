"""Names that the system makes, as Windows' own calls take them; and which names they change or refuse."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from printsys.domain.naming import PATH_LIMIT, RESERVED, comparable, folder_name, safe_file_name
from printsys.jobstore.layout import Layout
from tests.windows.programs import is_wine

MAX_PATH = 260
DEVICES = ["CON", "nul", "Aux.stl", "PRN.gcode", "COM1", "com9.3mf", "LPT1.stl", "lpt9", "CONIN$", "CONOUT$"]
CHANGED = ["bracket.stl.", "bracket.stl ", "bracket ..", "part. . ."]
REFUSED = ["what?.stl", "a*b.stl", 'a"b.stl', "a<b>.stl", "a|b.stl", "tab\there.stl"]
STREAM = "bracket.stl:hidden"
CLEAN = ["bracket v2.stl", "Jane's 50% & lid.stl", "a.b.c.stl", "console.stl", "com.stl", "com10.stl", "nul_.stl"]


def full_path(path: Path) -> str:
    """What Windows makes of a path before it opens anything."""
    kernel32: Any = getattr(ctypes, "windll").kernel32  # noqa: B009  only Windows has it
    buffer = ctypes.create_unicode_buffer(32_768)
    assert kernel32.GetFullPathNameW(str(path), len(buffer), buffer, None)
    return buffer.value


@pytest.mark.parametrize("name", [*DEVICES, *CHANGED, *REFUSED, STREAM, *CLEAN, "李明 ñ.stl", "...", " ", "-.stl"])
def test_a_safe_name_is_on_disk_as_it_was_made(tmp_path: Path, name: str) -> None:
    safe = safe_file_name(name)
    (tmp_path / safe).write_bytes(b"solid")
    assert os.listdir(tmp_path) == [safe]
    assert full_path(tmp_path / safe) == str(tmp_path / safe)


@pytest.mark.parametrize("name", CLEAN)
def test_a_name_that_windows_takes_is_left_alone(name: str) -> None:
    assert safe_file_name(name) == name


@pytest.mark.parametrize("name", CHANGED)
def test_windows_cuts_off_what_a_safe_name_does_without(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"solid")
    assert os.listdir(tmp_path) != [name]


@pytest.mark.parametrize("name", REFUSED)
def test_windows_refuses_what_a_safe_name_does_without(tmp_path: Path, name: str) -> None:
    with pytest.raises(OSError, match=r"."):
        (tmp_path / name).write_bytes(b"solid")


@pytest.mark.parametrize("device", sorted(RESERVED - {"conin$", "conout$", "com0", "lpt0"}))
def test_a_reserved_name_is_a_device_and_never_a_file(device: str) -> None:
    """Of those four Windows' documentation says so, but not each of its calls."""
    assert full_path(Path(device)) == f"\\\\.\\{device}"
    assert safe_file_name(f"{device}.stl").casefold() != f"{device}.stl"


@pytest.mark.parametrize(
    ("first", "second"), [("Bracket.stl", "bracket.STL"), ("ÄRGER.stl", "ärger.stl"), ("Żółw.stl", "żÓŁW.stl")]
)
def test_two_names_that_are_one_to_us_are_one_to_windows(tmp_path: Path, first: str, second: str) -> None:
    assert comparable(first) == comparable(second)
    (tmp_path / first).write_bytes(b"solid")
    assert (tmp_path / second).read_bytes() == b"solid"


def test_the_longest_path_of_a_job_fits_what_windows_programs_open(tmp_path: Path) -> None:
    """Programs without the mark for long paths take fewer than 260 characters."""
    root = tmp_path / "s"
    root = root.with_name("s" * (PATH_LIMIT - 24 - len(str(root)) - 60 - len("/ReadyToPrint//original/") + 1))
    layout = Layout(root)
    folder = root / "ReadyToPrint" / folder_name("J" * 100, "Filament", "Glow in the Dark", "k7m29xq4")
    path = folder / "original" / safe_file_name("b" * 200 + ".stl", layout.file_name_limit)
    assert len(str(path)) <= PATH_LIMIT < MAX_PATH
    path.parent.mkdir(parents=True)
    path.write_bytes(b"solid")
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.skipif(sys.platform == "win32" and is_wine(), reason="wine takes longer paths than programs on Windows")
def test_windows_refuses_a_path_that_is_longer(tmp_path: Path) -> None:
    name = "b" * (MAX_PATH - len(str(tmp_path)))
    with pytest.raises(OSError, match=r"."):
        (tmp_path / name).write_bytes(b"solid")
