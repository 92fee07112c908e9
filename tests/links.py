"""Links, for tests of what must not be followed."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from tests.windows.wine import skip_under_wine


def link(path: Path, target: Path) -> None:
    """A symlink; on Windows a junction to a folder, which needs no right of its own. The test is skipped where neither
    can be made."""
    skip_under_wine("links")
    try:
        if sys.platform == "win32" and target.is_dir():
            importlib.import_module("_winapi").CreateJunction(str(target), str(path))
        else:
            path.symlink_to(target)
    except OSError:
        pytest.skip("this account may not make symlinks")
