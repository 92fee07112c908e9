"""Run the tests. Everything after `test` goes to pytest; `--proof` adds the long ones.

`--windows` runs them with a Windows Python, which on Linux is one under wine.
"""

from __future__ import annotations

import argparse
import importlib
import subprocess
import sys

from printsys.config import ROOT

WINDOWS_SUITE = [
    "tests/windows",
    "tests/config",
    "tests/domain",
    "tests/jobstore",
    "tests/opener",
]
"""What `--windows` runs where no path is given."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--windows", action="store_true", help="run with a Windows Python (under wine on Linux)")
    parser.add_argument("pytest", nargs="*", help="options and paths for pytest")


def run(arguments: list[str]) -> int:
    """Two processes by default; `-n 0` for one, as when a debugger is wanted."""
    if "--windows" in arguments:
        rest = [word for word in arguments if word != "--windows"]
        chosen = rest if any(word.startswith("tests") for word in rest) else [*rest, *WINDOWS_SUITE]
        if sys.platform != "win32":
            return int(importlib.import_module("tests.windows.lane").run(chosen))
        arguments = chosen
    if sys.platform == "win32":  # what shares a running system shares a process: a start takes long there
        arguments = ["--dist", "loadgroup", *arguments]
    workers = [] if any(word.startswith(("-n", "--numprocesses", "--pdb")) for word in arguments) else ["-n", "2"]
    return subprocess.run([sys.executable, "-m", "pytest", *workers, *arguments], cwd=ROOT, check=False).returncode
