"""Commands of manage.py that a page starts: each in a process of its own, so that the pages do not wait for it.

What the last one of each kind printed is kept in instance/, so that it outlives the process of the pages.
"""

from __future__ import annotations

import errno
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from printsys import fs
from printsys.config import ROOT, Settings, make_private_folder
from printsys.ops.shutdown import ENDS_WITH_PARENT, SUPERVISED

FOLDER = "commands"
MOST_KEPT = 200_000
"""Bytes of what a command printed."""
STOP_PATIENCE_S = 2.0
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class CommandRun:
    """`code`: its exit code, None while it runs, and where it was interrupted. `printed` and `errors`: the lines of its
    two streams."""

    started_at: datetime
    ended_at: datetime | None = None
    code: int | None = None
    printed: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()


_SHAPE = TypeAdapter(CommandRun)


class CommandRuns:
    """At most one of each name at a time. `lock`: who looks first, and then starts one, holds it from look to start."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.lock = threading.RLock()
        self._running: dict[str, tuple[subprocess.Popen[bytes], threading.Thread]] = {}
        self._stopped: dict[str, subprocess.Popen[bytes]] = {}
        self._is_stopping = False

    def start(self, name: str, arguments: Sequence[str], used_up: Path | None = None) -> bool:
        """`arguments` are manage.py's. `used_up`: a file that goes when the command has ended. False where it runs
        already. OSError: nothing runs, the last result stays."""
        with self.lock:
            if self.is_running(name):
                return False
            if self._is_stopping:
                raise OSError(errno.ECANCELED, "the pages are just ending")
            run = CommandRun(datetime.now(UTC))
            process = self._process(arguments)
            try:
                self._write(name, run)
            except OSError:
                process.kill()
                process.communicate()
                raise
            thread = threading.Thread(target=self._follow, args=(name, run, process, used_up), daemon=True)
            self._running[name] = (process, thread)
            thread.start()
            return True

    def is_running(self, name: str) -> bool:
        return name in self._running and self._running[name][1].is_alive()

    def last(self, name: str) -> CommandRun | None:
        """None where there never was one."""
        try:
            return _SHAPE.validate_json(fs.read(self._path(name)))
        except (OSError, ValidationError):
            return None

    def stop(self) -> None:
        """End those that run, and start no other: what each of these commands does may be interrupted anywhere."""
        with self.lock:
            self._is_stopping = True
            running = {name: each for name, each in self._running.items() if each[1].is_alive()}
            self._stopped = {name: process for name, (process, _) in running.items() if process.poll() is None}
        for process in self._stopped.values():
            process.terminate()
        deadline = time.monotonic() + STOP_PATIENCE_S
        for _, thread in running.values():
            thread.join(max(0.0, deadline - time.monotonic()))

    def _process(self, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
        if sys.platform == "win32":
            creation_flags = subprocess.CREATE_NO_WINDOW
        else:
            creation_flags = 0
        own = {
            "PRINTSYS_STORAGE": str(self.settings.storage),
            "PRINTSYS_INSTANCE": str(self.settings.instance),
            "LAB_CONFIG": str(self.settings.lab_config),
            "DATABASE_URL": self.settings.database_url or "",
            SUPERVISED: "",
            ENDS_WITH_PARENT: "1",
        }
        return subprocess.Popen(
            [sys.executable, str(ROOT / "manage.py"), *arguments],
            cwd=ROOT,
            env={**os.environ, **own},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            creationflags=creation_flags,
        )

    def _follow(self, name: str, run: CommandRun, process: subprocess.Popen[bytes], used_up: Path | None) -> None:
        pipe, process.stdin = process.stdin, None  # which `communicate` would close: that ends the command
        printed, errors = process.communicate()
        if pipe is not None:
            pipe.close()
        ended = replace(run, ended_at=datetime.now(UTC), printed=_lines(printed), errors=_lines(errors))
        was_interrupted = name in self._stopped or process.returncode < 0  # a signal; Windows knows none, and says 1
        try:
            self._write(name, replace(ended, code=None if was_interrupted else process.returncode))
            if used_up is not None:
                fs.unlink(used_up)
        except OSError as error:
            logger.error("the end of %s cannot be recorded: %s", name, error.strerror)

    def _path(self, name: str) -> Path:
        return self.settings.instance / FOLDER / f"{name}.json"

    def _write(self, name: str, run: CommandRun) -> None:
        make_private_folder(self.settings.instance / FOLDER)
        fs.replace(self._path(name), _SHAPE.dump_json(run) + b"\n")


def _lines(output: bytes) -> tuple[str, ...]:
    return tuple(output[:MOST_KEPT].decode("utf-8", "replace").splitlines())
