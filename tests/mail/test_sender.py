"""Each owed mail is sent once, or the log says why not."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest

from printsys.backoff import BackOff
from printsys.config import Settings
from printsys.domain import emails
from printsys.domain.events import EventType
from printsys.domain.status import Status
from printsys.errors import StorageFailure, StorageOffline
from printsys.jobstore import JobStore, Stored
from printsys.mail.sender import MAIL_PAUSES_S, MailSender
from printsys.mail.smtp import Outcome, Sent, deliver
from printsys.services import Services, build_services
from tests.mail.conftest import act, later, mail_events, sender_without_pauses, submit
from tests.mail.smtp_server import MailInbox, Server, serving
from tests.refused import modes_bind_root

MakeJob = Callable[..., Stored]


def answer(services: Services, job_id: str) -> str:
    return str(services.store.load(job_id).events[-1].data["answer"])


def test_a_server_that_is_busy_gets_the_same_mail_again(
    services: Services, mail_sender: MailSender, inbox: MailInbox
) -> None:
    inbox.answers = ["451 4.3.0 Try again later"]
    job_id = submit(services).id
    assert mail_sender.attend(job_id) == 0, "it is worth trying again"
    assert inbox.messages == []
    assert mail_events(services, job_id) == ["EmailQueued received"]
    assert mail_sender.attend(job_id) is None
    assert inbox.only_message()["Message-ID"] == f"<{job_id}.2.received@example.edu>"
    assert mail_events(services, job_id) == ["EmailQueued received", "EmailSent received"]


@pytest.mark.parametrize("answers", ["answers", "rcpt_answers"])
def test_a_mail_that_is_refused_for_good_is_given_up_with_the_servers_answer(
    services: Services, mail_sender: MailSender, inbox: MailInbox, answers: str, caplog: pytest.LogCaptureFixture
) -> None:
    getattr(inbox, answers).append("550 5.1.1 <jane@example.edu>: no such mailbox here")
    job_id = submit(services).id
    caplog.set_level(logging.INFO)
    assert mail_sender.attend(job_id) is None
    assert mail_events(services, job_id) == ["EmailQueued received", "EmailFailed received"]
    assert answer(services, job_id) == "550 5.1.1 <jane@example.edu>: no such mailbox here"
    assert mail_sender.attend(job_id) is None
    assert inbox.messages == []
    logged = [record.getMessage() for record in caplog.records if record.name.startswith("printsys")]
    assert any("no such mailbox here" in line for line in logged)
    assert not any("jane@" in line for line in logged)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
def test_a_storage_that_refuses_locks_is_no_traceback(services: Services, mail_sender: MailSender) -> None:
    job_id, system = submit(services).id, services.store.layout.system
    system.chmod(0)
    try:
        with modes_bind_root(), pytest.raises((StorageFailure, StorageOffline)):
            mail_sender.attend(job_id)
    finally:
        system.chmod(0o755)
    assert mail_events(services, job_id) == ["EmailQueued received"]


def test_a_server_that_was_down_gets_the_mail_when_it_is_back(
    services: Services, mail_sender: MailSender, inbox: MailInbox, server: Server
) -> None:
    server.stop()
    job_id = submit(services).id
    assert mail_sender.attend(job_id) == 0
    assert mail_events(services, job_id) == ["EmailQueued received"]
    with serving(inbox, port=server.port):
        assert mail_sender.attend(job_id) is None
    assert len(inbox.messages) == 1


def test_a_server_that_is_down_is_not_tried_for_every_mail(
    services: Services, inbox: MailInbox, server: Server
) -> None:
    server.stop()
    attempts = []

    def send(message: EmailMessage, settings: Settings) -> Outcome:
        attempts.append(message)
        return deliver(message, settings)

    patient = sender_without_pauses(services, send=send, server_pauses_s=(3600,))
    first, second = submit(services), submit(services)
    pause_s = patient.attend(first.id)
    assert pause_s is not None and 0.7 * 3600 < pause_s < 1.3 * 3600
    assert patient.attend(second.id) is None
    assert len(attempts) == 1


def test_two_senders_at_the_same_job_send_its_mail_once(
    services: Services, mail_sender: MailSender, inbox: MailInbox
) -> None:
    job_id = submit(services).id
    inbox.gate.clear()
    second_sender = sender_without_pauses(build_services(services.settings, enqueue=lambda job_id: None))
    threads = [threading.Thread(target=sender.attend, args=(job_id,)) for sender in (mail_sender, second_sender)]
    threads[0].start()
    inbox.wait_for(lambda: inbox.tried == 1)
    threads[1].start()
    inbox.gate.set()
    for thread in threads:
        thread.join()
    assert len(inbox.messages) == 1
    assert mail_events(services, job_id) == ["EmailQueued received", "EmailSent received"]


def test_an_approval_that_was_taken_back_is_not_announced(
    services: Services, mail_sender: MailSender, inbox: MailInbox, quiet_job: MakeJob
) -> None:
    job_id = quiet_job().id
    act(services, job_id, "approve")
    act(services, job_id, "revert")
    assert mail_sender.attend(job_id) is None
    assert inbox.messages == []
    assert mail_events(services, job_id)[2:] == ["EmailQueued approved", "EmailDropped approved"]


def test_a_mail_that_the_job_has_outrun_is_dropped(
    services: Services, mail_sender: MailSender, inbox: MailInbox, quiet_job: MakeJob
) -> None:
    """As where a folder was moved while nobody sent mail: only the status shows that it is too late."""
    job_id = quiet_job().id
    late = emails.queued(emails.Mail.COMPLETED, "jane@example.edu", "staff")
    services.actions.record(job_id, lambda now: [late])
    mail_sender.attend(job_id)
    assert inbox.messages == []
    assert mail_events(services, job_id)[2:] == ["EmailQueued completed", "EmailDropped completed"]
    assert services.store.load(job_id).events[-1].data["why"] == "the job is Uploaded now"


def test_a_mail_dropped_while_it_was_on_its_way_is_recorded_as_sent(
    services: Services, inbox: MailInbox, mail_sender: MailSender, quiet_job: MakeJob
) -> None:
    job_id = quiet_job().id
    act(services, job_id, "approve")
    inbox.gate.clear()
    sending = threading.Thread(target=mail_sender.attend, args=(job_id,))
    sending.start()
    inbox.wait_for(lambda: inbox.tried == 2)
    act(services, job_id, "revert")
    inbox.gate.set()
    sending.join()
    assert mail_events(services, job_id)[2:] == ["EmailQueued approved", "EmailDropped approved", "EmailSent approved"]
    assert len(inbox.messages) == 1


def test_of_two_mails_that_say_the_same_the_newer_goes(
    services: Services, mail_sender: MailSender, inbox: MailInbox
) -> None:
    job_id = submit(services).id
    act(later(services, minutes=3), job_id, "resend-email")
    mail_sender.attend(job_id)
    assert len(inbox.messages) == 1
    assert mail_events(services, job_id)[2:] == ["EmailDropped received", "EmailSent received"]


def test_a_resent_approval_carries_the_link_that_works(
    services: Services, mail_sender: MailSender, inbox: MailInbox, quiet_job: MakeJob
) -> None:
    job_id = quiet_job().id
    act(services, job_id, "approve")
    mail_sender.attend(job_id)
    stored = act(later(services, minutes=3), job_id, "resend-email")
    mail_sender.attend(job_id)
    assert stored.job.confirmation is not None and stored.job.confirmation.nonce is not None
    link = f"/confirm/{services.tokens.confirm(job_id, stored.job.confirmation.nonce)}"
    first, second = (message.as_string().replace("=\n", "") for message in inbox.messages)
    assert link in second and link not in first


def test_a_mail_with_a_grace_period_waits_for_its_time(services: Services, inbox: MailInbox) -> None:
    job_id = submit(services, email="jane@example.edu").id
    now = datetime.now(UTC)
    mail_sender = sender_without_pauses(services, clock=lambda: now)
    mail_sender.attend(job_id)
    later_mail = emails.queued(
        emails.Mail.RECEIVED, "jane@example.edu", "filesystem", not_before=now + timedelta(seconds=60)
    )
    services.actions.record(job_id, lambda stored: [later_mail])
    pause_s = mail_sender.attend(job_id)
    assert pause_s is not None and 58 < pause_s <= 60
    assert list(mail_sender.owing()) == []
    assert len(inbox.messages) == 1
    now += timedelta(seconds=61)
    assert mail_sender.attend(job_id) is None
    assert len(inbox.messages) == 2


def test_a_folder_that_somebody_is_moving_keeps_its_mail_waiting(
    services: Services, mail_sender: MailSender, inbox: MailInbox, quiet_job: MakeJob
) -> None:
    job_id = quiet_job().id
    stored = act(services, job_id, "approve")
    dragged = services.store.layout.status(Status.UPLOADED) / stored.folder.name
    stored.folder.rename(dragged)
    assert mail_sender.attend(job_id) is None
    assert inbox.messages == []
    dragged.rename(stored.folder)
    mail_sender.attend(job_id)
    assert len(inbox.messages) == 1


def test_a_record_that_needs_a_person_sends_nothing(
    services: Services, mail_sender: MailSender, inbox: MailInbox
) -> None:
    """What was sent could not be recorded, and would be sent again every minute."""
    stored = submit(services)
    metadata = (stored.folder / "metadata.json").read_bytes()
    (stored.folder / "metadata.json").write_bytes(metadata[:-20])
    assert mail_sender.attend(stored.id) is None
    assert inbox.messages == []
    (stored.folder / "metadata.json").write_bytes(metadata)
    mail_sender.attend(stored.id)
    assert len(inbox.messages) == 1


def test_a_disk_that_is_full_after_the_sending_means_no_second_mail(
    services: Services, mail_sender: MailSender, inbox: MailInbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = submit(services).id

    def full(*_: object) -> Stored:
        raise StorageFailure("The storage refused the change (No space left on device).")

    with monkeypatch.context() as broken:
        broken.setattr(type(services.actions), "record", full)
        for _ in range(2):
            with pytest.raises(StorageFailure):
                mail_sender.attend(job_id)
    mail_sender.attend(job_id)
    assert len(inbox.messages) == 1
    assert mail_events(services, job_id) == ["EmailQueued received", "EmailSent received"]


def test_a_deleted_job_owes_nobody_anything(services: Services, mail_sender: MailSender, inbox: MailInbox) -> None:
    job_id = submit(services).id
    act(services, job_id, "delete", confirm_id=job_id)
    assert mail_sender.attend(job_id) is None
    assert mail_sender.attend("zzzzzzzz") is None
    assert inbox.messages == []


def test_what_is_owed_is_found_in_the_folders_without_a_database(
    services: Services, mail_sender: MailSender, quiet_job: MakeJob
) -> None:
    sent_id, waiting, rejected = quiet_job().id, submit(services).id, quiet_job().id
    act(services, rejected, "reject")
    for _ in range(2):
        assert sorted(mail_sender.owing()) == sorted([waiting, rejected])
    assert sent_id not in mail_sender.owing()


def test_after_the_start_the_mirror_knows_what_is_owed(
    settings: Settings, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = build_services(settings.model_copy(update={"database_url": database_url}), enqueue=lambda job_id: None)
    mail_sender = sender_without_pauses(services)
    waiting, sent_id = submit(services).id, submit(services).id
    assert sorted(mail_sender.owing()) == sorted([waiting, sent_id])
    monkeypatch.setattr(JobStore, "ids", None)  # a walk through the folders would not go unnoticed
    mail_sender.attend(sent_id)
    assert list(mail_sender.owing()) == [waiting]


def test_a_process_that_winds_up_begins_no_mail(services: Services, mail_sender: MailSender, inbox: MailInbox) -> None:
    mail_sender.stop.set()
    job_id = submit(services).id
    assert mail_sender.attend(job_id) is None
    assert inbox.messages == []


def test_without_an_smtp_server_e_mails_become_files(services: Services, tmp_path: Path) -> None:
    settings = services.settings.model_copy(update={"mail": None})
    outbox_services = build_services(settings, enqueue=lambda job_id: None)
    job_id = submit(outbox_services).id
    MailSender(outbox_services).attend(job_id)
    assert [path.name for path in (settings.instance / "outbox").iterdir()] == [f"{job_id}.2.received.eml"]
    assert mail_events(outbox_services, job_id) == ["EmailQueued received", "EmailSent received"]


def test_pauses_grow_and_are_forgotten_with_success() -> None:
    now = 0.0
    backoff = BackOff(MAIL_PAUSES_S, monotonic=lambda: now)
    for pause in (*MAIL_PAUSES_S, MAIL_PAUSES_S[-1]):
        assert backoff.wait_s("mail") == 0
        backoff.failed("mail")
        assert 0.8 * pause <= backoff.wait_s("mail") <= 1.2 * pause
        assert backoff.wait_s("another") == 0
        now += 1.2 * pause
    backoff.settled("mail")
    backoff.failed("mail")
    assert backoff.wait_s("mail") <= 1.2 * MAIL_PAUSES_S[0]


def test_a_sent_mail_is_recorded_with_its_kind_and_receiver(services: Services) -> None:
    job_id = submit(services).id
    MailSender(services, send=lambda message, settings: Sent("nowhere")).attend(job_id)
    event = services.store.load(job_id).events[-1]
    assert event.type == EventType.EMAIL_SENT
    assert event.actor == "system"
    assert {"mail": "received", "to": "jane@example.edu", "queued_seq": 2}.items() <= event.data.items()
