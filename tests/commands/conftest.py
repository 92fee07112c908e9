"""Commands inside the test's process."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.manage import Manage


@pytest.fixture
def manage(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Manage:
    return Manage(tmp_path, database_url, monkeypatch, capsys)
