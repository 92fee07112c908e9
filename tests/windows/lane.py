"""Runs the tests with a real Windows Python on this Linux machine, under wine: what `manage.py test --windows` calls.

The lane is a folder (WINLANE, by default /opt/winlane) with wine, a Windows Python and a copy of this checkout, whose
`.venv` the Windows Python makes from the same pins as on a lab's PC. `../shared/windows/setup.sh` builds it; its README
says what holds on Windows and what does not. WINLANE_PROJECT names another folder for the copy than the lane's own
`project`, so that several checkouts can be tested on one machine.

Whatever hangs in there ends: each part has a time limit, after which all that it started is killed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.windows.bounded import run_bounded

ROOT = Path(__file__).resolve().parents[2]
LANE = Path(os.environ.get("WINLANE", "/opt/winlane"))
SETUP = ROOT.parent / "shared" / "windows" / "setup.sh"
PROJECT = Path(os.environ.get("WINLANE_PROJECT", LANE / "project"))
CHECKOUT = PROJECT / "main"
SETUP_LIMIT_S, TESTS_LIMIT_S = 15 * 60, 40 * 60
ATTEMPTS = 3
"""Of what downloads: a mirror that hiccups is no failure."""
PASSED = re.compile(rb"(\d+) passed")


class LaneMissing(Exception):
    """The lane cannot be set up here; the message says why."""


def run(arguments: list[str]) -> int:
    """Run pytest with `arguments` in the lane and print its output; the exit code of pytest, or 2 without a lane."""
    try:
        prepare()
    except LaneMissing as error:
        print(f"Windows: no tests ran. {error}", file=sys.stderr, flush=True)
        return 2
    passed = 0

    def count(line: bytes) -> None:
        nonlocal passed
        if match := PASSED.search(line):
            passed = int(match[1])

    code = run_bounded(_windows_python("manage.py", "test", *arguments), CHECKOUT, TESTS_LIMIT_S, count)
    print(f"Windows: {passed} tests passed under {LANE / 'winpy'}.", flush=True)
    return code or (0 if passed else 1)


def prepare() -> None:
    """Set the lane up where it is missing, and bring its copy of this checkout up to date. LaneMissing."""
    if os.geteuid() != 0:
        raise LaneMissing("Only root can run a Windows Python here: wine gets a /usr of its own.")
    if not _is_set_up():
        if not SETUP.exists():
            raise LaneMissing(f"There is no Windows lane in {LANE}, and {SETUP}, which would build it, is missing.")
        _try_often(["bash", str(SETUP), str(LANE)], ROOT, "the Windows lane could not be set up")
    _copy_checkout()
    _copy_corpus()
    _try_often(_windows_python("manage.py", "test", "--version"), CHECKOUT, "pytest could not be installed there")


def _is_set_up() -> bool:
    """An interrupted set-up leaves its folder `build`."""
    return (LANE / "winpy").exists() and not (LANE / "build").exists()


def _windows_python(*arguments: str) -> list[str]:
    """As `winpy` has it, but for the pipe: a service of wine that outlives the tests would keep that one open."""
    return [str(LANE / "wine"), str(LANE / "python" / "python.exe"), *arguments]


def _try_often(command: list[str], folder: Path, failure: str) -> None:
    for _attempt in range(ATTEMPTS):
        if run_bounded(command, folder, SETUP_LIMIT_S) == 0:
            return
    raise LaneMissing(f"After {ATTEMPTS} attempts {failure}; the messages are above.")


def _copy_checkout() -> None:
    """Copy what git knows or could add; files that are gone here go there, its `.venv` and what tests left stay."""
    names = set(_project_files())
    listing = PROJECT / "files.txt"
    former = set(listing.read_text("utf-8").splitlines()) if listing.exists() else set()
    for name in former - names:
        (CHECKOUT / name).unlink(missing_ok=True)
    for name in names:
        source, target = ROOT / name, CHECKOUT / name
        if target.exists() and target.stat().st_mtime_ns == source.stat().st_mtime_ns:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
    listing.write_text("\n".join(sorted(names)), "utf-8")


def _project_files() -> Iterator[str]:
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        raise LaneMissing(f"git does not list the files of {ROOT}: {listed.stderr.decode('utf-8', 'replace').strip()}")
    for name in listed.stdout.decode().split("\0"):
        if name and (ROOT / name).is_file():
            yield name


def _copy_corpus() -> None:
    """The real files beside the project: wine follows no link to them that Windows' programs would accept."""
    source, target = ROOT.parent / "shared" / "corpus", PROJECT / "shared" / "corpus"
    if source.is_dir() and not target.exists():
        shutil.copytree(source, target)
