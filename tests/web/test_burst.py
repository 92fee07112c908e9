"""The evening before a deadline, in small: bench/burst.py has it in full, and how long things take there."""

from __future__ import annotations

from pathlib import Path

from bench.burst import PASSWORD, Plan, run_burst
from tests.running_system import system_of_its_own

SMALL = Plan(students=10, seconds=4, idle=50, hostile=2, processes=2, model_bytes=(20_000, 200_000))


def test_a_crowd_of_students_meets_no_error_and_every_job_is_there_once(tmp_path: Path) -> None:
    """With slow and interrupted senders, idle and hostile ones, staff who click, and a slicer that saves."""
    # FAULTS S5
    with system_of_its_own(STAFF_PASSWORD=PASSWORD, SUBMIT_LIMIT="0") as system:
        system.start()
        outcome = run_burst(system, SMALL, tmp_path)
    assert outcome.errors == []
    assert len(outcome.acknowledged) == SMALL.students
    assert (outcome.lost, outcome.doubled) == ([], [])
    assert any(event.kind == "staff" for event in outcome.events)
