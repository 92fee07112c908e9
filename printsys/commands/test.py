"""Run the tests. Everything after `test` goes to pytest; `--proof` adds the long ones."""

from __future__ import annotations

import argparse
import subprocess
import sys

from printsys.config import ROOT


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pytest", nargs="*", help="options and paths for pytest")


def run(arguments: list[str]) -> int:
    """Two processes by default; `-n 0` for one, as when a debugger is wanted."""
    workers = [] if any(word.startswith(("-n", "--numprocesses", "--pdb")) for word in arguments) else ["-n", "2"]
    return subprocess.run([sys.executable, "-m", "pytest", *workers, *arguments], cwd=ROOT, check=False).returncode
