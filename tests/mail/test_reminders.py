"""What is due by the calendar: reminders, links that ran out, prints that nobody collects. Each once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from indexer.attention import open_questions
from printsys.actions.reminders import send_reminders
from printsys.config import load_lab
from printsys.domain.reminders import Patience, became_the_labs
from printsys.errors import ConfigError
from printsys.jobstore import Stored
from printsys.mail.sender import MailSender
from printsys.services import Services
from tests.factories import change_lab
from tests.mail.conftest import act, later, mail_events, sender_without_pauses, submit
from tests.mail.smtp_server import MailInbox, html_of, link_in, text_of

MakeJob = Callable[..., Stored]


def remind_after(services: Services, **passed: float) -> None:
    send_reminders(later(services, **passed).actions, threading.Event())


def mails_after(services: Services, job_id: str, seq: int) -> list[str]:
    events = services.store.load(job_id).events
    return [e.data["mail"] for e in events if e.seq > seq and e.type == "EmailQueued"]


@pytest.fixture
def waiting(services: Services, quiet_job: MakeJob) -> Stored:
    """A job that waits for its student's OK."""
    return act(services, quiet_job().id, "approve")


@pytest.fixture
def finished(services: Services, quiet_job: MakeJob) -> Stored:
    job_id = quiet_job().id
    for action in ("approve", "confirm", "start", "complete"):
        stored = act(services, job_id, action)
    return stored


def test_a_student_who_does_not_answer_is_reminded_once(services: Services, waiting: Stored) -> None:
    seq = waiting.job.revision
    remind_after(services, days=2, hours=23)
    assert mails_after(services, waiting.id, seq) == []
    remind_after(services, days=3, hours=1)
    remind_after(services, days=4)
    assert mails_after(services, waiting.id, seq) == ["reminder"]


def test_a_link_that_ran_out_is_recorded_once_and_announced(services: Services, waiting: Stored) -> None:
    seq = waiting.job.revision
    for days in (7.1, 8, 30):
        remind_after(services, days=days)
    after = services.store.load(waiting.id)
    assert [e.type for e in after.events if e.seq > seq] == ["ConfirmationExpired", "EmailQueued"]
    assert mails_after(services, waiting.id, seq) == ["expired"]
    assert after.events[-1].actor == "system" and after.job.status == "Pending"


def test_a_new_link_begins_a_new_wait(services: Services, waiting: Stored) -> None:
    remind_after(services, days=3, hours=1)
    stored = act(later(services, days=5), waiting.id, "resend-email")
    remind_after(services, days=6)
    assert mails_after(services, waiting.id, stored.job.revision) == []
    remind_after(services, days=8, hours=1)
    remind_after(services, days=13)
    assert mails_after(services, waiting.id, stored.job.revision) == ["reminder", "expired"]


def test_a_print_that_nobody_collects_is_reminded_of_once(services: Services, finished: Stored) -> None:
    remind_after(services, days=13)
    assert mails_after(services, finished.id, finished.job.revision) == []
    for days in (14.1, 15, 40):
        remind_after(services, days=days)
    assert mails_after(services, finished.id, finished.job.revision) == ["uncollected"]


def test_two_computers_do_what_is_due_once(services: Services, waiting: Stored, finished: Stored) -> None:
    ahead = later(services, days=20)
    computers = [threading.Thread(target=send_reminders, args=(ahead.actions, threading.Event())) for _ in range(4)]
    for computer in computers:
        computer.start()
    for computer in computers:
        computer.join()
    assert mails_after(services, waiting.id, waiting.job.revision) == ["expired"]
    assert mails_after(services, finished.id, finished.job.revision) == ["uncollected"]


def send_after(services: Services, job_id: str, **passed: float) -> None:
    ahead = later(services, **passed)
    sender_without_pauses(ahead, clock=ahead.actions.clock).attend(job_id)


