"""Background work as thin huey tasks. The queue is only told to look at a job; what there is to do is in its log.

A look that is lost costs time, never work: at start and every minute a sweep looks at all jobs that owe something.
"""

from __future__ import annotations

import logging
import math
import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime

from huey import Huey, crontab
from huey.api import Task, TaskWrapper
from huey.consumer import Consumer
from huey.signals import SIGNAL_ERROR

from printsys.actions.reminders import send_reminders
from printsys.config import Settings
from printsys.errors import PrintSysError
from printsys.mail.sender import MailSender
from printsys.ops.heartbeat import Heartbeat, beat
from printsys.ops.shutdown import on_end
from printsys.services import build_services
from printsys.worker.failures import FailureTracker
from printsys.worker.file_inspector import FileInspector
from printsys.worker.queue import QUEUE_DOWN, make_huey, queue_length, tell_outages_once

THREADS = 2
POLL_S = 0.5
STOP_PATIENCE_S = 3.0
"""Under the supervisor's own. A mail that takes longer is cut off; it is still owed."""
Look = Callable[[str], None]
logger = logging.getLogger(__name__)


def make_enqueue(settings: Settings) -> Look:
    """`look(job_id)` for processes that only hand work over. Never raises for a queue that is down."""
    return _patient(_look_task(make_huey(settings), _happens_in_the_worker))


def _happens_in_the_worker(job_id: str, swept: bool) -> float | None:
    raise AssertionError("only the worker runs tasks")


def _patient(task: TaskWrapper, **more: bool) -> Look:
    def look(job_id: str) -> None:
        _enqueue(task, job_id, **more)

    return look


def _enqueue(task: TaskWrapper, job_id: str, delay_s: int = 0, **more: bool) -> None:
    try:
        task.schedule((job_id,), more, delay=delay_s) if delay_s else task(job_id, **more)
    except QUEUE_DOWN as error:
        logger.warning("job %s: the queue is down (%s); a sweep finds what the job owes", job_id, error)


def _look_task(huey: Huey, attend: Callable[[str, bool], float | None]) -> TaskWrapper:
    """`attend(job_id, swept)` does what the job owes and says after how many seconds to look again, if at all. `swept`:
    nobody asked for it, and nothing is new."""

    def look_at(job_id: str, swept: bool = False) -> None:
        try:
            again_s = attend(job_id, swept)
        except PrintSysError as error:
            logger.warning("job %s: what it owes waits for the next sweep: %s", job_id, error)
            return
        if again_s is not None:
            # huey's schedule knows whole seconds; looking too early would be looking in vain
            _enqueue(task, job_id, math.ceil(again_s) + 1, swept=True)

    task = huey.task(name="look_at")(look_at)
    return task


def _looking_task(huey: Huey, attend: Callable[[str], None]) -> TaskWrapper:
    """Looks into a job's files: apart from its e-mails, which must not wait behind other jobs' models."""

    def look_into(job_id: str) -> None:
        try:
            attend(job_id)
        except PrintSysError as error:
            logger.warning("job %s: its files wait for the next sweep: %s", job_id, error)

    return huey.task(name="look_into")(look_into)


def _sweep_task(huey: Huey, sweep: Callable[[], None]) -> TaskWrapper:
    """Every minute, first when the consumer starts, and when the queue is back after it was down."""

    def sweep_owed() -> None:
        try:
            sweep()
        except PrintSysError as error:
            logger.warning("the sweep for owed work goes on in a minute: %s", error)

    return huey.periodic_task(crontab(), name="sweep_owed")(sweep_owed)


def _rounds_task(huey: Huey, rounds: Callable[[], None]) -> TaskWrapper:
    """Every five minutes what is due by the calendar: once is enough, however many computers do it."""

    def rounds_made() -> None:
        try:
            rounds()
        except PrintSysError as error:
            logger.warning("what is due is looked for again in five minutes: %s", error)

    return huey.periodic_task(crontab(minute="*/5"), name="rounds")(rounds_made)


