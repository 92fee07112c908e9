"""Which version of the program this is: the commit that is checked out, read without git."""

from __future__ import annotations

import functools
from pathlib import Path

from printsys.config import ROOT

UNKNOWN = "unknown"
SHORT = 10


@functools.cache
def program_version(root: Path = ROOT) -> str:
    """The first letters of the commit; `unknown` where the folder is no checkout."""
    try:
        folder = _git_folder(root)
        head = (folder / "HEAD").read_text("utf-8").strip()
        reference = head.removeprefix("ref: ")
        commit = head if reference == head else _commit_of(folder, reference)
    except (OSError, UnicodeDecodeError):
        return UNKNOWN
    return commit[:SHORT] or UNKNOWN


def _git_folder(root: Path) -> Path:
    """In a second working tree `.git` is a file that names the folder."""
    path = root / ".git"
    return root / path.read_text("utf-8").strip().removeprefix("gitdir: ") if path.is_file() else path


def _commit_of(folder: Path, reference: str) -> str:
    shared = folder / "commondir"
    common = folder / shared.read_text("utf-8").strip() if shared.is_file() else folder
    for place in (folder, common):
        if (place / reference).is_file():
            return (place / reference).read_text("utf-8").strip()
    packed = (common / "packed-refs").read_text("utf-8").splitlines()
    return next((line.split()[0] for line in packed if line.endswith(f" {reference}")), "")
