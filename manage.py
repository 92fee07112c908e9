#!/usr/bin/env python3
"""Every command of the system: `python manage.py run`, `python manage.py test`, `python manage.py --help`.

Needs nothing but Python: the first call makes `.venv` beside this file from the exact pins, then hands over to it.
Only the standard library is imported here, so that this works before anything is installed.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib
import io
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
RUN, DEV = "requirements.txt", "requirements-dev.txt"
SETUP_PATIENCE_S = 900
UPGRADE, UPGRADING = ROOT / ".upgrade", "PRINTSYS_UPGRADING"
"""Where an upgrade keeps its state, and what the environment of the commands has that it calls itself."""
UPGRADE_PREPARED, ANOTHER_STARTS_THE_SYSTEM = 75, 3
"""Exit codes of the command `upgrade` and of `printsys.upgrade`."""
ENDS_WITH_PARENT = "PRINTSYS_ENDS_WITH_PARENT"
"""In the environment of a command that a page started. `printsys.ops.shutdown` is imported only for it."""
CRASHED = 70
"""The exit code after a traceback: 1, which Python takes, is an answer of many commands."""

COMMANDS = {
    "run": "start the whole system: PostgreSQL, web, indexer, worker",
    "web": "serve the pages only",
    "index": "run the indexer only: folders to PostgreSQL",
    "work": "run the task worker only: e-mail, pictures",
    "postgres": "keep the embedded PostgreSQL running",
    "test": "run the tests (everything after it goes to pytest)",
    "check": "prove that storage and mirror are whole",
    "reindex": "build the mirror again from the folders",
    "archive": "move jobs that ended long ago to Archived/",
    "prune": "empty the trash of what is older than 30 days, and what interrupted work left",
    "student": "a student's data: export it, or erase it",
    "backup": "copy storage and lab.toml to another folder, while the system runs",
    "restore": "put a backup into an empty storage",
    "export": "one row a job, as CSV or JSON",
    "report": "what happened in a range of days, counted and summed up",
    "demo": "fill an empty storage with a dozen lively jobs",
    "db": "migrate the database: upgrade, revision",
    "set-password": "choose the staff password",
    "api-token": "make, list or revoke a token for scripts",
    "service": "start the system by itself: install, status, start, stop, uninstall",
    "upgrade": "exchange this program for a newer version, and back where that fails",
    "doctor": "check this computer and report problems with their fixes",
    "send-test-email": "try the mail settings",
}


def main(arguments: list[str]) -> int:
    _print_in_utf8()
    if sys.version_info < (3, 11):
        print(f"This needs Python 3.11 or newer; {sys.executable} is {sys.version.split()[0]}.", file=sys.stderr)
        return 2
    command = next((word for word in arguments if not word.startswith("-")), None)
    if command not in COMMANDS or (command != "test" and arguments[0].startswith("-")):
        _parser().parse_args(arguments)  # prints help or the mistake, and ends
        return 2
    if not os.environ.get(UPGRADING):
        if (UPGRADE / "state.json").exists():
            return _after_interrupted_upgrade(command, arguments)
        if command == "upgrade":
            return _upgrade(arguments)
    return _go(command, arguments)


def _go(command: str, arguments: list[str]) -> int:
    try:
        python = _set_up(DEV if command == "test" else RUN)
    except SetupFailed as failure:
        print(f"\nSetting up did not work: {failure}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped while setting up; the next call starts that over.", file=sys.stderr)
        return 130
    if Path(sys.prefix).resolve() == VENV.resolve():
        return _run_command(command, arguments[arguments.index(command) + 1 :])
    return _hand_over([str(python), str(ROOT / "manage.py"), *arguments])


def _print_in_utf8() -> None:
    """Whatever the output goes to: Windows would take the code page of old for a pipe or a file, and end at a letter
    that it lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # pythonw.exe has none
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def _in_utf8() -> dict[str, str]:
    """An environment in which another Python's output is UTF-8 too."""
    return {**os.environ, "PYTHONIOENCODING": "utf-8:backslashreplace"}