class QuietConsumer(Consumer):  # type: ignore[misc]
    """Ends when told by `stop_flag`; huey's own SIGTERM would interrupt a mail that is being sent."""

    def _set_signal_handlers(self) -> None:
        return


class Worker:
    """A worker process's parts. Each sweep puts a look at every owing job into the queue, so that one job whose task
    breaks keeps no other waiting; what breaks again and again is put aside (`sideline`)."""

    def __init__(self, settings: Settings) -> None:
        self.huey = make_huey(settings)
        task = _look_task(self.huey, self.attend)
        self.look = _patient(task)
        self.look_by_itself = _patient(task, swept=True)
        self.look_into = _patient(_looking_task(self.huey, self.look_into_files))
        self.huey.signal(SIGNAL_ERROR)(self._broke)
        self.services = build_services(settings, self.look_by_itself)  # what the worker records is no news of files
        self.consumer = QuietConsumer(self.huey, workers=THREADS, max_delay=POLL_S, shutdown_timeout=STOP_PATIENCE_S)
        self.postman = MailSender(self.services, self.consumer.stop_flag)
        self.workshop = FileInspector(self.services)
        self.sideline = FailureTracker(settings.instance / "looking")
        self._sweep_soon = _sweep_task(self.huey, self.sweep)
        self._queue_is_down = False
        _rounds_task(self.huey, lambda: send_reminders(self.services.actions, self.consumer.stop_flag))

    def attend(self, job_id: str, swept: bool = False) -> float | None:
        """The e-mails that a job owes: they are quick and awaited. Its files are a task of their own, behind others."""
        again_s = self.postman.attend(job_id)
        if not swept and self.workshop.owes(job_id):
            self.look_into(job_id)
        return again_s

    def look_into_files(self, job_id: str) -> None:
        with self.sideline.at_work(job_id):
            self.workshop.attend(job_id)
        self.sideline.settled(job_id)

    def sweep(self) -> None:
        for job_id in self.postman.owing():
            self.look_by_itself(job_id)
        for job_id in self.workshop.owing():
            if not self.sideline.waits(job_id):
                self.look_into(job_id)

    def _broke(self, _signal: str, task: Task, error: BaseException) -> None:
        """huey has logged the error with its traceback."""
        if task.name == "look_into":
            self.sideline.failed(str(task.args[0]), error)

    def run(self) -> None:
        """Until `stop` is called, then at most `STOP_PATIENCE_S` for what is under way."""
        stop = self.consumer.stop_flag
        tell_outages_once()
        heart = threading.Thread(
            target=beat, args=(self.services.settings, stop, self.pulse), name="heart", daemon=True
        )
        heart.start()
        self.consumer.run()
        self.consumer.stop(graceful=True)
        heart.join(STOP_PATIENCE_S)

    def pulse(self) -> Heartbeat:
        """The sign of life."""
        postman, now = self.postman, datetime.now(UTC)
        waiting = self._queue_length()
        return Heartbeat(
            now, os.getpid(), waiting, postman.error, postman.sent_at, postman.trying, self.sideline.sidelined()
        )

    def _queue_length(self) -> int | None:
        """None while the queue is down. One that is back may be empty, so that all that is owed goes into it anew."""
        try:
            waiting = queue_length(self.huey)
            if self._queue_is_down:
                self._sweep_soon()
        except QUEUE_DOWN as error:
            if not self._queue_is_down:
                logger.error("the task queue is down: %s. What is owed waits until it is back; none is lost.", error)
            self._queue_is_down = True
            return None
        if self._queue_is_down:
            logger.info("the task queue is back")
        self._queue_is_down = False
        return waiting

    def stop(self) -> None:
        self.consumer.stop_flag.set()


def run_worker(settings: Settings) -> None:
    """The `work` process: until its supervisor, Ctrl-C or SIGTERM ends it."""
    worker = Worker(settings)
    on_end(worker.stop)
    logger.info("the worker is ready")
    worker.run()
