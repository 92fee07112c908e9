"""Files that the disk refuses, whoever asks."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest


def refuse_to_open(path: Path) -> None:
    """The file cannot be opened any more, not even by root: its name leads to itself."""
    if sys.platform == "win32":
        pytest.skip("Windows makes links for administrators only")
    path.unlink()
    path.symlink_to(path.name)
