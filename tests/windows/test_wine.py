"""The list of what wine does otherwise is true: of wine, and of Windows where these tests run on a PC."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.windows.programs import is_wine
from tests.windows.wine import DIFFERENCES


@pytest.mark.parametrize("name", DIFFERENCES)
def test_wine_differs_here_and_windows_does_not(name: str, tmp_path: Path) -> None:
    assert DIFFERENCES[name].shows(tmp_path) == is_wine()
