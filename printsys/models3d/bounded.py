"""Looks at models in a process of its own, with limits: a hostile file ends that process and nothing else.

Memory is watched from here, since Windows and macOS have no limit that holds: a process that grows too large is ended.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

import psutil

from printsys.errors import FileRefused, ModelTooHard, ModelUnreadable
from printsys.models3d.inspect import ModelFacts

Job = Literal["inspect", "thumbnail", "look", "viewer"]

ROOT = Path(__file__).resolve().parents[2]
LOOK_EVERY_S = 0.02
MB = 1 << 20
ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"}
"""One thread: others would only take memory, since nothing here multiplies large matrices."""
LOW_PRIORITY = getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0)


@dataclass(frozen=True)
class Limits:
    """A closed model of 1.3 million triangles takes about 2 s and 0.7 GB."""

    seconds: float = 60
    megabytes: int = 2500


USUAL = Limits()


@dataclass(frozen=True)
class Look:
    """`png` is None when there is nothing to draw; the facts say why."""

    facts: ModelFacts
    png: bytes | None


def look(path: Path, limits: Limits = USUAL) -> Look:
    """Facts and picture at once, for the form. Raises as `run` does."""
    answer = run("look", path, limits)
    png = answer["png"]
    return Look(ModelFacts.model_validate(answer["facts"]), base64.b64decode(png) if png else None)


def inspect(path: Path, limits: Limits = USUAL) -> ModelFacts:
    return ModelFacts.model_validate(run("inspect", path, limits)["facts"])


def draw(path: Path, limits: Limits = USUAL) -> bytes:
    """PNG, 512 pixels a side."""
    return base64.b64decode(run("thumbnail", path, limits)["png"])


def page(path: Path, limits: Limits = USUAL) -> str:
    """HTML for a sandboxed frame (see viewer.py)."""
    return str(run("viewer", path, limits)["html"])


def run(job: Job, path: Path, limits: Limits = USUAL) -> dict[str, Any]:
    """The answer of `python -m printsys.models3d`.

    FileRefused: not what its name says. ModelUnreadable: nothing can be made of it. ModelTooHard: time or memory were
    not enough, or the process broke; its notes hold what it said last. OSError: the file itself cannot be read.
    """
    path = path.resolve()
    path.stat()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as said:
        process = _start(job, path, out, said)
        try:
            _watch(process, path.name, limits)
        finally:
            process.kill()
            process.wait()
        out.seek(0)
        return _answer(path.name, process.returncode, out.read(), said)


def _start(job: Job, path: Path, out: IO[bytes], said: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "printsys.models3d", job, str(path)],
        cwd=ROOT,
        env=os.environ | ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=said,
        creationflags=LOW_PRIORITY,
    )


def _watch(process: subprocess.Popen[bytes], name: str, limits: Limits) -> None:
    end = time.monotonic() + limits.seconds
    while True:
        try:
            process.wait(LOOK_EVERY_S)
            return
        except subprocess.TimeoutExpired:
            pass
        if time.monotonic() > end:
            raise ModelTooHard(f"{name} took longer than {limits.seconds:g} s to look at. Please simplify it.")
        if _memory(process.pid) > limits.megabytes * MB:
            raise ModelTooHard(
                f"{name} needs more than {limits.megabytes} MB of memory to look at. Please simplify it."
            )


def _memory(pid: int) -> int:
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def _answer(name: str, code: int, out: bytes, said: IO[bytes]) -> dict[str, Any]:
    try:
        answer = json.loads(out)
    except ValueError:
        answer = None
    if code != 0 or not isinstance(answer, dict):
        raise _broken(name, said)
    sentence = str(answer.get("sentence"))
    if answer.get("error") == "FileRefused":
        raise FileRefused(name, sentence)
    if "error" in answer:
        raise {"ModelUnreadable": ModelUnreadable, "ModelTooHard": ModelTooHard}[answer["error"]](sentence)
    return answer


def _broken(name: str, said: IO[bytes]) -> ModelTooHard:
    said.seek(0)
    error = ModelTooHard(f"{name} could not be looked at: the program that tried ended unexpectedly.")
    error.add_note(said.read()[-4000:].decode("utf-8", "replace"))
    return error
