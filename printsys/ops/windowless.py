"""Starts `manage.py run` without a window: `pythonw -m printsys.ops.windowless INSTANCE run …`, for Task Scheduler.

A program with a console opens a window for it, unless it is started like this; all parts of the system then share that
console. The standard input of `run` is a pipe from here: when Windows ends this process, `run` notices and stops
everything in order, as it does without its own supervisor. What it prints is in `instance/logs/service.log`.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from printsys.config import ROOT
from printsys.ops.logging_setup import ProcessLog
from printsys.ops.shutdown import SUPERVISED

MODULE = ("-m", "printsys.ops.windowless")
"""Behind `pythonw`, in the folder of manage.py."""
LOG = "service"


def log_file(instance: Path) -> Path:
    return instance / "logs" / f"{LOG}.log"


def main(arguments: Sequence[str]) -> int:
    instance, *command = arguments
    log = logging.getLogger(LOG)
    log.setLevel(logging.INFO)
    folder = Path(instance) / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    log.addHandler(ProcessLog(folder, LOG))
    try:
        return _run(command, {**os.environ, "PRINTSYS_INSTANCE": instance, SUPERVISED: "1"}, log)
    except OSError:
        log.exception("the system could not be started")
        return 2


def _run(arguments: Sequence[str], environment: dict[str, str], log: logging.Logger) -> int:
    python = Path(sys.executable)
    if sys.platform == "win32":
        python, creation_flags = python.with_name("python.exe"), subprocess.CREATE_NO_WINDOW
    else:
        creation_flags = 0
    with subprocess.Popen(
        [str(python), str(ROOT / "manage.py"), *arguments],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        creationflags=creation_flags,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            log.info(line.decode("utf-8", "replace").rstrip())
    return process.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
