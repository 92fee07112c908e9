"""The background process: thin huey tasks. The queue only says at which job to look; what there is to do is in its log.

A task that is lost costs time, never work: at start, every minute and after each sweep of the indexer, a sweep enqueues
all jobs that owe something.
"""

from __future__ import annotations

import logging
import math
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import filterfalse

from huey import crontab
from huey.api import Task
from huey.consumer import Consumer
from huey.signals import SIGNAL_ERROR

from printsys.actions.reminders import send_reminders
from printsys.backup.schedule import BackupSchedule
from printsys.config import Settings
from printsys.errors import MirrorDown, PrintSysError
from printsys.jobstore.pruned import finish_all
from printsys.mail.digest import DigestSender
from printsys.mail.sender import MailSender
from printsys.ops.heartbeat import BEAT_S, Heartbeat, keep_writing
from printsys.ops.shutdown import on_shutdown
from printsys.services import build_services
from printsys.worker.failures import FailureTracker
from printsys.worker.file_inspector import FileInspector
from printsys.worker.inspection_slots import InspectionSlots
from printsys.worker.job_cards import JobCards
from printsys.worker.queue import LOOK_AT, QUEUE_DOWN, enqueue, make_huey, queue_length, register, tell_outages_once

INSPECT_FILES = "inspect_files"
INSPECT_AGAIN = "inspect_again"
MOST_AGAIN = 25
"""So many jobs of an earlier version every five minutes, one after the other: the other slot is free for new ones."""
MOST_INSPECTIONS = 2
"""At once: each is a process of its own, with much memory."""
THREADS = MOST_INSPECTIONS + 1
"""One is never busy with a model: e-mails do not wait."""
POLL_S = 0.5
STOP_PATIENCE_S = 3.0
"""Under the supervisor's own. A mail that takes longer is cut off; it is still owed."""
BACKUP_PATIENCE_S = 1.0
"""For a backup to note that it was interrupted. One that cannot is cut off, and whoever reads its record sees that."""
logger = logging.getLogger(__name__)


@contextmanager
def retry_later(task: str) -> Iterator[None]:
    """For what a later sweep tries again by itself: an error that the code expects is logged in a line."""
    try:
        yield
    except PrintSysError as error:
        logger.warning("%s is tried again later: %s", task, error)


class QuietConsumer(Consumer):  # type: ignore[misc]
    """Ends by `stop_flag`; huey's own SIGTERM would interrupt a mail that is being sent."""

    def _set_signal_handlers(self) -> None:
        return


