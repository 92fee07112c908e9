"""The evening before a deadline: what students and staff meet while everybody submits at once.

    python bench/burst.py [STUDENTS] [--friendly] [--code DIR]        (inside .venv; default 200 students)

The whole system, as `manage.py run` starts it, and in processes beside it: students who open the form, have a model of
1 to 20 MB checked, submit it and look at its status, all within a minute; a tenth send slowly, a tenth break off and
try again. 500 connections lie idle, 20 checks cost all the time that a check may take, two staff click, and a slicer
saves into the folders. `--friendly`: nobody idle, nobody hostile. `--code`: another checkout of the program, for before
and after. Exits 1 where anybody met an error, or a job was lost or doubled; how long things took is for you to judge.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import psutil  # noqa: E402
import trimesh  # noqa: E402

from bench.crowd import IdleConnections, Slicer, Staff, Student, hostile_model, send_hostile_check  # noqa: E402
from bench.plain_browser import Event  # noqa: E402
from printsys.web.server import raise_file_limit  # noqa: E402
from tests.running_system import System  # noqa: E402

PASSWORD = "correct horse battery"
MODELS = 8
SLOW, USUAL = (1e5, 3e5), (2e6, 1e7)
"""Bytes a second of a telephone at the edge of the campus, and of the others."""
HIGHEST_SLOW_BYTES = 2_000_000


@dataclass(frozen=True)
class Plan:
    """How much of everything. `seconds`: within which all students begin."""

    students: int = 200
    seconds: float = 60.0
    idle: int = 500
    hostile: int = 20
    staff: int = 2
    processes: int = 4
    model_bytes: tuple[int, int] = (1_000_000, 20_000_000)


@dataclass
class Outcome:
    students: list[Student]
    events: list[Event]
    lost: list[str] = field(default_factory=list)
    """Jobs that were acknowledged and are not there, or not as they were sent."""
    doubled: list[str] = field(default_factory=list)
    memory_mb: dict[str, list[float]] = field(default_factory=dict)
    """Of each process: before, the most meanwhile, after."""
    processor_s: dict[str, float] = field(default_factory=dict)
    """Of each process, and of those that it started and that have ended."""

    @property
    def errors(self) -> list[str]:
        return [event.note for event in self.events if event.kind == "error"]

    @property
    def acknowledged(self) -> list[Student]:
        return [student for student in self.students if student.job_id is not None]


def run_burst(system: System, plan: Plan, folder: Path) -> Outcome:
    """`system` serves already. `folder`: for the models."""
    raise_file_limit(2 * plan.idle + 500)
    students = plan_students(plan, make_models(plan, folder))
    memory = MemoryWatch(system)
    processor_before = processor_seconds(system)
    others = [
        IdleConnections(system.port, plan.idle),
        *(Staff(system.port, PASSWORD, number) for number in range(plan.staff)),
        Slicer(system.storage),
    ]
    hostile = [hostile_model(number) for number in range(plan.hostile)]
    for thread in (memory, *others):
        thread.start()
    start = time.monotonic() + 2
    timers = [
        threading.Timer(2 + plan.seconds * number / plan.hostile, send_hostile_check, (system.port, model))
        for number, model in enumerate(hostile)
    ]
    for timer in timers:
        timer.start()
    parts = [students[number :: plan.processes] for number in range(plan.processes)]
    with ProcessPoolExecutor(plan.processes, mp_context=get_context("spawn")) as pool:
        done = [*pool.map(visit_all, repeat(system.port), repeat(start), parts)]
    for thread in (*others, *timers):
        thread.stop() if hasattr(thread, "stop") else thread.join()
    students = [student for part in done for student in part]
    events = [event for who in (*students, *others) for event in getattr(who, "events", ())]
    outcome = Outcome(students, events)
    compare_with_storage(outcome, system.storage)
    outcome.memory_mb = memory.stop()
    outcome.processor_s = {
        name: seconds - processor_before.get(name, 0.0) for name, seconds in processor_seconds(system).items()
    }
    return outcome


def make_models(plan: Plan, folder: Path) -> list[Path]:
    """Balls between the two sizes: 50 bytes a triangle."""
    low, high = plan.model_bytes
    paths = []
    for number in range(MODELS):
        size = low * (high / low) ** (number / (MODELS - 1))
        rings = max(4, int((0.95 * size / 50 / 8) ** 0.5))
        paths.append(folder / f"model{number}.stl")
        trimesh.creation.uv_sphere(radius=20.0, count=[rings, 2 * rings]).export(paths[-1])
    return paths


def plan_students(plan: Plan, models: Sequence[Path]) -> list[Student]:
    chance = random.Random(13)
    small = [path for path in models if path.stat().st_size < HIGHEST_SLOW_BYTES] or models[:1]
    students = []
    for number in range(plan.students):
        is_slow, breaks_off = number % 10 == 3, number % 10 == 7
        students.append(
            Student(
                number,
                begins_at=chance.uniform(0, plan.seconds),
                model=chance.choice(small if is_slow else models),
                rate=chance.uniform(*(SLOW if is_slow else USUAL)),
                breaks_off=breaks_off,
            )
        )
    return students


def visit_all(port: int, start: float, students: list[Student]) -> list[Student]:
    threads = [threading.Thread(target=student.visit, args=(port, start)) for student in students]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return students


def compare_with_storage(outcome: Outcome, storage: Path) -> None:
    jobs: dict[str, dict[str, str]] = defaultdict(dict)
    for path in storage.glob("*/*/metadata.json"):
        job = json.loads(path.read_bytes())
        original = next(file["name"] for file in job["files"] if file["role"] == "original")
        digest = hashlib.sha256((path.parent / original).read_bytes()).hexdigest()
        jobs[job["student"]["email"]][job["id"]] = digest
    for student in outcome.acknowledged:
        if jobs[student.email].get(student.job_id or "") != student.sha256:
            outcome.lost.append(student.email)
    outcome.doubled += [email for email, stored in jobs.items() if len(stored) > 1]


class MemoryWatch(threading.Thread):
    """What each process of the system keeps for itself, looked at each second."""

    def __init__(self, system: System) -> None:
        super().__init__(daemon=True)
        self._system = system
        self._stopped = threading.Event()
        self.figures: dict[str, list[float]] = {}

    def stop(self) -> dict[str, list[float]]:
        self._stopped.set()
        self.join()
        return self.figures

    def run(self) -> None:
        while True:
            is_last = self._stopped.wait(1.0)
            for name, process in self._system.parts().items():
                with suppress(psutil.Error):
                    used = process.memory_full_info().uss / 1e6
                    before, most, _ = self.figures.get(name, [used] * 3)
                    self.figures[name] = [before, max(most, used), used]
            if is_last:
                return


def processor_seconds(system: System) -> dict[str, float]:
    processes = {**system.parts(), "this program": psutil.Process()}
    seconds = {}
    for name, process in processes.items():
        times = process.cpu_times()
        seconds[name] = times.user + times.system
        seconds[f"{name}'s"] = times.children_user + times.children_system
    sessions = [process.cpu_times() for process in system.server().children()]
    return seconds | {"PostgreSQL": sum(times.user + times.system for times in sessions)}


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def report(outcome: Outcome) -> Iterable[str]:
    yield f"{'':34}{'count':>7}{'p50':>9}{'p95':>9}{'max':>9}"
    names = {
        "page": "student's page",
        "asset": "what belongs to a page",
        "check": "check, beyond its transfer",
        "submission": "submission, beyond its transfer",
        "staff": "staff's click",
    }
    for kind, name in names.items():
        seconds = [event.seconds for event in outcome.events if event.kind == kind] or [0.0]
        figures = statistics.median(seconds), percentile(seconds, 0.95), max(seconds)
        yield f"{name:34}{len(seconds):7}" + "".join(f"{figure:7.2f} s" for figure in figures)
    yield f"errors {len(outcome.errors)}, lost {len(outcome.lost)}, doubled {len(outcome.doubled)}; " \
          f"{len(outcome.acknowledged)} of {len(outcome.students)} submissions acknowledged"  # fmt: skip
    memory = (
        f"{name} {before:.0f}, {most:.0f}, {after:.0f}" for name, (before, most, after) in outcome.memory_mb.items()
    )
    yield "memory in MB before, at most, after: " + "; ".join(memory)
    yield "processor seconds: " + "; ".join(f"{name} {used:.0f}" for name, used in outcome.processor_s.items())
    for error in outcome.errors[:10]:
        yield f"  {error[:200]}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("students", nargs="?", type=int, default=200)
    parser.add_argument("--code", type=Path, default=ROOT)
    parser.add_argument("--friendly", action="store_true", help="no idle connections, and no hostile checks")
    arguments = parser.parse_args()
    share = arguments.students / 200
    unfriendly = 0 if arguments.friendly else share
    plan = Plan(arguments.students, max(5.0, 60 * share), int(500 * unfriendly), int(20 * unfriendly))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="burst-")))
        folder.chmod(0o755)  # PostgreSQL is another user's where this is root's
        system = System(folder / "system", code=arguments.code, STAFF_PASSWORD=PASSWORD, SUBMIT_LIMIT="0")
        system.root.mkdir()
        stack.callback(system.end)
        system.start()
        load = os.getloadavg() if hasattr(os, "getloadavg") else ()
        print(f"{plan.students} students on {os.cpu_count()} processors; load before: {load[:1]}", flush=True)
        outcome = run_burst(system, plan, folder)
    print("\n".join(report(outcome)))
    return 1 if outcome.errors or outcome.lost or outcome.doubled else 0


if __name__ == "__main__":
    sys.exit(main())
