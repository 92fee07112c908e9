"""Calls the opener as people and systems do: as its own process, in a home folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

linux_only = pytest.mark.skipif(
    sys.platform != "linux", reason="registers with xdg-mime, Linux' own; tests/windows/test_opener.py has Windows' way"
)
PROJECT = Path(__file__).resolve().parents[2]


@dataclass
class Home:
    """A new account on this computer: its folders, and an environment without a screen."""

    path: Path
    environ: dict[str, str]

    @property
    def config(self) -> Path:
        return self.path / ".config" / "printsys-opener"

    @property
    def applications(self) -> Path:
        return self.path / ".local" / "share" / "applications"

    def opener(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """`python -m opener …` to its end."""
        return subprocess.run(
            [sys.executable, "-m", "opener", *arguments],
            cwd=PROJECT,
            env=self.environ | environ,
            capture_output=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )

    def everything(self) -> list[str]:
        return sorted(path.relative_to(self.path).as_posix() for path in self.path.rglob("*") if path.is_file())


def new_home(path: Path) -> Home:
    path.mkdir()
    inherited = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "SYSTEMROOT") if name in os.environ}
    own = dict.fromkeys(("HOME", "USERPROFILE", "XDG_RUNTIME_DIR"), str(path))
    return Home(path, inherited | own | {"APPDATA": str(path / ".config")})
