"""The lab's morning e-mail: what it says, and that each recipient gets it once a day."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from markupsafe import escape

from printsys.config import load_lab
from printsys.config.lab import WEEKDAYS, DigestTable
from printsys.config.settings import Settings
from printsys.domain.digest import late_jobs
from printsys.domain.job import Job
from printsys.errors import ConfigError, StorageFailure
from printsys.jobstore.digest_note import last_digest
from printsys.mail.digest import DigestSender, collect
from printsys.mail.messages import make_composer
from printsys.mail.smtp import Outcome, PermanentFailure, Sent, TemporaryFailure
from printsys.ops.backup_record import BackupRecord, BackupRun, read_record, under_way, write_record
from printsys.ops.backup_trouble import backup_trouble
from printsys.services import Services, build_services
from printsys.worker.tasks import Worker
from tests.factories import sync
from tests.mail.conftest import act, submit
from tests.mail.smtp_server import MailInbox, html_of, text_of
from tests.present import present

LAB_ADDRESS = "printlab@example.edu"
MONDAY_7 = datetime(2026, 3, 2, 13, 5, tzinfo=UTC)
"""7:05 am in Chicago."""


def want_digest(services: Services, **values: object) -> None:
    services.lab.__dict__["digest"] = DigestTable.model_validate(values)


@pytest.fixture
def digests(services: Services) -> Services:
    want_digest(services)
    return services


def sender_at(services: Services, now: datetime) -> DigestSender:
    composer = make_composer(services.settings, services.lab, services.tokens)
    return DigestSender(services, composer, clock=lambda: now)


def send_at(services: Services, now: datetime) -> None:
    sender_at(services, now).send_if_due()


def test_without_the_table_there_is_no_digest(services: Services, inbox: MailInbox) -> None:
    send_at(services, MONDAY_7)
    assert inbox.messages == [] and last_digest(services.store) is None


def test_the_lab_gets_one_each_morning_however_often_the_worker_looks(digests: Services, inbox: MailInbox) -> None:
    for minutes in (-10, 0, 5, 600):
        send_at(digests, MONDAY_7 + timedelta(minutes=minutes))
    assert inbox.recipients == [[LAB_ADDRESS]]
    send_at(digests, MONDAY_7 + timedelta(days=1))
    assert len(inbox.messages) == 2
    assert [message["Message-ID"].split(".")[1] for message in inbox.messages] == ["2026-03-02", "2026-03-03"]


def test_it_goes_out_later_where_the_worker_starts_later_but_not_for_days_that_are_over(
    digests: Services, inbox: MailInbox
) -> None:
    send_at(digests, MONDAY_7 + timedelta(hours=14))
    send_at(digests, MONDAY_7 + timedelta(days=3))
    assert len(inbox.messages) == 2


def test_none_goes_out_on_other_days(digests: Services, inbox: MailInbox) -> None:
    send_at(digests, datetime(2026, 3, 7, 18, tzinfo=UTC))
    assert inbox.messages == []
    want_digest(digests, days=["saturday"])
    send_at(digests, datetime(2026, 3, 7, 18, tzinfo=UTC))
    assert len(inbox.messages) == 1


def test_the_day_is_that_of_the_lab(digests: Services, inbox: MailInbox) -> None:
    send_at(digests, datetime(2026, 3, 8, 3, tzinfo=UTC))  # Saturday evening in Chicago
    want_digest(digests, hour=20, days=["sunday"])
    send_at(digests, datetime(2026, 3, 9, 2, tzinfo=UTC))  # 9 pm on Sunday there, after the clocks went forward
    assert [message["Message-ID"].split(".")[1] for message in inbox.messages] == ["2026-03-08"]


def test_two_workers_send_it_once(digests: Services, inbox: MailInbox) -> None:
    senders = [sender_at(digests, MONDAY_7) for _ in range(4)]
    threads = [threading.Thread(target=sender.send_if_due) for sender in senders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert inbox.recipients == [[LAB_ADDRESS]]


def test_each_recipient_gets_one_and_a_refusal_stops_no_other(digests: Services) -> None:
    want_digest(digests, recipients=["ann@example.edu", "bob@example.edu", "cy@example.edu"])
    tried: list[str] = []

    def send(message: EmailMessage, _settings: Settings) -> Outcome:
        tried.append(message["To"].addresses[0].addr_spec)
        if tried[-1].startswith("bob"):
            return PermanentFailure("550 no such user")
        return TemporaryFailure("451 later") if tried.count("cy@example.edu") == 1 else Sent("there")

    sender = sender_at(digests, MONDAY_7)
    sender.send = send
    sender.send_if_due()
    assert tried == ["ann@example.edu", "bob@example.edu", "cy@example.edu"] and sender.error is not None
    sender.send_if_due()
    sender.send_if_due()
    assert tried[3:] == ["cy@example.edu"] and sender.error is None


def test_a_note_that_nobody_can_read_means_one_more_and_no_crash(digests: Services, inbox: MailInbox) -> None:
    digests.store.layout.digest.write_text("{}", "utf-8")
    send_at(digests, MONDAY_7)
    assert len(inbox.messages) == 1


def test_a_note_that_the_disk_refuses_sends_nothing_twice(digests: Services, inbox: MailInbox) -> None:
    """A folder in its place is one that cannot be read, on every system."""
    send_at(digests, MONDAY_7)
    path = digests.store.layout.digest
    kept = path.rename(path.with_name("elsewhere"))
    path.mkdir()
    with pytest.raises(StorageFailure):
        send_at(digests, MONDAY_7)
    path.rmdir()
    kept.rename(path)
    send_at(digests, MONDAY_7)
    assert len(inbox.messages) == 1


def test_a_clock_that_was_ahead_stops_none(digests: Services, inbox: MailInbox) -> None:
    send_at(digests, MONDAY_7 + timedelta(days=364))
    send_at(digests, MONDAY_7)
    send_at(digests, MONDAY_7)
    assert [message["Message-ID"].split(".")[1] for message in inbox.messages] == ["2027-03-01", "2026-03-02"]


def test_the_worker_looks_every_five_minutes(settings: Settings) -> None:
    worker = Worker(settings)
    assert "send_digest" in {task.__name__ for task in worker.huey._registry._periodic_tasks}


# -- what it says -----------------------------------------------------------------------------------------------------


def test_it_says_what_waits_what_is_late_and_what_came_in(digests: Services, inbox: MailInbox) -> None:
    want_digest(digests, days=WEEKDAYS, hour=0)
    new, printing = submit(digests), submit(digests, "Ann <b>Lee</b>", "ann@example.edu")
    for action in ("approve", "confirm", "start"):
        act(digests, printing.id, action)
    send_at(digests, datetime.now(UTC) + timedelta(hours=5))
    (message,) = inbox.messages
    assert message["To"].addresses[0].addr_spec == LAB_ADDRESS and message["Auto-Submitted"] == "auto-generated"
    assert message["Subject"].endswith(": 1 late, 2 new")
    text, html = text_of(message), html_of(message)
    lines = " ".join(text.split())
    assert f"Jane Doe, bracket v2.stl (Filament, {new.id})" in lines
    assert "Ann <b>Lee</b>, bracket v2.stl: should be done since" in lines
    assert "1 New to review, the oldest since" in lines and "1 Printing, the oldest since" in lines
    assert "The database was not available" in text
    assert "Ann &lt;b&gt;Lee&lt;/b&gt;" in html and "<b>Lee" not in html
    assert f"https://lab.example.edu/dashboard/jobs/{printing.id}" in html
    assert "jane@example.edu" not in text + html


def test_what_is_late_by_each_rule(services: Services) -> None:
    now, today = datetime(2026, 3, 9, 18, tzinfo=UTC), date(2026, 3, 9)
    job = submit(services).job

    def late(changed: Job) -> list[str]:
        return [each.reason for each in late_jobs([changed], now, today, timedelta(days=14))]

    def at(status: str, days_ago: float, **parts: object) -> Job:
        since = now - timedelta(days=days_ago)
        return job.model_validate(job.model_dump() | {"status": status, "status_since": since} | parts)

    due = {"request": job.request.model_dump() | {"due_date": "2026-03-08"}}
    due_today = {"request": job.request.model_dump() | {"due_date": "2026-03-09"}}
    long_print = {"estimate": {"time_h": "30"}}
    expired = {"confirmation": {"nonce": "x", "expires_at": now - timedelta(hours=1)}}
    assert late(at("Uploaded", 3)) == [] and late(at("Uploaded", 3, **due)) == ["was due"]
    assert late(at("Uploaded", 3, **due_today)) == []
    assert late(at("Printing", 1, **long_print)) == [] and late(at("Printing", 2, **long_print)) == ["should be done"]
    for by_hand, reasons in (("99999999", []), ("-99999999", ["should be done"])):
        assert late(at("Printing", 2, estimate={"time_h": by_hand})) == reasons
    assert late(at("Pending", 8, **expired)) == ["has no answer"]
    assert late(at("Completed", 13, **due)) == [] and late(at("Completed", 15)) == ["is not collected"]
    assert late(at("PaidPickedUp", 100, **due)) == []


def test_with_the_database_it_names_what_needs_a_person_ended_jobs_and_the_week(
    settings: Settings, database_url: str
) -> None:
    services = build_services(settings.model_copy(update={"database_url": database_url}), enqueue=lambda job_id: None)
    begun = datetime.now(UTC) - timedelta(seconds=5)
    rejected, broken = submit(services, "Ann Lee"), submit(services)
    act(services, rejected.id, "reject")
    original = next(file for file in broken.job.files if file.role == "original")
    path = broken.folder / original.name
    path.chmod(0o644)
    path.unlink()
    sync(services.store, services.mirror)
    now = datetime.now(UTC) + timedelta(seconds=5)
    digest = collect(services, now.date(), begun, now, sums_up_the_week=True)
    assert {job.id for job in digest.arrived} == {rejected.id, broken.id}
    assert digest.attention is not None and any("original" in sentence for sentence in digest.attention)
    assert digest.week is not None and digest.week["came in"] == 2 and digest.week["not printed"] == 1
    assert [(group.title, group.count) for group in digest.waiting] == [("New to review", 1)]
    services.mirror.engine.dispose()


def failed_backup(settings: Settings) -> None:
    """As the worker's record has it on Monday morning."""
    failed = BackupRun(MONDAY_7, str(settings.backup), MONDAY_7, error="The <disk> is full.")
    good_at = MONDAY_7 - timedelta(days=2)
    with under_way(settings):
        write_record(settings, BackupRecord(failed, BackupRun(good_at, str(settings.backup), good_at, "a", 12, 90)))


