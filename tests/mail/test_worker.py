"""The worker, from a page's action to the student's inbox, whatever becomes of its queue."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from indexer.queries import Queries
from printsys.backup.vault import Vault
from printsys.config import ROOT, Settings
from printsys.jobstore import Stored
from printsys.jobstore.layout import JOB_CARD
from printsys.ops import heartbeat
from printsys.ops.backup_record import read_record
from printsys.ops.heartbeat import Heartbeat
from printsys.ops.shutdown import STOP_REQUEST, SUPERVISED
from printsys.services import Services, build_services
from printsys.worker.file_inspector import FileInspector
from printsys.worker.queue import make_enqueue
from printsys.worker.tasks import THREADS, Worker
from tests.factories import sync
from tests.mail.conftest import act, mail_events, submit
from tests.mail.smtp_server import PATIENCE_S, MailInbox


@pytest.fixture
def page_services(settings: Settings) -> Services:
    """The services of a web process: it only hands work over."""
    return build_services(settings, make_enqueue(settings))


@contextmanager
def working(settings: Settings) -> Iterator[Worker]:
    worker = Worker(settings)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        yield worker
    finally:
        worker.stop()
        thread.join()


def is_settled(services: Services, job_id: str) -> bool:
    return "EmailSent received" in mail_events(services, job_id)


def wait_until(condition: Callable[[], bool]) -> None:
    """For what no event tells: a record in a folder that another process writes."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE_S} s in vain"
        threading.Event().wait(0.02)


def test_an_action_s_e_mail_arrives_by_itself(settings: Settings, page_services: Services, inbox: MailInbox) -> None:
    with working(settings):
        job_id = submit(page_services).id
        inbox.wait_for_messages(1)
        wait_until(lambda: is_settled(page_services, job_id))
        act(page_services, job_id, "approve")
        inbox.wait_for_messages(2)
        wait_until(lambda: mail_events(page_services, job_id)[-1] == "EmailSent approved")


def test_the_card_in_the_folder_follows_the_job_and_comes_back(
    settings: Settings, page_services: Services, inbox: MailInbox
) -> None:
    def card_says(words: str) -> bool:
        card = page_services.store.load(job_id).folder / JOB_CARD
        return card.exists() and words in card.read_text("utf-8")

    with working(settings) as worker:
        job_id = submit(page_services).id
        wait_until(lambda: card_says("Uploaded"))
        act(page_services, job_id, "approve")
        wait_until(lambda: card_says("$4.27"))
        (page_services.store.load(job_id).folder / JOB_CARD).unlink()
        worker.sweep()
        wait_until(lambda: card_says("$4.27"))


def test_what_was_owed_before_the_worker_started_is_sent_at_once(
    settings: Settings, services: Services, inbox: MailInbox
) -> None:
    """`services` enqueue nothing: only the sweep at start can find these."""
    jobs = {submit(services).id for _ in range(3)}
    with working(settings):
        inbox.wait_for_messages(3)
        wait_until(lambda: all(is_settled(services, job_id) for job_id in jobs))
    assert len(inbox.messages) == 3


def test_each_sweep_of_the_indexer_is_followed_by_one_of_the_worker(settings: Settings, database_url: str) -> None:
    """After a start on an empty mirror a model waited for up to a minute, if the worker was faster than the indexer."""
    worker = Worker(settings.model_copy(update={"database_url": database_url}))
    store, mirror = worker.services.store, worker.services.mirror
    store.layout.make()
    for _ in range(2):
        worker.sweep_after_the_indexer()
        assert worker.heartbeat().queue == 0
        sync(store, mirror)
        for _ in range(2):
            worker.sweep_after_the_indexer()
        assert worker.heartbeat().queue == 1
        worker.huey.flush()
    mirror.engine.dispose()


