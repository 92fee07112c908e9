"""The whole system as `manage.py run` starts it, in processes of its own, for tests on every system."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from printsys.config import ROOT
from tests.waiting import until

PARTS = {"web", "index", "work", "postgres"}
START_PATIENCE_S, STOP_PATIENCE_S = 300, 60
OTHERS_SETTINGS = ("MAIL_", "PRINTSYS_", "STAFF_PASSWORD")
NO_SERVERS = {"DATABASE_URL": "", "REDIS_URL": "", "MAIL_SERVER": ""}


class System:
    """One storage and one instance in the folder `root`, started and stopped as a person would. `code`: a checkout."""

    def __init__(self, root: Path, code: Path = ROOT, **environment: str) -> None:
        self.root, self.code = root, code
        self.storage, self.instance = root / "storage", root / "instance"
        self.log = root / "run.log"
        self.port = free_port()
        own = {"PRINTSYS_STORAGE": str(self.storage), "PRINTSYS_INSTANCE": str(self.instance), "PYTHONUNBUFFERED": "1"}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(OTHERS_SETTINGS)}
        self.environment = inherited | NO_SERVERS | own | environment
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def output(self) -> str:
        """What the last start printed so far. In a file: a full pipe would stop the process that writes."""
        return self.log.read_text("utf-8", "replace")

    def launch(self, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        """Begin a start, which may fail."""
        command = [sys.executable, str(self.code / "manage.py"), "run", "--port", str(self.port), *arguments]
        with self.log.open("wb") as log:
            return subprocess.Popen(
                command,
                cwd=self.code,
                env=self.environment | environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                creationflags=_console_flags(),
            )

    def start(self, *arguments: str, **environment: str) -> None:
        """Start it, and return when it serves."""
        process = self.process = self.launch(*arguments, **environment)
        until(lambda: "Ready: " in self.output or process.poll() is not None, START_PATIENCE_S)
        assert f"Ready: {self.url}/" in self.output, self.output

    def refused(self, *arguments: str, **environment: str) -> str:
        """The output of a start that must fail."""
        process = self.launch(*arguments, **environment)
        assert process.wait(START_PATIENCE_S) == 2, self.output
        assert "Traceback" not in self.output, self.output
        return self.output

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Another command on the same storage and instance."""
        return subprocess.run(
            [sys.executable, str(self.code / "manage.py"), *arguments],
            cwd=self.code,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=START_PATIENCE_S,
            check=False,
        )

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """By a signal, on Windows by Ctrl-C; its exit code."""
        assert self.process is not None
        if sys.platform == "win32":
            from tests.windows.programs import press_ctrl_c

            press_ctrl_c(self.supervisor().pid, str(self.port))
        else:
            self.process.send_signal(number)
        return self.process.wait(STOP_PATIENCE_S)

    def end(self) -> None:
        """Whatever the test left of it."""
        if self.process is not None and self.process.poll() is None:
            self.stop()

    def kill(self) -> None:
        """The process that supervises the others, alone."""
        assert self.process is not None
        self.supervisor().kill()
        self.process.wait()

    def supervisor(self) -> psutil.Process:
        assert self.process is not None
        return interpreter(psutil.Process(self.process.pid))

    def parts(self) -> dict[str, psutil.Process]:
        parts: dict[str, psutil.Process] = {}
        for child in self.supervisor().children():
            with contextlib.suppress(psutil.Error):  # just ended
                parts |= {word: interpreter(child) for word in child.cmdline() if word in PARTS}
        return parts

    def server(self) -> psutil.Process:
        """PostgreSQL's."""
        server = self.server_if_any()
        assert server is not None, self.output
        return server

    def server_if_any(self) -> psutil.Process | None:
        """None while there is none: PostgreSQL removes and rewrites its pid file as it starts."""
        try:
            return psutil.Process(int((self.instance / "postgres" / "postmaster.pid").read_text("utf-8").split()[0]))
        except (FileNotFoundError, IndexError, psutil.NoSuchProcess, ValueError):  # a number below 0: not the server
            return None

    def serves(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/submit", timeout=10) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def health(self) -> dict[str, Any]:
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=10) as answer:
                return dict(json.loads(answer.read()))
        except urllib.error.HTTPError as refused:
            return dict(json.loads(refused.read()))

    def has_database(self) -> bool:
        """Not while the pages start again with another address of it."""
        try:
            return bool(self.health()["components"]["database"] == "ok")
        except OSError:
            return False

    def folders(self) -> list[Path]:
        """Of all jobs, where they are now."""
        return [path.parent for path in self.storage.glob("[!.]*/*/metadata.json")]

    def folder(self, job_id: str) -> Path:
        """Where the job's folder is now; there must be one."""
        folders = [path for path in self.storage.glob(f"*/*_{job_id}") if not path.parent.name.startswith(".")]
        assert len(folders) == 1, folders
        return folders[0]


@contextlib.contextmanager
def system_of_its_own(**environment: str) -> Iterator[System]:
    """In a folder that is not under pytest's own: run as root PostgreSQL is another user's, and each pytest that
    starts on this machine shuts that folder to others again."""
    with tempfile.TemporaryDirectory(prefix="printsys-tests-", ignore_cleanup_errors=os.name == "nt") as folder:
        system = System(Path(folder), ROOT, **environment)
        try:
            yield system
        finally:
            system.end()


def interpreter(process: psutil.Process) -> psutil.Process:
    """The Python that runs: on Windows python.exe of a .venv is a launcher, whose child that is. NoSuchProcess."""
    if os.name == "posix":
        return process
    children = [child for child in process.children() if child.name().lower().startswith("python")]
    if not children:
        raise psutil.NoSuchProcess(process.pid)
    return children[0]


def gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _console_flags() -> int:
    """Of a start that Windows can interrupt without interrupting the tests, too."""
    if sys.platform == "win32":
        from tests.windows.programs import is_wine

        return 0 if is_wine() else subprocess.CREATE_NEW_PROCESS_GROUP
    return 0
