"""The files for a double-click on Windows, read as text; tests/windows/test_batch_files.py runs them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(path.relative_to(ROOT).as_posix() for folder in (ROOT, ROOT / "opener") for path in folder.glob("*.bat"))


def test_there_is_one_to_start_and_one_to_register() -> None:
    assert FILES == ["opener/register.bat", "register.bat", "start.bat"]


@pytest.mark.parametrize("name", FILES)
def test_cmd_reads_it_right_whatever_the_code_page(name: str) -> None:
    """cmd misses labels in a file that has the line ends of Unix, and takes letters beyond ASCII for others."""
    raw = (ROOT / name).read_bytes()
    assert raw.isascii()
    assert raw.count(b"\n") == raw.count(b"\r\n") == raw.count(b"\r") and raw.endswith(b"\r\n")


@pytest.mark.parametrize("name", FILES)
def test_it_works_wherever_the_folder_lies(name: str) -> None:
    lines = (ROOT / name).read_text("ascii").splitlines()
    commands = [line for line in lines if not re.match(r"rem |echo |.*set /p ", line)]
    assert not [line for line in commands if re.search(r"\b[A-Za-z]:\\|\\\\|%USERPROFILE%", line)]
    assert [line for line in commands if "%~dp0" in line], "it starts in its own folder"


@pytest.mark.parametrize("name", FILES)
def test_what_it_jumps_to_and_calls_is_there(name: str) -> None:
    text = (ROOT / name).read_text("ascii")
    labels = re.findall(r"^:(\w+)", text, re.M)
    assert set(re.findall(r"goto :(\w+)", text)) == set(labels)
    for path in re.findall(r"(?:%~dp0|\b)((?:opener\\|docs\\)?\w+\.(?:bat|py|md))\b", text):
        assert (ROOT / path.replace("\\", "/")).exists(), path
