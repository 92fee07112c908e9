"""The program's version is the commit that is checked out, however git keeps it."""

from __future__ import annotations

from pathlib import Path

from printsys.ops.program_version import UNKNOWN, program_version

COMMIT, OTHER = "0123456789abcdef" * 2 + "01234567", "f" * 40


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8", newline="\n")


def test_of_a_branch_of_a_packed_one_and_of_a_commit_by_itself(tmp_path: Path) -> None:
    for name, files in {
        "branch": {"HEAD": "ref: refs/heads/main\n", "refs/heads/main": f"{COMMIT}\n"},
        "packed": {
            "HEAD": "ref: refs/heads/main\n",
            "packed-refs": f"# pack-refs\n{OTHER} refs/heads/x/refs/heads/main2\n{COMMIT} refs/heads/main\n",
        },
        "alone": {"HEAD": f"{COMMIT}\n"},
    }.items():
        for file, text in files.items():
            write(tmp_path / name / ".git" / file, text)
        assert program_version(tmp_path / name) == COMMIT[:10], name


def test_of_a_second_working_tree(tmp_path: Path) -> None:
    write(tmp_path / "main" / ".git" / "refs/heads/x", COMMIT)
    write(tmp_path / "main" / ".git" / "worktrees" / "x" / "HEAD", "ref: refs/heads/x\n")
    write(tmp_path / "main" / ".git" / "worktrees" / "x" / "commondir", "../..\n")
    write(tmp_path / "x" / ".git", f"gitdir: {tmp_path / 'main' / '.git' / 'worktrees' / 'x'}\n")
    assert program_version(tmp_path / "x") == COMMIT[:10]


def test_a_folder_that_is_no_checkout_has_none(tmp_path: Path) -> None:
    assert program_version(tmp_path) == UNKNOWN
    write(tmp_path / "b" / ".git" / "HEAD", "ref: refs/heads/new\n")
    assert program_version(tmp_path / "b") == UNKNOWN
