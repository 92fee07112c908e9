"""From an action to what the student reads: every e-mail, over a real mail server."""

from __future__ import annotations

import email
from collections.abc import Callable
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from markupsafe import escape

from printsys.assessment.model_findings import finding_sentences
from printsys.config import load_lab
from printsys.domain import emails
from printsys.domain.emails import Mail, OwedMail
from printsys.domain.inputs import OptionalReasonInput, ReplyInput
from printsys.domain.job import Confirmation
from printsys.domain.status import Status
from printsys.jobstore import Stored
from printsys.mail import messages
from printsys.mail.headers import MailNotSendable, wire_bytes
from printsys.mail.messages import MailComposer, compose, make_composer
from printsys.mail.sample_jobs import sample
from printsys.mail.sender import MailSender
from printsys.mail.smtp import PermanentFailure, Sent, deliver
from printsys.mail.templates import TEMPLATES
from printsys.services import Services
from tests.mail.conftest import act, later, mail_events, submit
from tests.mail.smtp_server import MailInbox, html_of, link_in, text_of

MakeJob = Callable[..., Stored]


def require_common_form(message: EmailMessage) -> None:
    """What every e-mail has, whatever its text."""
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert message["From"].addresses[0].addr_spec == "printlab@example.edu"
    assert message["Reply-To"].addresses[0].addr_spec == "printlab@example.edu"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Date"].datetime.tzinfo is not None
    assert "<img" not in html_of(message) and "http://" not in html_of(message)


def test_a_submission_is_acknowledged(services: Services, mail_sender: MailSender, inbox: MailInbox) -> None:
    job_id = submit(services, copies="3").id
    assert mail_sender.attend(job_id) is None
    message = inbox.only_message()
    require_common_form(message)
    assert message["Subject"] == f"We have your 3D print request ({job_id})"
    assert message["To"].addresses[0].display_name == "Jane Doe"
    assert inbox.recipients == [["jane@example.edu"]]
    for body in (text_of(message), html_of(message)):
        assert services.tokens.read_status(link_in(body, "status")) == job_id
        assert "bracket v2.stl" in body
        assert "Filament, True Red, Prusa MK4S, 3 copies" in body
    assert mail_events(services, job_id) == ["EmailQueued received", "EmailSent received"]
    assert services.store.load(job_id).events[-1].data["message_id"] == message["Message-ID"]


def test_an_approval_brings_the_link_that_confirms(
    services: Services, mail_sender: MailSender, inbox: MailInbox, quiet_job: MakeJob
) -> None:
    job_id = quiet_job().id
    stored = act(services, job_id, "approve", time_h="3.4")
    mail_sender.attend(job_id)
    message = inbox.only_message()
    require_common_form(message)
    assert message["Subject"] == f"Please confirm your 3D print: $4.27 ({job_id})"
    assert stored.job.confirmation is not None and stored.job.confirmation.expires_at is not None
    expires = stored.job.confirmation.expires_at.astimezone(mail_sender.composer.zone)
    for body in (text_of(message), html_of(message)):
        assert "3.5 hours" in body and "42.7 g" in body and "$4.27" in body
        assert f"{expires:%a}, {expires:%b} {expires.day}, {expires.year}, " in body
        linked_id, nonce = services.tokens.read_confirm(link_in(body, "confirm"))
        assert linked_id == job_id
    assert services.actions.student_decides(job_id, nonce, confirm=True).job.status == Status.READY_TO_PRINT
    assert mail_events(services, job_id)[2:] == ["EmailQueued approved", "EmailSent approved"]


def test_an_approvals_note_travels_in_its_e_mail_whenever_that_is_sent(
    services: Services, mail_sender: MailSender, inbox: MailInbox, quiet_job: MakeJob
) -> None:
    job_id = quiet_job().id
    act(services, job_id, "approve", note="We print it <flat>.\nIs that fine?")
    mail_sender.attend(job_id)
    act(later(services, minutes=5), job_id, "resend-email")
    mail_sender.attend(job_id)
    act(services, job_id, "revert")
    act(services, job_id, "approve")
    mail_sender.attend(job_id)
    assert len(inbox.messages) == 3
    for message in inbox.messages[:2]:
        text, html = text_of(message), html_of(message)
        assert f"{services.lab.about.name} writes:" in text and "  We print it <flat>.\n  Is that fine?" in text
        assert "We print it &lt;flat&gt;.\nIs that fine?" in html
    assert " writes:" not in text_of(inbox.messages[2]), "a new approval has a note of its own, or none"