def test_it_names_what_is_wrong_with_the_backups_in_the_words_of_the_pages(
    settings: Settings, inbox: MailInbox, tmp_path: Path
) -> None:
    services = build_services(settings.model_copy(update={"backup": tmp_path / "backups"}), enqueue=lambda job_id: None)
    want_digest(services)
    failed_backup(services.settings)
    send_at(services, MONDAY_7)
    (message,) = inbox.messages
    trouble = present(backup_trouble(services.lab, read_record(services.settings), MONDAY_7))
    assert "The <disk> is full." in trouble.sentence
    assert trouble.sentence in " ".join(text_of(message).split()) and "Nothing waits" not in text_of(message)
    assert str(escape(trouble.sentence)) in html_of(message)
    assert message["Subject"].endswith(": 0 late, 0 new, 1 for a person")


def test_it_says_nothing_of_backups_that_are_well_or_that_nobody_asked_for(settings: Settings, tmp_path: Path) -> None:
    today = MONDAY_7.date()
    for backup in (None, tmp_path / "backups"):
        services = build_services(settings.model_copy(update={"backup": backup}), enqueue=lambda job_id: None)
        good = BackupRun(MONDAY_7, str(backup), MONDAY_7, "a", 12, 90)
        with under_way(services.settings):
            write_record(services.settings, BackupRecord(good, good))
        digest = collect(services, today, MONDAY_7, MONDAY_7, sums_up_the_week=False)
        assert digest.backups is None and digest.is_quiet


def test_every_mistake_in_the_table_is_named(tmp_path: Path, services: Services) -> None:
    text = services.settings.lab_config.read_text("utf-8")
    lab_toml = tmp_path / "lab.toml"
    lab_toml.write_text(f'{text}\n[digest]\nrecipients = ["nobody"]\ndays = ["mon"]\nhour = 24\n', "utf-8")
    with pytest.raises(ConfigError) as raised:
        load_lab(lab_toml)
    assert [key for key in ("recipients", "days", "hour") if f"digest.{key}" in str(raised.value)] == [
        "recipients",
        "days",
        "hour",
    ]
