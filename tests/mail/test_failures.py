"""A job whose files crash the worker keeps no other waiting, and staff learn of it."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path

import psutil

from printsys.backoff import BackOff
from printsys.config import Settings
from printsys.ops import heartbeat
from printsys.services import Services
from printsys.worker.failures import MOST_DEATHS, FailureTracker
from printsys.worker.queue import make_enqueue
from printsys.worker.tasks import Worker
from tests.mail.conftest import mail_events, submit
from tests.mail.smtp_server import MailInbox
from tests.mail.test_worker import wait_until, working
from tests.waiting import until

PATIENCE_S = 240  # four processes start, each reading a model in one more
KILLED = -signal.SIGKILL if os.name == "posix" else signal.SIGTERM
"""The exit code of a process that was ended from outside: Windows has no signals, psutil names a code of its own."""


def work_and_die_over(settings: Settings, poison: str) -> None:
    """A worker process that one job's files kill, as the kernel does when memory is short."""
    worker = Worker(settings)
    real_attend = worker.file_inspector.attend

    def attend(job_id: str) -> None:
        if job_id == poison:
            psutil.Process().kill()
        real_attend(job_id)

    worker.file_inspector.attend = attend  # type: ignore[method-assign]
    worker.run()


def test_a_job_that_kills_the_worker_again_and_again_is_left_alone(
    settings: Settings, services: Services, inbox: MailInbox
) -> None:
    poison = submit(services).id
    spawn = multiprocessing.get_context("spawn")
    for _ in range(MOST_DEATHS):
        process = spawn.Process(target=work_and_die_over, args=(settings, poison))
        process.start()
        process.join(PATIENCE_S)
        assert process.exitcode == KILLED
        (settings.instance / "queue.db").unlink(missing_ok=True)
    healthy = submit(services).id
    process = spawn.Process(target=work_and_die_over, args=(settings, poison))
    process.start()
    try:
        until(lambda: "ModelInspected" in [event.type for event in services.store.load(healthy).events], PATIENCE_S)
        assert "EmailSent received" in mail_events(services, healthy) and "EmailSent received" in mail_events(
            services, poison
        )
        until(
            lambda: (beat := heartbeat.read(settings)) is not None and beat.file_problem(poison) is not None, PATIENCE_S
        )
        assert process.is_alive()
    finally:
        process.kill()
        process.join()
    # A person who mended the cause asks for it: the worker inspects the files, and all is well.
    with working(settings) as worker:
        make_enqueue(settings)(poison)
        wait_until(lambda: "ModelInspected" in [event.type for event in services.store.load(poison).events])
        wait_until(lambda: worker.failures.given_up() == ())


def test_an_error_nobody_foresaw_is_tried_later_each_time_and_then_reported(
    settings: Settings, services: Services, inbox: MailInbox
) -> None:
    poison, healthy = submit(services).id, submit(services).id
    worker = Worker(settings)
    worker.failures = FailureTracker(settings.instance / "looking", BackOff((0, 0, 3600)))
    real_attend, tries = worker.file_inspector.attend, []

    def attend(job_id: str) -> None:
        if job_id == poison:
            tries.append(job_id)
            raise RecursionError("too deep")
        real_attend(job_id)

    worker.file_inspector.attend = attend  # type: ignore[method-assign]
    for expected in (1, 2, 3, 3):
        worker.sweep()
        run_all(worker)
        assert len(tries) == expected
    assert not worker.failures.waits(healthy)
    (problem,) = worker.failures.given_up()
    assert (problem.job_id, problem.words) == (poison, "RecursionError: too deep")
    assert worker.heartbeat().sidelined == (problem,)


def run_all(worker: Worker) -> None:
    """What waits in the queue, one after the other, in this thread."""
    while task := worker.huey.dequeue():
        worker.huey.execute(task)


def test_a_mark_that_is_no_number_counts_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "abc").write_text("ruined", "utf-8")
    assert not FailureTracker(tmp_path).waits("abc")