def test_a_database_that_hangs_leaves_the_worker_its_sign_of_life(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, answers = threading.Event(), threading.Event()

    def synced_at(queries: Queries) -> None:
        asked.set()
        answers.wait(PATIENCE_S)

    monkeypatch.setattr(Queries, "synced_at", synced_at)
    with working(settings):
        assert asked.wait(PATIENCE_S)
        since = datetime.now(UTC)
        wait_until(lambda: (beat := heartbeat.read(settings)) is not None and beat.at > since)
        answers.set()


def test_no_e_mail_waits_behind_other_jobs_models(
    settings: Settings, page_services: Services, inbox: MailInbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []
    inspections_end = threading.Event()

    def attend(_inspector: FileInspector, job_id: str) -> None:
        begun.append(job_id)
        inspections_end.wait()

    monkeypatch.setattr(FileInspector, "attend", attend)
    with working(settings) as worker:
        try:
            rush = [submit(page_services).id for _ in range(5)]
            wait_until(lambda: len(begun) == 2)
            late = submit(page_services).id
            wait_until(lambda: is_settled(page_services, late))
            wait_until(lambda: (worker.heartbeat().queue or 0) >= 4)
            assert len(begun) == 2
        finally:
            inspections_end.set()
        wait_until(lambda: set(begun) == {*rush, late})


def test_a_busy_server_is_tried_again_soon(settings: Settings, services: Services, inbox: MailInbox) -> None:
    inbox.answers = ["451 not now"]
    submit(services)
    with working(settings) as worker:
        worker.mail_sender.backoff.pauses_s = (0.1,)
        inbox.wait_for_messages(1)
    assert inbox.tried == 2


def test_a_worker_says_that_it_lives_and_what_holds_it_up(
    settings: Settings, services: Services, inbox: MailInbox
) -> None:
    assert heartbeat.read(settings) is None
    inbox.answers = ["451 jane@example.edu must wait"] * 1000
    job_id = submit(services).id
    with working(settings) as worker:
        wait_until(lambda: worker.mail_sender.trying != ())
        current = worker.heartbeat()
        assert current.is_alive(datetime.now(UTC)) and current.pid == os.getpid() and current.queue is not None
        trouble = current.mail_problem(job_id)
        assert trouble is not None and trouble.words == "451 (an address) must wait" and current.error == trouble
        inbox.answers = []
        worker.mail_sender.backoff.settled((job_id, 2))
        make_enqueue(settings)(job_id)
        wait_until(lambda: is_settled(services, job_id))
        wait_until(lambda: worker.heartbeat().error is None and worker.heartbeat().trying == ())
        assert worker.heartbeat().sent_at is not None
        wait_until(lambda: heartbeat.read(settings) is not None)


def test_the_sign_of_life_is_written_until_the_worker_ends(settings: Settings) -> None:
    stop = threading.Event()
    beats: list[Heartbeat] = []

    def current() -> Heartbeat:
        beats.append(Heartbeat(datetime.now(UTC), len(beats)))
        if len(beats) == 3:
            stop.set()
        return beats[-1]

    heartbeat.keep_writing(settings, stop, current, every_s=0)
    assert len(beats) == 3 and heartbeat.read(settings) == beats[-1]


OPEN_FILES_STAY = pytest.mark.skipif(sys.platform == "win32", reason="Windows deletes no file that a program has open")


@pytest.mark.parametrize("harm", [pytest.param("deleted", marks=OPEN_FILES_STAY), "ruined", "emptied"])
def test_a_lost_queue_costs_no_mail(settings: Settings, page_services: Services, inbox: MailInbox, harm: str) -> None:
    job_id = submit(page_services).id
    queue = settings.instance / "queue.db"
    assert queue.stat().st_size > 0
    if harm == "deleted":
        queue.unlink()
    else:
        queue.write_bytes(b"this is no database" * 1000 if harm == "ruined" else b"")
    with working(settings):
        inbox.wait_for_messages(1)
        wait_until(lambda: is_settled(page_services, job_id))
    assert len(inbox.messages) == 1


@OPEN_FILES_STAY
def test_a_queue_deleted_under_a_running_worker_is_made_again(
    settings: Settings, page_services: Services, inbox: MailInbox
) -> None:
    with working(settings):
        submit(page_services)
        inbox.wait_for_messages(1)
        (settings.instance / "queue.db").unlink()
        submit(page_services)
        inbox.wait_for_messages(2)


def test_a_queue_that_cannot_be_had_stops_no_student(
    settings: Settings, services: Services, inbox: MailInbox, caplog: pytest.LogCaptureFixture
) -> None:
    (settings.instance / "queue.db").mkdir()
    stored = submit(build_services(settings, make_enqueue(settings)))
    assert services.store.load(stored.id).job.status == "Uploaded"
    assert "the queue is down" in caplog.text


def test_a_locked_queue_stops_no_student(
    settings: Settings, page_services: Services, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("printsys.worker.queue.LOCKED_PATIENCE_S", 0.05)
    services = build_services(settings, make_enqueue(settings))
    submit(services)
    with sqlite3.connect(settings.instance / "queue.db", isolation_level=None) as connection:
        connection.execute("begin exclusive")
        assert isinstance(submit(services), Stored)
        connection.execute("rollback")
    assert "the queue is down (database is locked)" in caplog.text


def start_work(settings: Settings, **more_environment: str) -> subprocess.Popen[bytes]:
    assert settings.mail is not None
    environment = more_environment | {
        "PRINTSYS_STORAGE": str(settings.storage),
        "PRINTSYS_INSTANCE": str(settings.instance),
        "SECRET_KEY": settings.secret_key,
        "BASE_URL": settings.base_url,
        "MAIL_SERVER": settings.mail.host,
        "MAIL_PORT": str(settings.mail.port),
        "MAIL_USE_TLS": "false",
    }
    # No server that hangs is given up by itself while a test waits.
    code = "import argparse, sys; from printsys.commands import work; from printsys.mail import smtp; "
    code += "smtp.TIMEOUT_S = 600; "
    code += "sys.exit(work.run(argparse.Namespace(storage=None)))"
    if settings.redis_url:
        environment["REDIS_URL"] = settings.redis_url
    command = [sys.executable, "-c", code]
    return subprocess.Popen(command, cwd=ROOT, env=os.environ | environment, stdin=subprocess.PIPE)


def start_supervised_work(settings: Settings) -> subprocess.Popen[bytes]:
    return start_work(settings, **{SUPERVISED: "1"})


def ask_to_end(worker: subprocess.Popen[bytes]) -> None:
    """As its supervisor does, on every system."""
    assert worker.stdin is not None
    worker.stdin.write(STOP_REQUEST)
    worker.stdin.close()


def test_two_worker_processes_send_each_mail_once(
    settings: Settings, page_services: Services, inbox: MailInbox
) -> None:
    inbox.gate.clear()
    jobs = [submit(page_services).id for _ in range(8)]
    workers = [start_supervised_work(settings) for _ in range(2)]
    try:
        inbox.wait_for(lambda: inbox.tried > THREADS)  # more at once than one worker can: both are at it
        inbox.gate.set()
        wait_until(lambda: all(is_settled(page_services, job_id) for job_id in jobs))
    finally:
        for worker in workers:
            ask_to_end(worker)
        codes = [worker.wait(PATIENCE_S) for worker in workers]
    assert codes == [0, 0]
    assert sorted(message["Message-ID"] for message in inbox.messages) == sorted(
        f"<{job_id}.2.received@example.edu>" for job_id in jobs
    )


@pytest.mark.skipif(sys.platform == "win32", reason="a process without a console gets no signals there")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_that_must_end_finishes_the_mail_under_way(
    settings: Settings, page_services: Services, inbox: MailInbox, number: signal.Signals
) -> None:
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip("these tests were started with this signal ignored, and all that they start inherits it")
    inbox.gate.clear()
    job_id = submit(page_services).id
    worker = start_work(settings)
    try:
        inbox.wait_for(lambda: inbox.tried == 1)
        worker.send_signal(number)
        inbox.gate.set()
        assert worker.wait(PATIENCE_S) == 0
    finally:
        worker.kill()
    assert is_settled(page_services, job_id)
    assert len(inbox.messages) == 1


def test_a_server_that_hangs_does_not_keep_a_worker_from_ending(
    settings: Settings, page_services: Services, inbox: MailInbox
) -> None:
    inbox.gate.clear()
    submit(page_services)
    worker = start_supervised_work(settings)
    try:
        inbox.wait_for(lambda: inbox.tried == 1)
        ask_to_end(worker)
        assert worker.wait(PATIENCE_S / 2) == 0
        assert inbox.messages == []
    finally:
        worker.kill()
        inbox.gate.set()


def test_mail_of_a_killed_worker_is_sent_by_the_next(settings: Settings, services: Services, inbox: MailInbox) -> None:
    """The server had not answered; for a mail of one killed later, see the test of its Message-ID."""
    inbox.gate.clear()
    job_id = submit(services).id
    worker = start_work(settings)
    inbox.wait_for(lambda: inbox.tried == 1)
    worker.kill()
    worker.wait()
    inbox.wait_for(lambda: inbox.cut == 1)
    inbox.gate.set()
    (settings.instance / "queue.db").unlink()
    with working(settings):
        wait_until(lambda: is_settled(services, job_id))
    assert len(inbox.messages) == 1


def test_the_day_s_backup_is_made_by_itself_though_the_queue_is_down(
    settings: Settings, page_services: Services, tmp_path: Path
) -> None:
    job_id = submit(page_services).id
    settings = settings.model_copy(
        update={"backup": tmp_path / "backups", "redis_url": "redis://127.0.0.1:1/0"}  # nothing listens there
    )
    with working(settings):
        wait_until(lambda: read_record(settings).last_good is not None)
    good = read_record(settings).last_good
    assert good is not None and good.jobs == 1 and good.is_verified
    assert ("job", job_id) in {(unit.kind, unit.id) for unit in Vault(tmp_path / "backups").snapshot().units}
