"""Nothing that hands do in the folders goes unseen, beside a web, an indexer and a worker that run."""

from __future__ import annotations

import os
import random
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.factories import make_job, make_store
from tests.openness.reader import verify
from tests.soak.hands import HandledJob, Hands
from tests.soak.lab import Lab, running_lab
from tests.soak.oracle import Oracle

JOBS = 10
BURST = 12
"""The most operations between two moments of quiet."""
PATIENCE_S = 60.0
"""A loaded machine is no failure: the summary tells how many took longer than a person is promised."""
PROMISED_S = {"native": 5.0, "polling": 10.0, "deaf": 15.0}
SWEEP_EVERY = {"native": "3600", "polling": "3600", "deaf": "5"}
"""Only where events are lost may a sweep help."""
EXPECTED_AT_THE_END = {
    "duplicate",
    "job-missing",
    "original-altered",
    "print-file-missing",
    "odd-file",
    "record-conflict",
}


@dataclass
class Tally:
    """`seconds` from each job's last operation until the record said so; `missed`: which never did."""

    seconds: list[float] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)

    def summary(self, mode: str, seed: int, operations: int) -> str:
        in_order = sorted(self.seconds)
        median, last = (in_order[len(in_order) // 2], in_order[-1]) if in_order else (0.0, 0.0)
        late = sum(seconds > PROMISED_S[mode] for seconds in in_order)
        return (
            f"\nsoak, {mode}, seed {seed}: {operations} operations, {len(self.missed)} missed; "
            f"seconds from quiet to record: median {median:.1f}, most {last:.1f}, {late} over {PROMISED_S[mode]:.0f}"
        )


def wait_for_the_record(oracle: Oracle, jobs: list[HandledJob], tally: Tally) -> None:
    """Until the record says of every job what the disk says."""
    waiting = {job.id: job for job in jobs}
    differences: dict[str, str] = {}
    deadline = time.monotonic() + PATIENCE_S
    while waiting and time.monotonic() < deadline:
        time.sleep(0.1)
        differences = oracle.differences(list(waiting.values()))
        settled_at = time.monotonic()
        for job_id in waiting.keys() - differences.keys():
            job = waiting.pop(job_id)
            job.has_moved = False
            tally.seconds.append(settled_at - job.touched_at)
            print(f"{tally.seconds[-1]:.1f} s: {job_id} after {job.operations[-4:]}")
    tally.missed += [f"{job_id} ({job.operations[-6:]}): {differences[job_id]}" for job_id, job in waiting.items()]


def soak(hands: Hands, lab: Lab, oracle: Oracle, operations: int) -> Tally:
    wait_for_the_record(oracle, list(hands.jobs.values()), Tally())  # the processes start
    tally = Tally()
    while hands.count < operations and not tally.missed:
        if hands.chance.random() < 0.2:  # a web process writes a new job, and the worker soon after
            job_id = lab.submit(f"Student {hands.count}")
            (folder,) = (hands.root / "Uploaded").glob(f"*_{job_id}")
            hands.take(job_id, folder)
        touched: dict[str, HandledJob] = {}
        for _ in range(min(hands.chance.randint(1, BURST), operations - hands.count)):
            touched |= {job.id: job for job in hands.operate()}
            time.sleep(hands.chance.choice([0.0, 0.0, 0.05, 0.3]))
        wait_for_the_record(oracle, list(touched.values()), tally)
    return tally


MODES = [
    pytest.param("native", 40, id="native"),
    pytest.param("deaf", 20, id="events lost"),
    pytest.param("native", 1000, id="native, long", marks=pytest.mark.proof),
    pytest.param("polling", 500, id="polling, long", marks=pytest.mark.proof),
    pytest.param("deaf", 500, id="events lost, long", marks=pytest.mark.proof),
]


@pytest.mark.skipif(os.name == "nt", reason="tests/windows has what Windows does otherwise")
@pytest.mark.parametrize(("mode", "operations"), MODES)
def test_the_record_says_what_the_disk_says_whatever_hands_do(
    mode: str, operations: int, tmp_path: Path, database_url: str, engine: sa.Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = int(os.environ.get("SOAK_SEED", "1"))
    store = make_store(tmp_path, clock=lambda: datetime.now(UTC))
    hands = Hands(store.layout.root, tmp_path / "outside", random.Random(seed))
    for number in range(JOBS):
        job = make_job(store, f"Jane {number}")
        hands.take(job.id, job.folder)
    watch_mode = "polling" if mode == "polling" else "native"
    deaf = f"0.5 {seed}" if mode == "deaf" else ""
    with running_lab(tmp_path, database_url, watch_mode, "--sweep-every", SWEEP_EVERY[mode], deaf=deaf) as lab:
        tally = soak(hands, lab, Oracle(store.layout.root, engine), operations)
        is_up = lab.is_up()
    print(lab.logs())
    with capsys.disabled():
        print(tally.summary(mode, seed, hands.count))
    assert tally.missed == [] and is_up, f"seed {seed}"
    copies = {copy.relative_to(store.layout.root).as_posix() for job in hands.jobs.values() for copy in job.copies}
    findings = [finding for finding in verify(store.layout.root).report["findings"] if finding["path"] not in copies]
    assert [finding for finding in findings if finding["kind"] not in EXPECTED_AT_THE_END] == []
