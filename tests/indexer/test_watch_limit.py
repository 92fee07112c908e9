"""Linux watches only so many folders for a user: then they are polled, and people are told (FAULTS R7)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from printsys.config import ROOT


@pytest.mark.skipif(sys.platform != "linux", reason="only inotify has such limits")
@pytest.mark.needs("unshare")
def test_where_the_limit_of_watches_is_reached_the_folders_are_polled_until_it_is_raised(tmp_path: Path) -> None:
    command = ["unshare", "--user", "--map-root-user", sys.executable, "-m", "tests.indexer.limited", str(tmp_path)]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=300, check=False)
    assert finished.returncode == 0, finished.stderr