def types_after(services: Services, job_id: str, seq: int) -> list[str]:
    return [e.type for e in services.store.load(job_id).events if e.seq > seq and not e.type.startswith("Email")]


@pytest.fixture
def strict(services: Services) -> Services:
    change_lab(services.lab, "retention", uncollected_days=5, last_call_days=10)
    return services


def test_what_nobody_collects_gets_a_last_mail_and_is_the_labs_some_days_after_it(
    strict: Services, finished: Stored, inbox: MailInbox
) -> None:
    seq = finished.job.revision
    change_lab(strict.lab, "reminders", collect_after_days=3)
    for days in (3.1, 4.9, 5.1, 6):
        remind_after(strict, days=days)
    assert mails_after(strict, finished.id, seq) == ["uncollected", "last_call"]
    remind_after(strict, days=90)  # it has not gone out yet, so no time runs
    assert types_after(strict, finished.id, seq) == []
    send_after(strict, finished.id, days=0)
    assert "within 10 days" in " ".join(text_of(inbox.messages[-1]).split())
    remind_after(strict, days=9.9)
    assert types_after(strict, finished.id, seq) == []
    for days in (10.1, 100):
        remind_after(strict, days=days)
    after = strict.store.load(finished.id)
    assert types_after(strict, finished.id, seq) == ["BecameTheLabs"] and after.job.status == "Completed"
    (item,) = open_questions(after.job, after.events, "Completed/x")
    assert (item.kind, item.fixes) == ("uncollected", ("put-away",)) and "is the lab's now" in item.sentence
    put_away = act(strict, finished.id, "put-away")
    assert list(open_questions(put_away.job, put_away.events, "Completed/x")) == []
    remind_after(strict, days=200)
    assert types_after(strict, finished.id, seq) == ["BecameTheLabs", "PutAway"]
    assert act(strict, finished.id, "pickup").job.status == "PaidPickedUp"


def test_a_print_that_is_done_again_is_the_students_again(strict: Services, finished: Stored) -> None:
    metadata = strict.store.load(finished.id).folder / "metadata.json"
    metadata.write_text(metadata.read_text("utf-8").replace('"jane@example.edu"', "null"), "utf-8")
    remind_after(strict, days=75)
    assert became_the_labs(strict.store.load(finished.id).events) is not None
    act(strict, finished.id, "revert")
    again = act(strict, finished.id, "complete")
    assert became_the_labs(again.events) is None


def test_a_worker_that_was_off_for_months_sends_only_the_last_mail(strict: Services, finished: Stored) -> None:
    for days in (70, 71):
        remind_after(strict, days=days)
    assert mails_after(strict, finished.id, finished.job.revision) == ["last_call"]


def test_without_the_setting_a_print_waits_for_ever(services: Services, finished: Stored) -> None:
    remind_after(services, days=3000)
    assert mails_after(services, finished.id, finished.job.revision) == ["uncollected"]


def test_a_lab_that_never_reminds(services: Services, waiting: Stored) -> None:
    change_lab(services.lab, "reminders", confirm_after_days=0, collect_after_days=0)
    remind_after(services, days=5)
    assert mails_after(services, waiting.id, waiting.job.revision) == []


def test_without_an_address_a_link_that_ran_out_is_recorded_all_the_same(services: Services, waiting: Stored) -> None:
    folder = services.store.load(waiting.id).folder
    metadata = folder / "metadata.json"
    metadata.write_text(metadata.read_text("utf-8").replace('"jane@example.edu"', "null"), "utf-8")
    remind_after(services, days=4)
    remind_after(services, days=8)
    events = services.store.load(waiting.id).events
    assert [e.type for e in events if e.seq > waiting.job.revision] == ["MetadataEdited", "ConfirmationExpired"]