def _parser() -> argparse.ArgumentParser:
    listing = "\n".join(f"  {name:16} {summary}" for name, summary in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="manage.py",
        usage="python manage.py COMMAND [options]",
        description=f"A print lab's job system in which the folder is the record.\n\ncommands:\n{listing}\n\n"
        "`python manage.py COMMAND --help` explains each.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND", help="one of the above")
    return parser


def _run_command(command: str, arguments: list[str]) -> int:
    """Run a command with everything installed. Each is a module with `add_arguments(parser)` and `run(args) -> int`."""
    sys.path.insert(0, str(ROOT))
    from printsys.errors import PrintSysError

    if os.environ.pop(ENDS_WITH_PARENT, ""):
        from printsys.ops.shutdown import end_with_parent

        end_with_parent()
    try:
        module = importlib.import_module(f"printsys.commands.{command.replace('-', '_')}")
        parser = argparse.ArgumentParser(prog=f"manage.py {command}", description=module.__doc__)
        module.add_arguments(parser)
        if command == "test":
            return int(module.run(arguments))
        return int(module.run(parser.parse_args(arguments)))
    except PrintSysError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001  the outermost frame: whatever it is is printed, whole
        sys.excepthook(type(error), error, error.__traceback__)
        return CRASHED


def _hand_over(command: list[str]) -> int:
    if os.name == "posix":
        os.execv(command[0], command)
    return _call(command)


def _call(command: list[str], **options: Any) -> int:
    """The exit code of another program, which has this one's terminal."""
    child = subprocess.Popen(command, **options)
    while True:
        with contextlib.suppress(KeyboardInterrupt):  # the child gets it too, and decides
            return child.wait()


# -- upgrades ---------------------------------------------------------------------------------------------------------


def _upgrade(arguments: list[str]) -> int:
    """The command prepares it, and `printsys.upgrade` carries it out: outside of `.venv`, which is exchanged, too."""
    try:
        python = _set_up(RUN)
    except SetupFailed as failure:
        print(f"\nSetting up did not work: {failure}", file=sys.stderr)
        return 2
    code = _call([str(python), str(ROOT / "manage.py"), *arguments], env={**os.environ, UPGRADING: "1"})
    return _upgrade_engine("go") if code == UPGRADE_PREPARED else code


def _after_interrupted_upgrade(command: str, arguments: list[str]) -> int:
    """Takes back what somebody killed, and then does what was asked for, with the program that is back."""
    code = _upgrade_engine("recover-and-start" if command == "upgrade" else "recover")
    if code == ANOTHER_STARTS_THE_SYSTEM:
        return _go(command, arguments)
    if command == "upgrade" or code not in (0, 1):
        return code
    if (UPGRADE / "state.json").exists():  # a traceback has the code of what was put back, too
        print("The upgrade that was interrupted is still to be taken back: see above.", file=sys.stderr)
        return 2
    return _hand_over([sys.executable, str(ROOT / "manage.py"), *arguments])


def _upgrade_engine(order: str) -> int:
    """Its copy, which stays as it is while the program is exchanged."""
    python = getattr(sys, "_base_executable", sys.executable)
    return _call([python, "-m", "printsys.upgrade", str(ROOT), order], cwd=UPGRADE / "engine", env=_in_utf8())


# -- the virtual environment ----------------------------------------------------------------------------------------


class SetupFailed(Exception):
    pass


def _set_up(requirements: str) -> Path:
    """`.venv` with exactly what `requirements` pins; instant when that is so already. Returns its python."""
    python = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if _is_current(python, requirements):
        return python
    with _only_one() as lock:
        if _is_current(python, requirements):
            return python
        print("Setting up (once; this takes a minute or two).", file=sys.stderr, flush=True)
        if not _is_whole(python):
            _make_venv()
        for name in (RUN, DEV):  # until the end nothing proves what is installed
            _stamp(name).unlink(missing_ok=True)
        _install(python, requirements, lock)
        _stamp(requirements).write_text(_stamp_text(requirements), "ascii")
    print("Set-up is done.", file=sys.stderr, flush=True)
    return python


def _stamp(requirements: str) -> Path:
    return VENV / f"installed-{requirements}"


