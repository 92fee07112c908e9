"""The guides agree with the system: their commands run, and what they quote stands on a page."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running_system import System, system_of_its_own
from tests.source import ROOT

GUIDES = sorted((ROOT / "docs" / "guides").glob("*.md"))
QUOTED = re.compile(r"(?<!\*)\*([^*\n]+)\*(?!\*)")
SOURCES = [*(ROOT / "templates").rglob("*.*"), *(ROOT / "printsys").rglob("*.py"), ROOT / "lab.toml"]
COMMAND = re.compile(r"^python manage\.py (.+?)(?: {2,}.*)?$", re.MULTILINE)
PICTURE, SHOT = re.compile(r"^!\[[^]]+\]\(([^)]+)\)$", re.MULTILINE), re.compile(r'Shot\(\s*"([^"]+)"')
STARTS_THE_SYSTEM = "run"
"""What the fixture does before the others."""
BACKUP_PLACE, FILES = "/media/usb/printlab", ("students.csv",)
each_guide = pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.name)


def _plain(text: str) -> str:
    return re.sub(r"\W+", " ", text).strip()


@pytest.fixture(scope="module")
def words() -> str:
    return _plain(" ".join(path.read_text("utf-8") for path in SOURCES if path.is_file()))


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with system_of_its_own() as built:
        built.start("--demo")
        yield built


def _commands() -> list[str]:
    blocks = [text for guide in GUIDES for text in guide.read_text("utf-8").split("```")[1::2]]
    return list(dict.fromkeys(command for block in blocks for command in COMMAND.findall(block)))


def test_every_command_of_the_guides_runs(system: System) -> None:
    """On a lab that works. 1 is an answer, too: something was found."""
    commands = _commands()
    assert STARTS_THE_SYSTEM in commands
    for command in commands:
        if command == STARTS_THE_SYSTEM:
            continue
        words = [
            str(system.root / Path(word).name) if word in (BACKUP_PLACE, *FILES) else word
            for word in shlex.split(command)
        ]
        answer = system.manage(*words)
        assert answer.returncode in (0, 1), (command, answer.stdout, answer.stderr)
        assert "Traceback" not in answer.stderr, command


@each_guide
def test_what_a_guide_quotes_stands_in_the_system(guide: Path, words: str) -> None:
    """`*…*` is a label, or a sentence, that a reader looks for; ` … ` in it stands for what differs."""
    quoted = QUOTED.findall(guide.read_text("utf-8"))
    pieces = [piece for text in quoted for part in text.split("…") if (piece := _plain(part))]
    assert pieces
    assert [piece for piece in pieces if piece not in words] == []


def test_every_task_of_the_staff_guide_has_a_picture_that_a_script_makes() -> None:
    text = (ROOT / "docs" / "guides" / "staff.md").read_text("utf-8")
    tasks = text.split("\n## ")[1:]
    made = {f"../screens/{name}.png" for name in SHOT.findall((ROOT / "tests" / "screenshots.py").read_text("utf-8"))}
    assert len(tasks) >= 10 and "../screens/today.png" in made
    for task in tasks:
        pictures = set(PICTURE.findall(task))
        assert pictures and pictures <= made, task.splitlines()[0]
        assert all((ROOT / "docs" / "guides" / picture).is_file() for picture in pictures)
