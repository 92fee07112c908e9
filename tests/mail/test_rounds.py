"""What the calendar brings: reminders, links that ran out, prints that nobody collects. Each once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from printsys.actions.reminders import send_reminders
from printsys.config import load_lab
from printsys.domain.reminders import Patience
from printsys.errors import ConfigError
from printsys.jobstore import Stored
from printsys.mail.sender import Postman
from printsys.services import House
from tests.mail.conftest import act, impatient, later, mail_events, submit
from tests.mail.post import PostOffice, html_of, link_in, text_of

MakeJob = Callable[..., Stored]


def rounds(house: House, **passed: float) -> None:
    send_reminders(later(house, **passed).actions, threading.Event())


def mails_after(house: House, job_id: str, seq: int) -> list[str]:
    events = house.store.load(job_id).events
    return [e.data["mail"] for e in events if e.seq > seq and e.type == "EmailQueued"]


@pytest.fixture
def waiting(house: House, quiet_job: MakeJob) -> Stored:
    """A job that waits for its student's OK."""
    return act(house, quiet_job().id, "approve")


@pytest.fixture
def finished(house: House, quiet_job: MakeJob) -> Stored:
    job_id = quiet_job().id
    for action in ("approve", "confirm", "start", "complete"):
        stored = act(house, job_id, action)
    return stored


def test_a_student_who_does_not_answer_is_reminded_once(house: House, waiting: Stored) -> None:
    seq = waiting.job.revision
    rounds(house, days=2, hours=23)
    assert mails_after(house, waiting.id, seq) == []
    rounds(house, days=3, hours=1)
    rounds(house, days=4)
    assert mails_after(house, waiting.id, seq) == ["reminder"]


def test_a_link_that_ran_out_is_recorded_once_and_told(house: House, waiting: Stored) -> None:
    seq = waiting.job.revision
    for days in (7.1, 8, 30):
        rounds(house, days=days)
    after = house.store.load(waiting.id)
    assert [e.type for e in after.events if e.seq > seq] == ["ConfirmationExpired", "EmailQueued"]
    assert mails_after(house, waiting.id, seq) == ["expired"]
    assert after.events[-1].actor == "system" and after.job.status == "Pending"


def test_a_new_link_begins_the_wait_anew(house: House, waiting: Stored) -> None:
    rounds(house, days=3, hours=1)
    stored = act(later(house, days=5), waiting.id, "resend-email")
    rounds(house, days=6)
    assert mails_after(house, waiting.id, stored.job.revision) == []
    rounds(house, days=8, hours=1)
    rounds(house, days=13)
    assert mails_after(house, waiting.id, stored.job.revision) == ["reminder", "expired"]


def test_a_print_that_nobody_collects_is_reminded_of_once(house: House, finished: Stored) -> None:
    rounds(house, days=13)
    assert mails_after(house, finished.id, finished.job.revision) == []
    for days in (14.1, 15, 40):
        rounds(house, days=days)
    assert mails_after(house, finished.id, finished.job.revision) == ["uncollected"]


def test_two_computers_do_what_is_due_once(house: House, waiting: Stored, finished: Stored) -> None:
    ahead = later(house, days=20)
    computers = [threading.Thread(target=send_reminders, args=(ahead.actions, threading.Event())) for _ in range(4)]
    for computer in computers:
        computer.start()
    for computer in computers:
        computer.join()
    assert mails_after(house, waiting.id, waiting.job.revision) == ["expired"]
    assert mails_after(house, finished.id, finished.job.revision) == ["uncollected"]


def test_a_lab_that_never_reminds(house: House, waiting: Stored) -> None:
    house.lab.patience = Patience(None, None)
    rounds(house, days=5)
    assert mails_after(house, waiting.id, waiting.job.revision) == []


