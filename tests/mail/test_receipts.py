"""The receipt of one payment for several jobs, and what a receipt says besides what was paid."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from printsys.actions import Actions, counter
from printsys.actions.counter import ChosenJob
from printsys.domain import emails
from printsys.domain.inputs import CounterInput, WeighedInput
from printsys.domain.payments import ledger
from printsys.errors import JobBusy, StorageFailure
from printsys.jobstore import JobStore, Stored
from printsys.mail.sender import MailSender
from printsys.services import Services
from tests.mail.conftest import act, mail_events
from tests.mail.smtp_server import MailInbox, html_of, text_of

MakeJob = Callable[..., Stored]


@pytest.fixture
def finished(services: Services, mail_sender: MailSender, inbox: MailInbox, quiet_job: MakeJob) -> list[Stored]:
    jobs = [quiet_job() for _ in range(3)]
    for job in jobs:
        for action in ("approve", "confirm", "start", "complete"):
            act(services, job.id, action)
        mail_sender.attend(job.id)
    inbox.messages.clear()
    return [services.store.load(job.id) for job in jobs]


def hand_out(services: Services, jobs: list[Stored], amount: str, **values: str) -> counter.HandedOut:
    payment = CounterInput(amount=Decimal(amount), payment_method="Card", picked_up_by="Jane Doe", **values)
    chosen = [ChosenJob(stored, stored.job.revision, WeighedInput()) for stored in jobs]
    return counter.record(services.actions, counter.split(services.actions, chosen, payment), "staff:Sam")


def attend_all(mail_sender: MailSender, jobs: list[Stored]) -> None:
    for stored in jobs:
        mail_sender.attend(stored.id)


def test_three_jobs_of_one_payment_have_one_receipt_that_names_them_all(
    services: Services, mail_sender: MailSender, inbox: MailInbox, finished: list[Stored]
) -> None:
    hand_out(services, finished, "12.81", transaction="TX-77", payer="Prof. Li")
    attend_all(mail_sender, finished)
    message = inbox.only_message()
    assert message["Subject"].startswith("Receipt for your 3D prints: $12.81 (")
    for body in (text_of(message), html_of(message)):
        assert all(stored.id in body for stored in finished)
        assert all(text in body for text in ("$12.81", "$4.27", "TX-77", "Prof. Li")) and "Still due" not in body


def test_a_crash_before_the_joint_receipt_leaves_each_job_with_its_own(
    services: Services,
    mail_sender: MailSender,
    inbox: MailInbox,
    finished: list[Stored],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class PowerFailure(BaseException):
        pass

    def fails(*_: object) -> None:
        raise PowerFailure

    monkeypatch.setattr(counter, "_join_receipts", fails)
    with pytest.raises(PowerFailure):
        hand_out(services, finished, "12.81")
    attend_all(mail_sender, finished)
    assert inbox.messages == [], "each waits for two minutes"
    assert all(mail_events(services, stored.id)[-1] == "EmailQueued receipt" for stored in finished)


def test_a_payment_whose_receipts_cannot_be_joined_is_saved_and_each_job_has_its_own(
    services: Services, finished: list[Stored], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def is_busy(_actions: Actions, job_id: str, *_: object) -> Stored:
        raise JobBusy(job_id, 0)

    monkeypatch.setattr(Actions, "record", is_busy)
    result = hand_out(services, finished, "12.81")
    assert [len(result.done), result.not_done] == [3, []]
    assert "could not be joined" in caplog.text
    for stored in finished:
        after = services.store.load(stored.id)
        assert ledger(after.job).due == 0
        assert [mail.jobs for mail in emails.owed(after.events, stored.id)] == [()]


def test_a_later_payment_for_one_job_does_not_replace_the_receipt_of_all(
    services: Services, mail_sender: MailSender, inbox: MailInbox, finished: list[Stored]
) -> None:
    hand_out(services, finished, "12.81")
    act(services, finished[-1].id, "pay", amount="0.10")
    attend_all(mail_sender, finished)
    assert len(inbox.messages) == 2
    assert all(stored.id in text_of(inbox.messages[0]) for stored in finished)


@pytest.mark.parametrize("is_paid_again", [False, True])
def test_a_receipt_of_all_that_failed_is_sent_again_for_all(
    services: Services, mail_sender: MailSender, inbox: MailInbox, finished: list[Stored], is_paid_again: bool
) -> None:
    inbox.answers = ["550 5.1.1 No such user"]
    hand_out(services, finished, "12.81")
    attend_all(mail_sender, finished)
    last = finished[-1].id
    if is_paid_again:
        act(services, last, "pay", amount="0.10")
        attend_all(mail_sender, finished)
    inbox.messages.clear()
    services.actions.send_failed_again(last, "staff:Sam")
    attend_all(mail_sender, finished)
    assert all(stored.id in text_of(inbox.only_message()) for stored in finished)
    after = services.store.load(last)
    assert emails.given_up(after.events, after.job) == []


def test_a_receipt_says_what_is_still_to_be_paid(
    services: Services, mail_sender: MailSender, inbox: MailInbox, finished: list[Stored]
) -> None:
    job = finished[0]
    act(services, job.id, "pickup", amount="3")
    mail_sender.attend(job.id)
    for body in (text_of(inbox.only_message()), html_of(inbox.only_message())):
        assert "$3.00" in body and "Still due" in body and "$1.27" in body


def test_money_given_back_is_on_a_new_receipt(
    services: Services, mail_sender: MailSender, inbox: MailInbox, finished: list[Stored]
) -> None:
    job = finished[0]
    act(services, job.id, "pickup")
    mail_sender.attend(job.id)
    inbox.messages.clear()
    act(services, job.id, "refund", amount="4.27")
    mail_sender.attend(job.id)
    for body in (text_of(inbox.only_message()), html_of(inbox.only_message())):
        assert "$0.00" in body and "Refunded" in body and "$4.27" in body


@pytest.mark.parametrize("which", [0, -1])
def test_a_job_whose_hand_out_was_undone_is_not_on_the_receipt(
    services: Services, mail_sender: MailSender, inbox: MailInbox, finished: list[Stored], which: int
) -> None:
    """The last one is the job that owes the receipt of all."""
    hand_out(services, finished, "12.81", transaction="TX-77")
    undone = finished[which]
    act(services, undone.id, "revert")
    attend_all(mail_sender, finished)
    body = text_of(inbox.only_message())
    others = [stored for stored in finished if stored.id != undone.id]
    assert undone.id not in body and all(stored.id in body for stored in others)
    assert "$8.54" in body and "TX-77" in body


def test_the_last_job_of_a_receipt_has_it_alone(
    services: Services, mail_sender: MailSender, inbox: MailInbox, finished: list[Stored]
) -> None:
    hand_out(services, finished, "12.81")
    for stored in finished[1:]:
        act(services, stored.id, "revert")
    attend_all(mail_sender, finished)
    body = text_of(inbox.only_message())
    assert finished[0].id in body and "$4.27" in body
    assert not any(stored.id in body for stored in finished[1:])


def test_a_receipt_that_was_sent_is_recorded_though_another_of_its_jobs_cannot_be_read(
    services: Services,
    mail_sender: MailSender,
    inbox: MailInbox,
    finished: list[Stored],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hand_out(services, finished, "12.81")
    last = finished[-1].id

    def full(*_: object) -> Stored:
        raise StorageFailure("The storage refused the change (No space left on device).")

    with monkeypatch.context() as broken:
        broken.setattr(Actions, "record", full)
        with pytest.raises(StorageFailure):
            mail_sender.attend(last)
    load = JobStore.load

    def refused(self: JobStore, job_id: str) -> Stored:
        return full() if job_id == finished[0].id else load(self, job_id)

    monkeypatch.setattr(JobStore, "load", refused)
    mail_sender.attend(last)
    assert mail_events(services, last)[-1] == "EmailSent receipt"
    assert len(inbox.messages) == 1


def test_a_receipt_of_jobs_that_were_all_undone_is_dropped(
    services: Services, mail_sender: MailSender, inbox: MailInbox, finished: list[Stored]
) -> None:
    hand_out(services, finished, "12.81")
    for stored in finished:
        act(services, stored.id, "revert")
    attend_all(mail_sender, finished)
    assert inbox.messages == []
    assert mail_events(services, finished[-1].id)[-1] == "EmailDropped receipt"


def test_a_receipt_of_all_that_failed_is_sent_again_though_its_own_job_was_undone(
    services: Services, mail_sender: MailSender, inbox: MailInbox, finished: list[Stored]
) -> None:
    inbox.answers = ["550 5.1.1 No such user"]
    hand_out(services, finished, "12.81")
    attend_all(mail_sender, finished)
    *others, undone = finished
    act(services, undone.id, "revert")
    services.actions.send_failed_again(undone.id, "staff:Sam")
    attend_all(mail_sender, finished)
    body = text_of(inbox.only_message())
    assert undone.id not in body and all(stored.id in body for stored in others)


def test_a_job_that_is_busy_alone_keeps_a_receipt_of_its_own(
    services: Services, finished: list[Stored], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    record, busy = Actions.record, finished[0].id

    def unless_busy(actions: Actions, job_id: str, *arguments: Any) -> Stored:
        if job_id == busy:
            raise JobBusy(job_id, 0)
        return record(actions, job_id, *arguments)

    monkeypatch.setattr(Actions, "record", unless_busy)
    hand_out(services, finished, "12.81")
    owed = [emails.owed(services.store.load(stored.id).events, stored.id) for stored in finished]
    ids = [stored.id for stored in finished]
    assert [[mail.jobs for mail in mails] for mails in owed] == [[()], [], [tuple(ids[:2])]]
    assert f"job {busy} is in the receipt of job {ids[-1]}" in caplog.text