class Worker:
    """A worker process's parts. The sweep enqueues each job by itself, so that one job whose task crashes keeps no
    other waiting; `failures` names the jobs that crash again and again, which it leaves out."""

    def __init__(self, settings: Settings) -> None:
        self.huey = make_huey(settings)
        self._look_at = register(self.huey, LOOK_AT, self.look_at)
        self._inspect_files = register(self.huey, INSPECT_FILES, self.inspect_files)
        self._sweep = self.huey.periodic_task(crontab(), name="sweep")(self.sweep)
        self.huey.periodic_task(crontab(minute="*/5"), name="send_reminders")(self.send_reminders)
        self.huey.periodic_task(crontab(minute="*/5"), name="send_digest")(self.send_digest)
        self._inspect_again = self.huey.periodic_task(crontab(minute="*/5"), name=INSPECT_AGAIN)(self.inspect_again)
        self.huey.signal(SIGNAL_ERROR)(self._task_crashed)
        self.consumer = QuietConsumer(self.huey, workers=THREADS, max_delay=POLL_S, shutdown_timeout=STOP_PATIENCE_S)
        # What the worker itself records brings no new files: only the job's e-mails are looked at.
        self.services = build_services(settings, lambda job_id: enqueue(self._look_at, job_id, mail_only=True))
        self.mail_sender = MailSender(self.services, self.consumer.stop_flag)
        self.digest_sender = DigestSender(self.services, self.mail_sender.composer)
        self.file_inspector = FileInspector(self.services)
        self.job_cards = JobCards(self.services)
        self.backups = BackupSchedule(settings, self.services.lab, self.services.store, self.consumer.stop_flag)
        self.failures = FailureTracker(settings.instance / "looking")
        self._queue_is_down = False
        self._indexer_swept_at: datetime | None = None
        self._slots = InspectionSlots(MOST_INSPECTIONS)
        self._is_inspecting_again = threading.Lock()
        self._again_at = ""

    # -- tasks --------------------------------------------------------------------------------------------------

    def look_at(self, job_id: str, mail_only: bool = False) -> None:
        """Write the job's card and send the e-mails that it owes: people wait for them. Its files are a task of their
        own, behind others."""
        with retry_later(f"the card of job {job_id}"):
            self.job_cards.attend(job_id)
        with retry_later(f"the e-mail of job {job_id}"):
            pause_s = self.mail_sender.attend(job_id)
            if not mail_only and self.file_inspector.owes(job_id):
                enqueue(self._inspect_files, job_id)
            if pause_s is not None:  # huey's schedule knows whole seconds; looking too early would be in vain
                enqueue(self._look_at, job_id, math.ceil(pause_s) + 1, mail_only=True)

    def inspect_files(self, job_id: str) -> None:
        """At once or, while others are inspected, queued again as soon as one of them is done."""
        if not self._slots.take(job_id):
            return
        try:
            with retry_later(f"the inspection of job {job_id}"):
                with self.failures.at_work(job_id):
                    self.file_inspector.attend(job_id)
                self.failures.settled(job_id)
        finally:
            self._give_slot_back()

    def _give_slot_back(self) -> None:
        job_id = self._slots.give_back()
        if job_id is not None:
            enqueue(self._inspect_files, job_id)

    def inspect_again(self) -> None:
        """Every five minutes: some of the jobs whose models an earlier version of the system inspected, in turn. What
        is new goes first."""
        if not self._is_inspecting_again.acquire(blocking=False):
            return
        try:
            if self._slots.take():
                self._inspect_some_again()
        finally:
            self._is_inspecting_again.release()

    def _inspect_some_again(self) -> None:
        try:
            with retry_later("the inspection of what an earlier version inspected"):
                for job_id in self._next_to_inspect_again():
                    if self.consumer.stop_flag.is_set():
                        return
                    self._again_at = job_id
                    with retry_later(f"the inspection of job {job_id}"), self.failures.at_work(job_id):
                        self.file_inspector.inspect_again(job_id)
        finally:
            self._give_slot_back()

    def _next_to_inspect_again(self) -> list[str]:
        """From where the last turn ended: a job whose file is gone keeps no other waiting."""
        job_ids = sorted(filterfalse(self.failures.waits, self.file_inspector.inspected_earlier()))
        onward = [job_id for job_id in job_ids if job_id > self._again_at]
        return (onward or job_ids)[:MOST_AGAIN]

    def sweep(self) -> None:
        """Every minute, first when the consumer starts, when the queue is back after it was down, and when the indexer
        has compared the folders with the mirror: only then it names all jobs whose files nobody has inspected."""
        with retry_later("the sweep for owed work"):
            for job_id in self.mail_sender.owing():
                enqueue(self._look_at, job_id, mail_only=True)
            for job_id in self.file_inspector.owing():
                if not self.failures.waits(job_id):
                    enqueue(self._inspect_files, job_id)
            for job_id in self.job_cards.owing():
                enqueue(self._look_at, job_id, mail_only=True)

    def send_reminders(self) -> None:
        """Every five minutes what is due by the calendar: once is enough, however many computers do it."""
        with retry_later("what is due by the calendar"):
            send_reminders(self.services.actions, self.consumer.stop_flag)
            finish_all(self.services.store)

    def send_digest(self) -> None:
        """Every five minutes: the lab's morning e-mail, where it is due and has not gone out."""
        with retry_later("the morning e-mail"):
            self.digest_sender.send_if_due()

    def _task_crashed(self, _signal: str, task: Task, error: BaseException) -> None:
        """huey has logged the error with its traceback."""
        if task.name == INSPECT_FILES:
            self.failures.failed(str(task.args[0]), error)
        elif task.name == INSPECT_AGAIN and self._again_at:
            self.failures.failed(self._again_at, error)

    # -- the process --------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Until `stop` is called, then at most `STOP_PATIENCE_S` for what is under way."""
        tell_outages_once()
        settings, stop = self.services.settings, self.consumer.stop_flag
        heartbeats = threading.Thread(
            target=keep_writing, args=(settings, stop, self.heartbeat), name="heartbeat", daemon=True
        )
        heartbeats.start()
        # No task of the queue: a backup may take hours, and must be made while the queue is down, too.
        backups = threading.Thread(target=self.backups.keep, name="backups", daemon=True)
        backups.start()
        # Nor may a database that hangs keep the sign of life waiting.
        following = threading.Thread(target=self._follow_the_indexer, name="following the indexer", daemon=True)
        following.start()
        self.consumer.run()
        self.consumer.stop(graceful=True)
        heartbeats.join(STOP_PATIENCE_S)
        backups.join(BACKUP_PATIENCE_S)

    def stop(self) -> None:
        self.consumer.stop_flag.set()

    def heartbeat(self) -> Heartbeat:
        """The sign of life, as it is now."""
        return Heartbeat(
            at=datetime.now(UTC),
            pid=os.getpid(),
            queue=self._queue_length(),
            error=self.mail_sender.error or self.digest_sender.error,
            sent_at=self.mail_sender.sent_at,
            trying=self.mail_sender.trying,
            sidelined=self.failures.given_up(),
        )

    def _queue_length(self) -> int | None:
        """None while the queue is down. One that is back may be empty: a sweep fills it again with all that is owed."""
        try:
            length = queue_length(self.huey) + self._slots.waiting
            if self._queue_is_down:
                self._sweep()
        except QUEUE_DOWN as error:
            if not self._queue_is_down:
                logger.error("the task queue is down: %s. What is owed waits until it is back; none is lost.", error)
            self._queue_is_down = True
            return None
        if self._queue_is_down:
            logger.info("the task queue is back")
        self._queue_is_down = False
        return length

    def _follow_the_indexer(self) -> None:
        while not self.consumer.stop_flag.wait(BEAT_S):
            self.sweep_after_the_indexer()

    def sweep_after_the_indexer(self) -> None:
        """A sweep, where the indexer has made one since the last call."""
        with suppress(MirrorDown, *QUEUE_DOWN):  # the next call tries again
            swept_at = self.services.queries.synced_at()
            if swept_at != self._indexer_swept_at:
                self._sweep()
                self._indexer_swept_at = swept_at


def run_worker(settings: Settings) -> None:
    """The `work` process: until its supervisor, Ctrl-C or SIGTERM ends it."""
    worker = Worker(settings)
    on_shutdown(lambda _is_orphan: worker.stop())
    logger.info("the worker is ready")
    worker.run()
