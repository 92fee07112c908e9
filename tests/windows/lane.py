"""Runs the tests with a real Windows Python on this Linux machine, under wine: what `manage.py test --windows` calls.

The lane is a folder (WINLANE, by default /opt/winlane) with wine, a Windows Python and a copy of this checkout, whose
`.venv` the Windows Python makes from the same pins as on a lab's PC. `../shared/windows/setup.sh` builds it; its README
says what holds on Windows and what does not. WINLANE_PROJECT names another folder for the copy than the lane's own
`project`, so that several checkouts can be tested on one machine.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LANE = Path(os.environ.get("WINLANE", "/opt/winlane"))
SETUP = ROOT.parent / "shared" / "windows" / "setup.sh"
PROJECT = Path(os.environ.get("WINLANE_PROJECT", LANE / "project"))
CHECKOUT = PROJECT / "main"
PASSED = re.compile(r"(\d+) passed")


class LaneMissing(Exception):
    """The lane cannot be set up here; the message says why."""


def run(arguments: list[str]) -> int:
    """Run pytest with `arguments` in the lane and print its output; the exit code of pytest, or 2 without a lane."""
    try:
        prepare()
    except LaneMissing as error:
        print(error, file=sys.stderr)
        return 2
    command = [str(LANE / "winpy"), "manage.py", "test", *arguments]
    process = subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    passed = 0
    for line in process.stdout:
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
        if match := PASSED.search(line.decode("utf-8", "replace")):
            passed = int(match[1])
    code = process.wait()
    print(f"Windows: {passed} tests passed under {LANE / 'winpy'}.", flush=True)
    return code or (0 if passed else 1)


def prepare() -> None:
    """Set the lane up where it is missing, and bring its copy of this checkout up to date. LaneMissing."""
    if not (LANE / "winpy").exists():
        if not SETUP.exists():
            raise LaneMissing(f"There is no Windows lane in {LANE}, and {SETUP}, which would build it, is missing.")
        if subprocess.run(["bash", str(SETUP), str(LANE)], stdin=subprocess.DEVNULL, check=False).returncode:
            raise LaneMissing(f"{SETUP} could not set the Windows lane up; its messages are above.")
    _copy_checkout()
    _copy_corpus()


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
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in listed.stdout.decode().split("\0"):
        if name and (ROOT / name).is_file():
            yield name


def _copy_corpus() -> None:
    """The real files beside the project: wine follows no link to them that Windows' programs would accept."""
    source, target = ROOT.parent / "shared" / "corpus", PROJECT / "shared" / "corpus"
    if source.is_dir() and not target.exists():
        shutil.copytree(source, target)
