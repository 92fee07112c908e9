"""Tests that share the registry or a running system share a process."""

from __future__ import annotations

import re
import subprocess
import sys

from printsys.config import ROOT
from tests.one_worker import SHARED


def test_the_files_that_share_something_exist() -> None:
    assert [name for name in SHARED if not (ROOT / name).is_file()] == []


def test_one_process_runs_all_tests_of_such_a_file() -> None:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-n",
        "2",
        "--dist",
        "loadgroup",
        "-v",
        "-k",
        "two or dashes",
        next(iter(SHARED)),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
    workers = re.findall(r"^\[(gw\d)\]", done.stdout, re.MULTILINE)
    assert len(workers) > 1, done.stdout
    assert len(set(workers)) == 1, done.stdout