def test_a_job_that_cannot_be_read_keeps_no_other_waiting(
    services: Services, waiting: Stored, finished: Stored
) -> None:
    (waiting.folder / "events.jsonl").write_bytes(b"{}\n")
    remind_after(services, days=20)
    assert mails_after(services, finished.id, finished.job.revision) == ["uncollected"]


def test_a_job_that_is_being_moved_by_hand_is_left_alone(services: Services, waiting: Stored) -> None:
    target = services.store.layout.root / "ReadyToPrint" / waiting.folder.name
    waiting.folder.rename(target)
    remind_after(services, days=8)
    assert services.store.load(waiting.id).job.revision == waiting.job.revision


# -- the e-mails ----------------------------------------------------------------------------------------------------


def test_a_reminder_brings_the_same_link(
    services: Services, mail_sender: MailSender, inbox: MailInbox, waiting: Stored
) -> None:
    mail_sender.attend(waiting.id)
    remind_after(services, days=4)
    mail_sender.attend(waiting.id)
    first, reminder = inbox.messages
    assert reminder["Subject"] == f"Reminder: shall we print it for $4.27? ({waiting.id})"
    assert {link_in(body, "confirm") for body in (text_of(reminder), html_of(reminder))} == {
        link_in(text_of(first), "confirm")
    }


def test_a_reminder_that_comes_too_late_is_not_sent(services: Services, inbox: MailInbox, waiting: Stored) -> None:
    remind_after(services, days=4)
    clock = later(services, days=8).actions.clock
    sender_without_pauses(services, clock=clock).attend(waiting.id)
    assert "EmailDropped reminder" in mail_events(services, waiting.id)
    assert [message["Subject"][:6] for message in inbox.messages] == ["Please"]


def test_a_student_with_a_new_link_hears_nothing_of_the_old_one(
    services: Services, mail_sender: MailSender, inbox: MailInbox, waiting: Stored
) -> None:
    remind_after(services, days=8)
    act(later(services, days=8.1), waiting.id, "resend-email")
    mail_sender.attend(waiting.id)
    assert "EmailDropped expired" in mail_events(services, waiting.id)
    assert len(inbox.messages) == 1


def test_a_link_that_ran_out_leads_to_a_new_one(
    services: Services, mail_sender: MailSender, inbox: MailInbox, waiting: Stored
) -> None:
    mail_sender.attend(waiting.id)
    remind_after(services, days=8)
    sender_without_pauses(services, clock=later(services, days=8).actions.clock).attend(waiting.id)
    message = inbox.messages[-1]
    assert message["Subject"] == f"Your 3D print was not confirmed in time ({waiting.id})"
    assert services.tokens.read_confirm(link_in(html_of(message), "confirm"))[0] == waiting.id


def test_an_uncollected_print_says_where_it_waits(
    services: Services, mail_sender: MailSender, inbox: MailInbox, finished: Stored
) -> None:
    mail_sender.attend(finished.id)
    remind_after(services, days=15)
    mail_sender.attend(finished.id)
    message = inbox.messages[-1]
    assert "still waiting" in message["Subject"]
    for body in (" ".join(text_of(message).split()), html_of(message)):
        assert services.lab.about.place in body and services.lab.about.bring in body and "has been done since" in body


def test_a_receipt_says_what_was_paid(
    services: Services, mail_sender: MailSender, inbox: MailInbox, finished: Stored
) -> None:
    act(services, finished.id, "pickup", picked_up_by="Sam Roe", transaction="TX-77")
    mail_sender.attend(finished.id)
    message = inbox.only_message()
    assert message["Subject"] == f"Receipt for your 3D print: $4.27 ({finished.id})"
    for body in (text_of(message), html_of(message)):
        assert all(text in body for text in ("$4.27", "Card", "TX-77", "Sam Roe")) and "Price" not in body


