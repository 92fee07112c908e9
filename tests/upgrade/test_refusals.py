"""What the command `upgrade` refuses before anything is changed."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from printsys.commands import upgrade
from printsys.upgrade.state import UpgradeFailed, Workplace
from tests.upgrade.test_engine import Program, git

REPORT = """'{"name": "a", "jobs": 1, "files": 2}'"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    program = Program(tmp_path, is_git=True)
    monkeypatch.setattr(upgrade, "ROOT", program.root)
    Workplace(program.root).folder.mkdir()
    return program


def refusal(program: Program) -> str:
    with pytest.raises(UpgradeFailed) as refused:
        upgrade._from_git(None, Workplace(program.root))
    return str(refused.value)


@pytest.mark.needs("git")
def test_files_of_the_program_that_somebody_changed_are_named(program: Program) -> None:
    with (program.root / "printsys" / "behavior.json").open("a", encoding="utf-8") as file:
        file.write("\n")
    assert refusal(program) == (
        "Somebody changed files of the program here: printsys/behavior.json. Commit them or put them back first."
    )
    git(program.root, "checkout", "--", "printsys")
    (program.root / "lab.toml").unlink()
    assert "Somebody changed files of the program here: lab.toml." in refusal(program)
    git(program.root, "checkout", "--", "lab.toml")
    plan = upgrade._from_git(None, Workplace(program.root))
    assert plan is not None and plan.is_git


@pytest.mark.needs("git")
def test_files_of_the_lab_where_the_newer_version_has_some_are_named(program: Program) -> None:
    (program.root / "added").mkdir()
    (program.root / "added" / "file").write_text("the lab's own", "utf-8")
    assert "has files where you have your own: added/file. Move them first." in refusal(program)


@pytest.mark.needs("git")
def test_a_checkout_takes_no_folder(program: Program) -> None:
    with pytest.raises(UpgradeFailed, match="This folder is a checkout of git"):
        upgrade._from_folder(program.newer, Workplace(program.root))


@pytest.mark.parametrize(
    "ending",
    [
        "sys.exit(2)",
        "raise RuntimeError('a crash, with exit code 1')",
        f"print({REPORT}); sys.exit(130)",
        "os._exit(143)",
        "print('half a rep'); sys.exit(0)",
    ],
)
def test_without_a_backup_it_does_not_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
    monkeypatch.setattr(upgrade, "ROOT", tmp_path)
    (tmp_path / "manage.py").write_text(f"import os, sys\n{ending}\n", "utf-8")
    with pytest.raises(UpgradeFailed, match="There is no backup, so nothing was changed"):
        upgrade._back_up(None)


@pytest.mark.parametrize("code", [0, 1])
def test_a_backup_without_some_unreadable_files_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], code: int
) -> None:
    monkeypatch.setattr(upgrade, "ROOT", tmp_path)
    (tmp_path / "manage.py").write_text(f"import sys\nprint({REPORT})\nsys.exit({code})\n", "utf-8")
    upgrade._back_up(tmp_path)
    assert capsys.readouterr().out == "Backup a: 1 job, 2 files.\n"


@pytest.mark.parametrize(
    "line", ["--check --from x", "--to v2 --from x", "--json", "--backup x --no-backup"], ids=lambda line: line
)
def test_options_of_which_one_would_be_ignored_are_refused(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    upgrade.add_arguments(parser)
    with pytest.raises(SystemExit) as ended:
        upgrade.run(parser.parse_args(line.split()))
    assert ended.value.code == 2 and "error: " in capsys.readouterr().err
