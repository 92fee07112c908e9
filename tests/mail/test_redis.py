"""The task queue in a Redis of its own, for several machines: it carries hints, and may be lost like the queue file."""

from __future__ import annotations

import logging
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from printsys.config import Settings, load_settings
from printsys.errors import ConfigError
from printsys.ops import heartbeat
from printsys.services import Services, build_services
from printsys.worker.queue import make_enqueue
from printsys.worker.tasks import THREADS, Worker
from tests.mail.conftest import submit
from tests.mail.smtp_server import MailInbox
from tests.mail.test_worker import is_settled, start_work, working
from tests.waiting import until


class Redis:
    """A real server on a socket of its own that writes nothing to disk: killed, it starts empty."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.socket = folder, folder / "redis.sock"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = shutil.which("redis-server")
        assert program is not None
        self.process = subprocess.Popen(
            [program, "--port", "0", "--unixsocket", str(self.socket), "--save", "", "--dir", str(self.folder)],
            stdout=subprocess.DEVNULL,
        )
        until(self.socket.exists)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self.socket.unlink(missing_ok=True)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    server = Redis(tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def shared(settings: Settings, redis: Redis) -> Settings:
    return settings.model_copy(update={"redis_url": f"unix://{redis.socket}"})


@pytest.fixture
def page_services(shared: Settings) -> Services:
    """The services of a web process: it only hands work over."""
    return build_services(shared, make_enqueue(shared))


def arrived(inbox: MailInbox) -> Counter[str]:
    return Counter(str(message["Message-ID"]) for message in inbox.messages)


def once_each(jobs: list[str]) -> Counter[str]:
    return Counter(f"<{job_id}.2.received@example.edu>" for job_id in jobs)


@pytest.mark.needs("redis-server")
def test_a_redis_carries_hints_between_machines(shared: Settings, page_services: Services, inbox: MailInbox) -> None:
    with working(shared):
        jobs = [submit(page_services).id for _ in range(3)]
        until(lambda: all(is_settled(page_services, job_id) for job_id in jobs))
    assert arrived(inbox) == once_each(jobs)


@pytest.mark.needs("redis-server")
def test_two_workers_at_one_redis_send_each_mail_once(
    shared: Settings, page_services: Services, inbox: MailInbox
) -> None:
    inbox.gate.clear()
    jobs = [submit(page_services).id for _ in range(8)]
    workers = [start_work(shared) for _ in range(2)]
    try:
        inbox.wait_for(lambda: inbox.tried > THREADS)  # more at once than one worker can: both are at it
        inbox.gate.set()
        until(lambda: all(is_settled(page_services, job_id) for job_id in jobs))
    finally:
        for worker in workers:
            worker.terminate()
        codes = [worker.wait(10) for worker in workers]
    assert codes == [0, 0]
    assert arrived(inbox) == once_each(jobs)


@pytest.mark.needs("redis-server")
def test_a_redis_that_is_killed_and_starts_empty_costs_no_mail_and_doubles_none(
    shared: Settings, page_services: Services, inbox: MailInbox, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    before = [submit(page_services).id for _ in range(4)]
    inbox.gate.clear()  # while it dies, mails are on their way and others wait in it
    with working(shared):
        inbox.wait_for(lambda: inbox.tried > 0)
        redis.kill()
        inbox.gate.set()
        during = [submit(page_services).id for _ in range(2)]
        until(lambda: (beat := heartbeat.read(shared)) is not None and beat.queue is None)
        redis.start()
        after = [submit(page_services).id for _ in range(2)]
        jobs = before + during + after
        until(lambda: all(is_settled(page_services, job_id) for job_id in jobs), 60)
        until(lambda: (beat := heartbeat.read(shared)) is not None and beat.queue is not None)
    assert arrived(inbox) == once_each(jobs)
    lines = [record.getMessage() for record in caplog.records if record.name == "printsys.worker.tasks"]
    assert sum(line.startswith("the task queue is down") for line in lines) == 1
    assert [record.name for record in caplog.records if record.exc_info] == [], "no traceback of what is no mistake"


def test_a_redis_that_is_down_stops_no_student(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    shared = settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"})
    submit(build_services(shared, make_enqueue(shared)))
    assert "the queue is down" in caplog.text
    assert Worker(shared).heartbeat().queue is None


@pytest.mark.parametrize("url", ["localhost:6379", "http://redis:6379", "redis://:secret@host:many/0"])
def test_an_address_that_is_no_redis_is_reported_at_the_start(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load_settings({"REDIS_URL": url, "SECRET_KEY": "x" * 40}, tmp_path)
    assert "REDIS_URL (environment): is no address of a Redis; write redis://host:6379/0" in str(raised.value)
    assert "secret" not in str(raised.value)
