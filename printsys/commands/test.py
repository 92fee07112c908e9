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
    "tests/crash",
    "tests/opener",
    "tests/indexer",
    "tests/slicers",
    "tests/models3d",
    "tests/mail",
    "tests/backup",
    "tests/habits",
    "tests/ops",
    "tests/commands/test_archive_prune.py",
    "tests/commands/test_doctor.py",
    "tests/commands/test_export.py",
    "tests/commands/test_prune.py",
    "tests/web/test_security.py",
    "tests/web/staff/test_attention.py",
    "tests/web/staff/test_files.py",
    "tests/web/staff/test_intake.py",
    "tests/web/staff/test_job.py",
    "tests/web/student/test_resubmit.py",
    "tests/web/student/test_submit.py",
    "--deselect=tests/backup/test_restore_standalone.py",
    "--deselect=tests/indexer/test_mirror.py::test_thousands_of_things_that_need_a_person_are_kept_and_settled",
    "--deselect=tests/mail/test_failures.py",
    "--deselect=tests/mail/test_kills.py",
    "--deselect=tests/models3d/test_bounded.py::test_a_malformed_file_is_examined_or_refused_but_breaks_nothing",
]
"""What `--windows` runs where no path is given: all that touches files, processes, the registry or the network.

Left out, because a process takes seconds to start under wine and a page half of one: the pages that only show and
change rows, the rest of the commands, and five tests that start dozens of processes or make thousands of files.
`manage.py test --windows tests/web tests/commands` runs them, as any path does. tests/browser has no browser there.
"""


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