def _stamp_text(requirements: str) -> str:
    """What a stamp says after a complete installation: the pins (the tests' include the run time's) and the Python."""
    pins = b"".join((ROOT / name).read_bytes() for name in (RUN, requirements))
    return hashlib.sha256(pins + sys.version.encode() + str(VENV).encode()).hexdigest()


def _is_current(python: Path, requirements: str) -> bool:
    """An interrupted set-up has no stamp, a changed or moved one another. What the tests need serves every command."""
    stamps = {_stamp(name): _stamp_text(name) for name in (requirements, DEV)}
    return python.exists() and any(path.exists() and path.read_text("ascii") == text for path, text in stamps.items())


def _is_whole(python: Path) -> bool:
    """Whether the environment's own python and pip run (somebody may have copied it, or cut it short)."""
    if not python.exists():
        return False
    probe = f"import sys, pip; assert sys.version == {sys.version!r} and sys.prefix == {str(VENV)!r}"
    return subprocess.run([python, "-c", probe], capture_output=True, check=False).returncode == 0


def _make_venv() -> None:
    print(f"  making {VENV.name} with Python {sys.version.split()[0]} …", file=sys.stderr, flush=True)
    if VENV.exists():
        _remove_venv()
    command = [sys.executable, "-m", "venv", str(VENV)]
    venv = subprocess.run(command, capture_output=True, check=False, encoding="utf-8", errors="replace", env=_in_utf8())
    if venv.returncode != 0:
        shutil.rmtree(VENV, ignore_errors=True)
        output = (venv.stdout + venv.stderr).strip()
        if "ensurepip" in output or "No module named venv" in output:
            package = f"python3.{sys.version_info.minor}-venv"
            raise SetupFailed(f"this Python comes without its venv module. On Debian or Ubuntu: apt install {package}")
        raise SetupFailed(output or "python -m venv failed")


def _remove_venv() -> None:
    if Path(sys.prefix).resolve() == VENV.resolve():
        raise SetupFailed(f"{VENV} is not usable any more. Please call this with the Python outside of it")
    try:
        shutil.rmtree(VENV)
    except OSError as error:
        raise SetupFailed(f"{VENV} cannot be replaced ({error.strerror}); is the system running from it?") from error


def _install(python: Path, requirements: str, lock: int) -> None:
    command = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "-r", requirements]
    pins = "".join((ROOT / name).read_text("utf-8") for name in {RUN, requirements})
    count = len({line.partition("==")[0] for line in pins.splitlines() if "==" in line})
    print(f"  installing about {count} packages …", file=sys.stderr, flush=True)
    inherited = () if os.name == "nt" else (lock,)
    pip = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        env=_in_utf8(),
        pass_fds=inherited,
    )
    assert pip.stdout is not None
    output: list[str] = []
    collected = 0
    for line in pip.stdout:
        output.append(line)
        if line.startswith(("Collecting", "Requirement already")):
            collected += 1
            if collected % 10 == 0:
                print(f"  {min(collected, count)} of {count} …", file=sys.stderr, flush=True)
        elif line.startswith("Installing collected"):
            print("  unpacking …", file=sys.stderr, flush=True)
    if pip.wait() != 0:
        why = [line for line in output if line.startswith("ERROR")] or output[-8:]
        raise SetupFailed("pip could not install the packages (is this computer online?)\n" + "".join(why).strip())


@contextlib.contextmanager
def _only_one() -> Iterator[int]:
    """Two calls at once must not install into one folder; the second waits. The system frees a dead process's lock.

    Yields the lock's descriptor: an installer that inherits it keeps others out even when somebody kills this process.
    """
    try:
        descriptor = os.open(ROOT / ".venv-setup", os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise SetupFailed(f"{ROOT} cannot be written: {error.strerror}") from error
    has_said_so = False
    deadline = time.monotonic() + SETUP_PATIENCE_S
    try:
        while not _lock(descriptor):
            if not has_said_so:
                print("Another call is setting up; waiting for it …", file=sys.stderr, flush=True)
                has_said_so = True
            if time.monotonic() > deadline:
                raise SetupFailed(
                    f"another call has been at it for {SETUP_PATIENCE_S // 60} minutes; stop that one first"
                )
            time.sleep(0.2)
        yield descriptor
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