def test_a_rejection_says_why(
    services: Services, mail_sender: MailSender, inbox: MailInbox, quiet_job: MakeJob
) -> None:
    job_id = quiet_job().id
    act(services, job_id, "reject", reasons=["too-large", "messy"], comment="See the handle.\n<b>Ask us</b> & come by.")
    mail_sender.attend(job_id)
    message = inbox.only_message()
    require_common_form(message)
    text, html = " ".join(text_of(message).split()), html_of(message)
    for reason in ("too-large", "messy"):
        reason_in_lab = services.lab.reason(reason)
        assert reason_in_lab is not None and reason_in_lab.text in text
    assert "See the handle. <b>Ask us</b> & come by." in text
    assert "See the handle.\n&lt;b&gt;Ask us&lt;/b&gt; &amp; come by." in html
    assert mail_events(services, job_id)[2:] == ["EmailQueued rejected", "EmailSent rejected"]


def test_a_rejection_says_what_the_inspection_found(services: Services, composer: MailComposer) -> None:
    job = submit(services).job
    torn = {"format": "binary STL", "triangles": 12, "size_mm": [300, 20, 20], "volume_cm3": 9, "open_edges": 3}
    inspected = [file.model_copy(update={"model": torn}) if file.role == "original" else file for file in job.files]
    message = compose(
        composer, OwedMail(job.id, 2, "rejected", "jane@example.edu"), job.model_copy(update={"files": inspected})
    )
    text, html = " ".join(text_of(message).split()), html_of(message)
    sentences = finding_sentences(job.model_copy(update={"files": inspected}), services.lab)
    assert len(sentences) >= 2
    for sentence in sentences:
        assert sentence in text and str(escape(sentence)) in html
    plain = text_of(compose(composer, OwedMail(job.id, 2, "rejected", "jane@example.edu"), job))
    assert "inspection" not in plain and finding_sentences(job, services.lab) == []


def test_a_finished_print_says_where_and_when_to_come(
    services: Services, mail_sender: MailSender, inbox: MailInbox, quiet_job: MakeJob
) -> None:
    job_id = quiet_job().id
    for action in ("approve", "confirm", "start", "complete"):
        act(services, job_id, action)
    mail_sender.attend(job_id)
    message = inbox.only_message()  # the approval, overtaken by the confirmation, is not sent any more
    require_common_form(message)
    assert message["Subject"] == f"Your 3D print is ready to collect ({job_id})"
    for body in (" ".join(text_of(message).split()), html_of(message)):
        assert (
            services.lab.about.place in body and services.lab.about.hours in body and services.lab.about.bring in body
        )
        assert body.count("$4.27") == 1
    assert mail_events(services, job_id)[-1] == "EmailSent completed"


def test_what_a_student_writes_reaches_the_lab_and_is_answered_to_the_student(
    services: Services, mail_sender: MailSender, inbox: MailInbox, quiet_job: MakeJob
) -> None:
    job_id = quiet_job().id
    for number in (1, 2):
        answer = ReplyInput(message=f"Message {number}:\n<b>Thursday</b> & before?")
        services.actions.student_does(job_id, "reply", answer)
    mail_sender.attend(job_id)
    assert inbox.recipients[1:] == [["printlab@example.edu"], ["printlab@example.edu"]]
    for number, message in enumerate(inbox.messages, 1):
        assert message["Reply-To"].addresses[0].addr_spec == "jane@example.edu"
        assert message["Subject"] == f"Jane Doe writes about job {job_id}"
        assert f"Message {number}:" in text_of(message) and "<b>Thursday</b> & before?" in text_of(message)
        assert "&lt;b&gt;Thursday&lt;/b&gt;" in html_of(message) and f"/dashboard/jobs/{job_id}" in html_of(message)
        assert "/status/" not in text_of(message), "the student's own link is for the student"


@pytest.mark.parametrize("address", ["", "jane", "jane@example.edu\r\nBcc: x@y.edu"])
def test_a_message_reaches_the_lab_whatever_became_of_the_address(
    services: Services, composer: MailComposer, address: str
) -> None:
    job = edited(submit(services), email=address)
    message = compose(composer, OwedMail(job.id, 2, "reply", "printlab@example.edu", message="Hello?"), job)
    assert [to.addr_spec for to in message["To"].addresses] == ["printlab@example.edu"]
    assert [to.addr_spec for to in message["Reply-To"].addresses] == ["printlab@example.edu"]
    assert "Hello?" in text_of(message) and "no address to which an answer could go" in text_of(message)


