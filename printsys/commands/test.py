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
    *("tests/windows", "tests/config", "tests/domain", "tests/jobstore", "tests/crash", "tests/opener"),
    *("tests/slicers", "tests/models3d/test_bounded.py", "tests/mail/test_sender.py", "tests/mail/test_smtp.py"),
    "tests/backup/test_backup.py::test_a_restored_storage_is_the_same_byte_for_byte_with_times_and_rights",
    "tests/backup/test_backup.py::test_only_what_changed_is_copied_again",
    "tests/backup/test_backup.py::test_older_backups_are_dropped_with_what_only_they_have",
    *("tests/indexer/test_attention.py", "tests/indexer/test_check.py", "tests/indexer/test_document_values.py"),
    *("tests/indexer/test_mirror.py", "tests/indexer/test_older_versions.py", "tests/indexer/test_reconcile.py"),
    *("tests/indexer/test_reindex.py", "tests/indexer/test_sweep_folder.py", "tests/indexer/test_without_database.py"),
    *("tests/ops/test_file_access.py", "tests/ops/test_logging_setup.py", "tests/ops/test_postgres.py"),
    *("tests/ops/test_service_windows.py", "tests/ops/test_shutdown.py"),
    *("tests/commands/test_archive_prune.py", "tests/commands/test_doctor.py", "tests/commands/test_export.py"),
    *("tests/upgrade/test_engine.py", "tests/upgrade/test_refusals.py"),
    *("tests/web/staff/test_attention.py", "tests/web/staff/test_files.py", "tests/web/staff/test_intake.py"),
    *("tests/web/student", "tests/web/test_api_tokens.py", "tests/web/test_logo.py"),
    "--deselect=tests/indexer/test_mirror.py::test_thousands_of_things_that_need_a_person_are_kept_and_settled",
    "--deselect=tests/models3d/test_bounded.py::test_a_malformed_file_is_examined_or_refused_but_breaks_nothing",
]
"""What `--windows` runs where no path is given: what touches files, processes, the registry or the network.

Any path runs by itself: `manage.py test --windows tests/web`. Left out for their time, because a process takes seconds
to start under wine and a page half of one: staff's pages that only show and change rows; what models measure and
e-mails say, which is no system's affair; the commands that set up or start a system (tests/windows starts one); most of
tests/backup (a lab at work beside it, kills); tests that start dozens of processes or make thousands of files. Also
left out are tests/habits and tests/indexer/test_watch*.py: tests/windows/test_watching.py has the watching there.
tests/browser has no browser.
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
    # What shares a running system shares a process on Windows: a start takes long there. Elsewhere the process that
    # ends first takes from the other, whose last tests may be long ones.
    arguments = ["--dist", "loadgroup" if sys.platform == "win32" else "worksteal", *arguments]
    workers = [] if any(word.startswith(("-n", "--numprocesses", "--pdb")) for word in arguments) else ["-n", "2"]
    return subprocess.run([sys.executable, "-m", "pytest", *workers, *arguments], cwd=ROOT, check=False).returncode
