"""Tests that need Windows' own rules for open files, names, consoles and the registry: `manage.py test --windows`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if sys.platform != "win32":
        for item in items:
            if HERE in item.path.parents:
                item.add_marker(pytest.mark.skip(reason="Windows' own rules: `manage.py test --windows` runs it"))