def test_without_an_address_a_link_that_ran_out_is_recorded_all_the_same(house: House, waiting: Stored) -> None:
    folder = house.store.load(waiting.id).folder
    metadata = folder / "metadata.json"
    metadata.write_text(metadata.read_text().replace('"jane@example.edu"', "null"))
    rounds(house, days=4)
    rounds(house, days=8)
    events = house.store.load(waiting.id).events
    assert [e.type for e in events if e.seq > waiting.job.revision] == ["MetadataEdited", "ConfirmationExpired"]


def test_a_job_that_cannot_be_read_keeps_no_other_waiting(house: House, waiting: Stored, finished: Stored) -> None:
    (waiting.folder / "events.jsonl").write_bytes(b"{}\n")
    rounds(house, days=20)
    assert mails_after(house, finished.id, finished.job.revision) == ["uncollected"]


def test_a_job_that_is_being_moved_by_hand_is_left_alone(house: House, waiting: Stored) -> None:
    target = house.store.layout.root / "ReadyToPrint" / waiting.folder.name
    waiting.folder.rename(target)
    rounds(house, days=8)
    assert house.store.load(waiting.id).job.revision == waiting.job.revision


# -- as letters -----------------------------------------------------------------------------------------------------


def test_a_reminder_brings_the_same_link(house: House, postman: Postman, office: PostOffice, waiting: Stored) -> None:
    postman.attend(waiting.id)
    rounds(house, days=4)
    postman.attend(waiting.id)
    first, reminder = office.letters
    assert reminder["Subject"] == f"Reminder: shall we print it for $4.27? ({waiting.id})"
    assert {link_in(body, "confirm") for body in (text_of(reminder), html_of(reminder))} == {
        link_in(text_of(first), "confirm")
    }


def test_a_reminder_that_comes_too_late_is_not_sent(house: House, office: PostOffice, waiting: Stored) -> None:
    rounds(house, days=4)
    clock = later(house, days=8).actions.clock
    impatient(house, clock=clock).attend(waiting.id)
    assert "EmailDropped reminder" in mail_events(house, waiting.id)
    assert [letter["Subject"][:6] for letter in office.letters] == ["Please"]


def test_a_student_with_a_new_link_is_not_told_that_the_old_one_is_over(
    house: House, postman: Postman, office: PostOffice, waiting: Stored
) -> None:
    rounds(house, days=8)
    act(later(house, days=8.1), waiting.id, "resend-email")
    postman.attend(waiting.id)
    assert "EmailDropped expired" in mail_events(house, waiting.id)
    assert len(office.letters) == 1


def test_a_link_that_ran_out_leads_to_a_new_one(
    house: House, postman: Postman, office: PostOffice, waiting: Stored
) -> None:
    postman.attend(waiting.id)
    rounds(house, days=8)
    impatient(house, clock=later(house, days=8).actions.clock).attend(waiting.id)
    letter = office.letters[-1]
    assert letter["Subject"] == f"Your 3D print was not confirmed in time ({waiting.id})"
    assert house.tokens.read_confirm(link_in(html_of(letter), "confirm"))[0] == waiting.id


def test_an_uncollected_print_says_where_it_waits(
    house: House, postman: Postman, office: PostOffice, finished: Stored
) -> None:
    postman.attend(finished.id)
    rounds(house, days=15)
    postman.attend(finished.id)
    letter = office.letters[-1]
    assert "still waiting" in letter["Subject"]
    for body in (" ".join(text_of(letter).split()), html_of(letter)):
        assert house.lab.place in body and house.lab.bring in body and "has been done since" in body


def test_a_receipt_says_what_was_paid(house: House, postman: Postman, office: PostOffice, finished: Stored) -> None:
    act(house, finished.id, "pickup", picked_up_by="Sam Roe", transaction="TX-77")
    postman.attend(finished.id)
    letter = office.only_letter()
    assert letter["Subject"] == f"Receipt for your 3D print: $4.27 ({finished.id})"
    for body in (text_of(letter), html_of(letter)):
        assert all(said in body for said in ("$4.27", "Card", "TX-77", "Sam Roe")) and "Price" not in body