def test_a_withdrawn_request_is_acknowledged_and_what_waited_is_dropped(
    services: Services, mail_sender: MailSender, inbox: MailInbox, quiet_job: MakeJob
) -> None:
    job_id = quiet_job().id
    act(services, job_id, "approve")
    services.actions.student_does(job_id, "withdraw", OptionalReasonInput(reason="I found a mistake."))
    mail_sender.attend(job_id)
    message = inbox.only_message()
    require_common_form(message)
    assert message["Subject"] == f"Your 3D print request is withdrawn ({job_id})"
    assert mail_events(services, job_id)[2:] == [
        "EmailQueued approved", "EmailDropped approved", "EmailQueued withdrawn", "EmailSent withdrawn",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "name", ["José Ñandú", "李明", "محمد علي", "Анна-Мария О’Нил", "Doe, Jane (“J”) <x>", "🦄 Ünïcørn", "a" * 100]
)
def test_names_of_any_script_arrive_as_they_are(
    services: Services, mail_sender: MailSender, inbox: MailInbox, name: str
) -> None:
    mail_sender.attend(submit(services, name=name).id)
    assert inbox.only_message()["To"].addresses[0].display_name == name
    assert inbox.only_message()["To"].addresses[0].addr_spec == "jane@example.edu"
    assert f"Hello {name}," in text_of(inbox.only_message())


def test_an_address_with_a_name_in_another_script_arrives(
    services: Services, mail_sender: MailSender, inbox: MailInbox
) -> None:
    mail_sender.attend(submit(services, email="jane@bücher.example.org").id)
    assert inbox.recipients == [["jane@xn--bcher-kva.example.org"]]


@pytest.fixture
def composer(services: Services) -> MailComposer:
    return make_composer(services.settings, services.lab, services.tokens)


def edited(stored: Stored, **student: str) -> Any:
    """The job as somebody's hand edit of metadata.json may leave it."""
    return stored.job.model_copy(update={"student": stored.job.student.model_copy(update=student)})


NASTY_NAMES = [
    "Jane\r\nBcc: all@example.edu",
    "Jane\n\nBody",
    "Jane\x00\x0b\u2028Subject: x",
    "=?utf-8?q?X=0D=0ABcc:_a@b?=",
    "Jane =?utf-8?b?DQpCY2M6IGFAYg==?= Doe",
    "=?utf-8?q?X=0D=0AContent-Type:_text/plain=0D=0A=0D=0AWin_a_prize?=",
    "=\u200b?utf-8?q?X=0D=0ABcc:_a@b?=",
    "==??utf-8?q?=0ABcc:_a@b?=",
    "=?utf-8?q?=E9=?=",
    "Jane\x85Bcc: all@example.edu",
    "\udcff Jane",
    "A" * 5000,
    "Ä, Ö" * 500,
    "Jane <all@example.edu>, Joe",
]


@pytest.mark.parametrize("nasty", NASTY_NAMES)
def test_a_name_cannot_add_headers(
    services: Services, mail_sender: MailSender, inbox: MailInbox, composer: MailComposer, nasty: str
) -> None:
    """FAULTS S1: the bytes that arrive have the headers that an ordinary name's have, and the same one body."""
    stored = submit(services)
    mail = OwedMail(stored.id, 2, "received", "jane@example.edu")
    ordinary = compose(composer, mail, stored.job)
    assert isinstance(deliver(compose(composer, mail, edited(stored, name=nasty)), services.settings), Sent)
    message = inbox.only_message()
    assert message.keys() == ordinary.keys()
    assert [address.addr_spec for address in message["To"].addresses] == ["jane@example.edu"]
    assert inbox.recipients == [["jane@example.edu"]]
    require_common_form(message)
    assert text_of(message).endswith(text_of(ordinary)[-200:])


@pytest.mark.parametrize(
    "nasty",
    [
        "jane@example.edu\r\nBcc: all@example.edu",
        "a@b.edu, c@d.edu",
        "jane",
        "",
        "Jane <jane@example.edu>",
        "@",
        "x@[::1]",
        "=?utf-8?q?X=0D=0ABcc=3A_a=40b?=@example.edu",
    ],
)
def test_what_is_no_address_is_never_written_to(services: Services, composer: MailComposer, nasty: str) -> None:
    stored = submit(services)
    with pytest.raises(MailNotSendable):
        compose(composer, OwedMail(stored.id, 2, "received", nasty), stored.job)


