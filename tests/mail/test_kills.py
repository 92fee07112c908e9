"""kill -9 at any instant: every mail that is owed arrives, and only the one window doubles any.

The window is between the server's 250 and the EmailSent event. The test knows at each kill which mails were in it, so
it can say exactly how often each must have arrived.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from printsys.config import Settings
from printsys.services import Services, build_services
from tests.mail.conftest import mail_events, submit
from tests.mail.smtp_server import MailInbox
from tests.mail.test_worker import start_work, wait_until, working

KILLS, KILLS_ON_WINDOWS, KILLS_OF_A_PROOF = 15, 6, 50
"""Windows takes seconds to start a process."""


class Killing:
    """Worker processes, each started after the last was killed, at another instant each time."""

    def __init__(self, settings: Settings, inbox: MailInbox) -> None:
        self.settings, self.inbox = settings, inbox
        self.services: Services = build_services(settings, enqueue=lambda job_id: None)
        self.jobs: list[str] = []
        self.doubled: Counter[str] = Counter()

    def run(self, number: int, chance: random.Random) -> None:
        """Owe two more mails, start a worker, kill it, delete the queue."""
        self.jobs += [submit(self.services).id for _ in range(2)]
        instant: Callable[[random.Random], None] = [self._under_way, self._accepted, self._any_time][number % 3]
        worker = start_work(self.settings)
        try:
            instant(chance)
        finally:
            worker.kill()
            worker.wait()
            self.inbox.gate.set()
        self.inbox.wait_for(lambda: self.inbox.closed == self.inbox.opened)
        self.doubled.update(self._in_the_window())
        (self.settings.instance / "queue.db").unlink(missing_ok=True)

    def _under_way(self, chance: random.Random) -> None:
        """A message is handed over, the server has not answered."""
        before = self.inbox.tried
        self.inbox.gate.clear()
        self.inbox.wait_for(lambda: self.inbox.tried > before)

    def _accepted(self, chance: random.Random) -> None:
        """The server has it; whether its answer or the event was still in time is chance."""
        before = len(self.inbox.messages)
        self.inbox.wait_for(lambda: len(self.inbox.messages) > before)

    def _any_time(self, chance: random.Random) -> None:
        opened = self.inbox.opened
        self.inbox.wait_for(lambda: self.inbox.opened > opened)
        pause = chance.uniform(0, 0.05)
        with self.inbox.news:
            self.inbox.news.wait_for(lambda: False, pause)

    def _in_the_window(self) -> set[str]:
        """Mails that the server took since the last kill and that are not recorded as sent."""
        arrived = Counter(str(message["Message-ID"]) for message in self.inbox.messages)
        return {
            message_id(job_id)
            for job_id in self.jobs
            if arrived[message_id(job_id)] > self.doubled[message_id(job_id)] and not self._is_recorded(job_id)
        }

    def _is_recorded(self, job_id: str) -> bool:
        return "EmailSent received" in mail_events(self.services, job_id)

    def finish(self) -> None:
        with working(self.settings):
            wait_until(lambda: all(self._is_recorded(job_id) for job_id in self.jobs))


def message_id(job_id: str) -> str:
    return f"<{job_id}.2.received@example.edu>"


def test_a_worker_killed_again_and_again_loses_no_mail(
    settings: Settings, inbox: MailInbox, request: pytest.FixtureRequest
) -> None:
    killing = Killing(settings, inbox)
    chance = random.Random(5)
    usual = KILLS if os.name == "posix" else KILLS_ON_WINDOWS
    for number in range(KILLS_OF_A_PROOF if request.config.getoption("--proof") else usual):
        killing.run(number, chance)
    killing.finish()
    arrived = Counter(str(message["Message-ID"]) for message in inbox.messages)
    assert arrived == Counter(map(message_id, killing.jobs)) + killing.doubled


def test_a_mail_sent_twice_is_recognised_by_its_message_id(
    settings: Settings, services: Services, inbox: MailInbox, tmp_path: Path
) -> None:
    """The window itself, made certain: the disk refuses the event after the server's 250, and the process dies."""
    job_id = submit(services).id
    folder = services.store.load(job_id).folder
    inbox.gate.clear()
    worker = start_work(settings)
    try:
        inbox.wait_for(lambda: inbox.tried == 1)
        (folder / "events.jsonl").replace(tmp_path / "events.jsonl")
        inbox.gate.set()
        inbox.wait_for_messages(1)
    finally:
        worker.kill()
        worker.wait()
    (tmp_path / "events.jsonl").replace(folder / "events.jsonl")
    with working(settings):
        wait_until(lambda: "EmailSent received" in mail_events(services, job_id))
    assert [message["Message-ID"] for message in inbox.messages] == [message_id(job_id)] * 2
