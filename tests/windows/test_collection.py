"""Every test module can be imported on Windows, also those whose tests are skipped there."""

from __future__ import annotations

import subprocess
import sys

from tests.source import ROOT


def test_every_test_module_is_imported() -> None:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-n", "0", "tests"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", errors="replace", check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