def test_a_rejection_brings_a_link_that_reopens_the_request(
    services: Services, mail_sender: MailSender, inbox: MailInbox, quiet_job: MakeJob
) -> None:
    stored = act(services, quiet_job().id, "reject")
    mail_sender.attend(stored.id)
    message = inbox.only_message()
    tokens = {link_in(body, "resubmit") for body in (text_of(message), html_of(message))}
    assert [services.tokens.read_resubmit(token)[0] for token in tokens] == [stored.id]


# -- settings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "mistake"),
    [
        ("confirm_after_days = 7", "a link is valid for 7 days, so a reminder after 7 days comes too late"),
        ("confirm_after_days = -1", "greater than or equal to 0"),
        ("confirm_afterwards = 3", "did you mean confirm_after_days"),
    ],
)
def test_reminders_that_cannot_be_are_found_at_start(
    services: Services, tmp_path: Path, setting: str, mistake: str
) -> None:
    text = services.settings.lab_config.read_text("utf-8").replace("confirm_after_days = 3", setting)
    (tmp_path / "lab.toml").write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=mistake):
        load_lab(tmp_path / "lab.toml")


def test_a_lab_toml_from_before_reminders_still_loads(services: Services, tmp_path: Path) -> None:
    text = services.settings.lab_config.read_text("utf-8")
    start, end = text.index("[reminders]"), text.index("[retention]")
    (tmp_path / "lab.toml").write_text(text[:start] + text[end:], "utf-8")
    lab = load_lab(tmp_path / "lab.toml")
    assert lab.reminders.patience == Patience(timedelta(days=3), timedelta(days=14))
    assert lab.mail.folder(tmp_path / "lab.toml") == tmp_path / "mail-templates"


# -- the lab's own templates ------------------------------------------------------------------------------------------


@pytest.fixture
def lab_templates(services: Services, tmp_path: Path) -> Path:
    folder = tmp_path / "mail-templates"
    folder.mkdir()
    change_lab(services.lab, "mail", templates=str(folder))
    return folder


def test_the_labs_own_template_is_used_and_the_others_stay(
    services: Services, lab_templates: Path, inbox: MailInbox, quiet_job: MakeJob
) -> None:
    (lab_templates / "received.txt").write_text(
        "Hooray, {{ name }}!\n\nWe have it. Job {{ job.id }}.\n{% include 'foot.txt' %}\n",
        "utf-8",
    )
    job_id = submit(services).id
    mail_sender = sender_without_pauses(services)
    mail_sender.attend(job_id)
    message = inbox.only_message()
    assert message["Subject"] == "Hooray, Jane Doe!"
    assert "We have it. Job" in text_of(message) and "Questions? Just reply" in text_of(message)
    assert "Thank you, your request has arrived." in html_of(message)


def test_a_template_is_used_from_the_next_mail_on(services: Services, lab_templates: Path, inbox: MailInbox) -> None:
    mail_sender = sender_without_pauses(services)
    for subject in ("We have your 3D", "One", "Two"):
        mail_sender.attend(submit(services).id)
        assert inbox.messages[-1]["Subject"].startswith(subject)
        (lab_templates / "foot.txt").write_text("Bye.\n", "utf-8")
        (lab_templates / "received.txt").write_text(
            "One\n\nHello\n" if subject.startswith("We") else "Two\n\nHello\n", "utf-8"
        )


@pytest.mark.parametrize(
    "mistake", ["{{ nonsense }}", "{% if %}", "{{ 1 / 0 }}", "{{ ''.__class__.__mro__[1].__subclasses__() }}"]
)
def test_a_template_with_a_mistake_keeps_no_mail_from_its_student(
    services: Services, lab_templates: Path, inbox: MailInbox, caplog: pytest.LogCaptureFixture, mistake: str
) -> None:
    (lab_templates / "received.txt").write_text(f"Hello\n\n{mistake}\n", "utf-8")
    sender_without_pauses(services).attend(submit(services).id)
    assert inbox.only_message()["Subject"].startswith("We have your 3D print request")
    assert "own template for received is not used" in caplog.text