def test_a_rejection_brings_a_link_that_reopens_the_request(
    house: House, postman: Postman, office: PostOffice, quiet_job: MakeJob
) -> None:
    stored = act(house, quiet_job().id, "reject")
    postman.attend(stored.id)
    letter = office.only_letter()
    tokens = {link_in(body, "resubmit") for body in (text_of(letter), html_of(letter))}
    assert [house.tokens.read_resubmit(token)[0] for token in tokens] == [stored.id]


# -- settings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("confirm_after_days = 7", "a link is valid for 7 days, so a reminder after 7 days comes too late"),
        ("confirm_after_days = -1", "greater than or equal to 0"),
        ("confirm_afterwards = 3", "did you mean confirm_after_days"),
    ],
)
def test_reminders_that_cannot_be_are_found_at_start(house: House, tmp_path: Path, written: str, said: str) -> None:
    text = house.settings.lab_config.read_text().replace("confirm_after_days = 3", written)
    (tmp_path / "lab.toml").write_text(text)
    with pytest.raises(ConfigError, match=said):
        load_lab(tmp_path / "lab.toml")


def test_a_lab_toml_from_before_reminders_still_loads(house: House, tmp_path: Path) -> None:
    text = house.settings.lab_config.read_text()
    start, end = text.index("[reminders]"), text.index("[retention]")
    (tmp_path / "lab.toml").write_text(text[:start] + text[end:])
    lab = load_lab(tmp_path / "lab.toml")
    assert lab.patience == Patience(timedelta(days=3), timedelta(days=14))
    assert lab.mail_templates == tmp_path / "mail-templates"


# -- the lab's own templates ------------------------------------------------------------------------------------------


@pytest.fixture
def own(house: House, tmp_path: Path) -> Path:
    house.lab.mail_templates = tmp_path / "mail-templates"
    house.lab.mail_templates.mkdir()
    return house.lab.mail_templates


def test_the_labs_own_template_is_used_and_the_others_stay(
    house: House, own: Path, office: PostOffice, quiet_job: MakeJob
) -> None:
    (own / "received.txt").write_text(
        "Hooray, {{ name }}!\n\nWe have it. Job {{ job.id }}.\n{% include 'foot.txt' %}\n"
    )
    job_id = submit(house).id
    postman = impatient(house)
    postman.attend(job_id)
    letter = office.only_letter()
    assert letter["Subject"] == "Hooray, Jane Doe!"
    assert "We have it. Job" in text_of(letter) and "Questions? Just reply" in text_of(letter)
    assert "Thank you, your request has arrived." in html_of(letter)


def test_a_template_is_used_from_the_next_mail_on(house: House, own: Path, office: PostOffice) -> None:
    postman = impatient(house)
    for said in ("We have your 3D", "One", "Two"):
        postman.attend(submit(house).id)
        assert office.letters[-1]["Subject"].startswith(said)
        (own / "foot.txt").write_text("Bye.\n")
        (own / "received.txt").write_text("One\n\nHello\n" if said.startswith("We") else "Two\n\nHello\n")


@pytest.mark.parametrize(
    "wrong", ["{{ nonsense }}", "{% if %}", "{{ 1 / 0 }}", "{{ ''.__class__.__mro__[1].__subclasses__() }}"]
)
def test_a_template_with_a_mistake_keeps_no_mail_from_its_student(
    house: House, own: Path, office: PostOffice, caplog: pytest.LogCaptureFixture, wrong: str
) -> None:
    (own / "received.txt").write_text(f"Hello\n\n{wrong}\n")
    impatient(house).attend(submit(house).id)
    assert office.only_letter()["Subject"].startswith("We have your 3D print request")
    assert "own template for received is not used" in caplog.text
