"""Reads models in a process of its own, with limits: a hostile file ends that process and nothing else.

This side watches the memory and ends a process that grows too large: Windows and macOS have no limit that holds.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psutil

from printsys.errors import FileRefused, ModelTooHard, ModelUnreadable
from printsys.models3d.fit import Box
from printsys.models3d.inspect import ModelFacts

Task = Literal["inspect", "thumbnail", "examine", "viewer", "convert"]

ROOT = Path(__file__).resolve().parents[2]
WATCH_EVERY_S = 0.02
MB = 1 << 20
ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"}
"""One thread: more would only take memory, since nothing here multiplies large matrices."""
PYTHON = sys.executable
if sys.platform == "win32":
    PYTHON = sys._base_executable
    ENVIRONMENT["__PYVENV_LAUNCHER__"] = sys.executable
"""On Windows the python.exe of a virtual environment only launches the Python that does the work. Started directly, as
multiprocessing does it, that is one process: it has all the memory, and nothing outlives its end."""
LOW_PRIORITY = getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0)


class Abandoned(Exception):
    """Nobody wants the answer any more."""


@dataclass(frozen=True)
class Limits:
    """A closed model of 1.3 million triangles takes about 2 s and 0.7 GB."""

    seconds: float = 60
    megabytes: int = 2500


USUAL = Limits()


@dataclass(frozen=True)
class Examination:
    """`png` is None for a model without anything to draw; the facts say why."""

    facts: ModelFacts
    png: bytes | None


def examine(
    path: Path,
    limits: Limits = USUAL,
    is_wanted: Callable[[], bool] = lambda: True,
    color: str | None = None,
    volumes: Sequence[Box] = (),
) -> Examination:
    """Facts and picture at once, for the form. `volumes`: of the printers that it may have to fit. Raises as `run`."""
    answer = run("examine", path, limits, is_wanted, [color or "", *("x".join(map(str, box)) for box in volumes)])
    png = answer["png"]
    return Examination(ModelFacts.model_validate(answer["facts"]), base64.b64decode(png) if png else None)


def inspect(path: Path, limits: Limits = USUAL) -> ModelFacts:
    return ModelFacts.model_validate(run("inspect", path, limits)["facts"])


def draw(path: Path, limits: Limits = USUAL, color: str | None = None) -> bytes:
    """PNG, 512 pixels a side, in the lab's `color`."""
    return base64.b64decode(run("thumbnail", path, limits, arguments=[color or ""])["png"])


def page(path: Path, limits: Limits = USUAL) -> str:
    """HTML for a sandboxed frame (see viewer.py)."""
    return str(run("viewer", path, limits)["html"])


def convert(path: Path, target: Path, limits: Limits = USUAL) -> None:
    """Write the model to `target` as binary STL."""
    run("convert", path, limits, arguments=[str(target.resolve())])


def run(
    task: Task,
    path: Path,
    limits: Limits = USUAL,
    is_wanted: Callable[[], bool] = lambda: True,
    arguments: Sequence[str] = (),
) -> dict[str, Any]:
    """The answer of `python -m printsys.models3d`.

    FileRefused: the file is not what its name says. ModelUnreadable: it is damaged. ModelTooHard: it needs more time or
    memory than the limits, or the process crashed; the error's notes hold its last words. Abandoned: `is_wanted()`
    turned false. OSError: the disk's. What the process leaves in its folder for temporary files goes with it.
    """
    path = path.resolve()
    path.stat()
    with (
        tempfile.TemporaryFile() as stdout,
        tempfile.TemporaryFile() as stderr,
        tempfile.TemporaryDirectory(prefix="printsys-model-", ignore_cleanup_errors=True) as scratch,
    ):
        process = subprocess.Popen(
            [PYTHON, "-m", "printsys.models3d", task, str(path), *arguments],
            cwd=ROOT,
            env=os.environ | ENVIRONMENT | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), scratch),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            creationflags=LOW_PRIORITY,
        )
        try:
            _watch(process, path.name, limits, is_wanted)
        finally:
            process.kill()
            process.wait()
        stdout.seek(0)
        stderr.seek(0)
        return _parse(path.name, process.returncode, stdout.read(), stderr.read())


def _watch(process: subprocess.Popen[bytes], name: str, limits: Limits, is_wanted: Callable[[], bool]) -> None:
    end = time.monotonic() + limits.seconds
    while True:
        try:
            process.wait(WATCH_EVERY_S)
            return
        except subprocess.TimeoutExpired:
            pass
        if not is_wanted():
            raise Abandoned
        if time.monotonic() > end:
            raise ModelTooHard(f"{name} took longer than {limits.seconds:g} s to look at. Please simplify it.")
        if _memory(process.pid) > limits.megabytes * MB:
            raise ModelTooHard(
                f"{name} needs more than {limits.megabytes} MB of memory to look at. Please simplify it."
            )


def _memory(pid: int) -> int:
    """Bytes of main memory that the process uses."""
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def _parse(name: str, exit_code: int, stdout: bytes, stderr: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(stdout)
    except ValueError:
        answer = None
    if exit_code != 0 or not isinstance(answer, dict):
        crash = ModelTooHard(f"{name} could not be looked at: the program that tried ended unexpectedly.")
        crash.add_note(stderr[-4000:].decode("utf-8", "replace"))
        raise crash
    sentence = str(answer.get("sentence"))
    if answer.get("error") == "FileRefused":
        raise FileRefused(name, sentence)
    if "error" in answer:
        raise {"ModelUnreadable": ModelUnreadable, "ModelTooHard": ModelTooHard}[answer["error"]](sentence)
    return answer