TRICKS = [
    "=?utf-8?q?", "=?utf-8?b?", "=?us-ascii?Q?", "=?", "?=", "=0D=0A", "=0A", "DQpCY2M6IGFAYg==", "Bcc:", "Subject: x",
    "\r", "\n", "\u2028", "\x85", "\x0b", "\t", " ", "_", "@", "<", ">", ",", ";", '"', "\\", "(", ")", "\udc0a",
]  # fmt: skip
HOSTILE_TEXT = st.lists(st.sampled_from(TRICKS) | st.text(max_size=8), max_size=30).map("".join)


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(max_size=200) | HOSTILE_TEXT)
def test_no_name_breaks_the_header_it_stands_in(composer: MailComposer, name: str) -> None:
    require_harmless(composer, name)


@pytest.mark.proof
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=10_000)
@given(name=HOSTILE_TEXT)
def test_none_of_ten_thousand_hostile_names_does(composer: MailComposer, name: str) -> None:
    require_harmless(composer, name)


def require_harmless(composer: MailComposer, name: str) -> None:
    """In the subject, too, where a template of the lab's own may put it."""
    message = composer.empty_message("jane@example.edu", f"Your print, {name}", name)
    message.set_content("Hello\n", cte="quoted-printable")
    data = wire_bytes(message)
    parsed = email.message_from_bytes(data, policy=default)
    assert [address.addr_spec for address in parsed["To"].addresses] == ["jane@example.edu"]
    assert parsed.keys() == message.keys()
    assert parsed.get_content().strip() == "Hello"
    assert all(len(line) <= 998 for line in data.splitlines())


@pytest.mark.parametrize("header", ["To", "Subject", "X-Lab"])
def test_bytes_that_would_say_something_else_never_leave(composer: MailComposer, header: str) -> None:
    """Whatever a later change forgets to clean: what is read back is compared before it is sent. Newer Pythons encode
    what older ones write out, or refuse it in their own words."""
    message = composer.empty_message("jane@example.edu", "Your print")
    message.set_content("Hello\n", cte="quoted-printable")
    del message[header]
    trick = "=?utf-8?q?X=0D=0ABcc:_a@b?="
    message[header] = Address(trick, "jane", "example.edu") if header == "To" else trick
    try:
        arrived = email.message_from_bytes(wire_bytes(message))
    except MailNotSendable:
        assert isinstance(deliver(message, composer.settings), PermanentFailure)
    else:
        assert arrived.keys() == message.keys() and arrived.get_payload() == "Hello\r\n"


def test_the_same_mail_has_the_same_message_id_whenever_it_is_written(
    services: Services, composer: MailComposer
) -> None:
    stored = submit(services)
    mail = OwedMail(stored.id, 2, "received", "jane@example.edu")
    assert compose(composer, mail, stored.job)["Message-ID"] == f"<{stored.id}.2.received@example.edu>"
    later_composer = make_composer(services.settings, load_lab(services.settings.lab_config), services.tokens)
    assert compose(later_composer, mail, stored.job)["Message-ID"] == compose(composer, mail, stored.job)["Message-ID"]


@pytest.mark.parametrize("mail", list(Mail))
def test_every_e_mail_has_a_function_two_templates_and_a_sample(
    services: Services, composer: MailComposer, mail: Mail
) -> None:
    assert callable(getattr(messages, mail.value))
    assert (TEMPLATES / f"{mail.value}.txt").is_file() and (TEMPLATES / f"{mail.value}.html").is_file()
    now = datetime.now(UTC)
    owed, job = sample(mail, services.lab, now)
    assert emails.reason_to_drop(owed, job, now) is None, "the sample is a job that owes the e-mail"
    assert owed.job_id in compose(composer, owed, job)["Subject"]


@pytest.mark.parametrize("kind", list(Mail))
def test_every_e_mail_can_be_written_for_a_job_with_little_in_it(
    services: Services, composer: MailComposer, kind: Mail
) -> None:
    """As an override or a hand edit may leave it: no estimate, no reasons, no printer that the lab still has."""
    job = submit(services).job
    bare = job.model_copy(
        update={
            "request": job.request.model_copy(update={"printer": "sold", "color": None}),
            "confirmation": Confirmation(nonce="n"),
            "files": [],
        }
    )
    message = compose(composer, OwedMail(job.id, 2, kind.value, "jane@example.edu"), bare)
    assert "Filament" in text_of(message) and "None" not in text_of(message) + html_of(message)


def test_an_approval_written_after_its_deadline_offers_a_new_link(services: Services, composer: MailComposer) -> None:
    job = submit(services).job
    expired = job.model_copy(update={"confirmation": Confirmation(nonce="n", expires_at=job.created_at)})
    message = compose(composer, OwedMail(job.id, 2, "approved", "jane@example.edu"), expired)
    for body in (text_of(message), html_of(message)):
        assert "ran out before we could send this" in body and "as soon as you confirm. " not in body
