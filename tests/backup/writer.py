"""A lab at work, for the tests of backups: makes, moves, changes and deletes jobs until it is killed. It prints
the id of each job that it has made on a line, so that a test knows which jobs there were when."""

from __future__ import annotations

import random
import sys
from pathlib import Path

from printsys.domain.status import Status
from printsys.errors import JobBusy, JobNotFound
from printsys.jobstore import JobStore
from tests.factories import WAY_TO, act, make_job, make_store

LONGEST = WAY_TO[Status.ARCHIVED]


def work(folder: Path, seed: int) -> None:
    chance = random.Random(seed)
    store = make_store(folder)
    steps: dict[str, int] = {}
    while True:
        if not steps or chance.random() < 0.3:
            stored = make_job(store, files=[("part.stl", chance.randbytes(chance.choice([100, 300_000])))])
            steps[stored.id] = 0
            print(stored.id, flush=True)
            continue
        job_id = chance.choice(list(steps))
        try:
            _change(store, job_id, steps, chance)
        except (JobBusy, JobNotFound):
            continue


def _change(store: JobStore, job_id: str, steps: dict[str, int], chance: random.Random) -> None:
    draw = chance.random()
    if draw < 0.1:
        act(store, job_id, "notes", notes=f"Call {chance.random()}.")
    elif draw < 0.15 and len(steps) > 10 and steps[job_id] == len(LONGEST):
        act(store, job_id, "delete")
        del steps[job_id]
    elif 1 < steps[job_id] < 5 and draw < 0.3:
        act(store, job_id, "revert")  # against the direction in which most jobs move
        steps[job_id] -= 1
    elif steps[job_id] < len(LONGEST):
        act(store, job_id, LONGEST[steps[job_id]])
        steps[job_id] += 1


if __name__ == "__main__":
    work(Path(sys.argv[1]), int(sys.argv[2]))
