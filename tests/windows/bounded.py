"""A command with a time limit that holds for all that it starts, also for what leaves its process group."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable
from pathlib import Path

import psutil

MARK = "PRINTSYS_BOUNDED_RUN"
"""A variable in the environment of everything that one run started, and the run's own value of it."""
WINE_ITSELF = ("C:\\windows\\", "/usr/lib/wine/wineserver")
"""Wine's services serve every run on this machine; they end when no program needs them any more."""
PIPE_PATIENCE_S = 10
TIMED_OUT = 124
"""The exit code that timeout(1) gives too."""


def run_bounded(
    command: list[str], folder: Path, limit_s: float, look: Callable[[bytes], None] = lambda line: None
) -> int:
    """Run `command` without input in `folder` and print its lines, each after `look` saw it; its exit code.

    After `limit_s` seconds all of it is killed, and the code is TIMED_OUT. A process that stays and keeps the output
    open holds nothing up.
    """
    run = uuid.uuid4().hex
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, MARK: run},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    reader = threading.Thread(target=_print_lines, args=(process, look), daemon=True)
    reader.start()
    try:
        code = process.wait(limit_s)
    except subprocess.TimeoutExpired:
        code = TIMED_OUT
        _kill(run)
        process.wait()
    reader.join(PIPE_PATIENCE_S)
    if code == TIMED_OUT:
        print(f"{command[0]} did not end within {limit_s:g} s and was killed.", file=sys.stderr, flush=True)
    return code


def _print_lines(process: subprocess.Popen[bytes], look: Callable[[bytes], None]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        look(line)
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()


def _kill(run: str) -> None:
    """Again and again, for a dying supervisor starts its parts anew."""
    while processes := [process for process in psutil.process_iter() if _belongs(process, run)]:
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(processes, 5)


def _belongs(process: psutil.Process, run: str) -> bool:
    try:
        if process.status() == psutil.STATUS_ZOMBIE or process.environ().get(MARK) != run:
            return False
        return not any(word.startswith(WINE_ITSELF) for word in process.cmdline()[:2])
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
