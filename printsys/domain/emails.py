"""Which e-mails a job owes: an e-mail is owed from its EmailQueued event until it is sent, given up or dropped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from printsys.domain.events import STUDENT, SYSTEM, Event, EventDraft, EventType
from printsys.domain.job import WITHDRAWN, Job, format_time
from printsys.domain.status import Status, in_words


class Mail(StrEnum):
    """Each value is also the name of the e-mail's function in mail/messages.py and of its two templates."""

    RECEIVED = "received"
    APPROVED = "approved"
    REMINDER = "reminder"
    EXPIRED = "expired"
    REJECTED = "rejected"
    COMPLETED = "completed"
    UNCOLLECTED = "uncollected"
    LAST_CALL = "last_call"
    RECEIPT = "receipt"
    WITHDRAWN = "withdrawn"
    REPLY = "reply"


@dataclass(frozen=True, kw_only=True)
class EmailSpec:
    """What is true of one e-mail.

    `name` is for staff's pages. Outside `true_in` its sentences are wrong, so it is dropped, and so is one
    `about_the_link` once that link is dead. One `to_lab` goes to the lab's own address, every other to the student.
    `sample_steps` take a new job to where this e-mail is owed: previews do it.
    """

    name: str
    true_in: frozenset[Status] = frozenset(Status)
    about_the_link: bool = False
    to_lab: bool = False
    sample_steps: tuple[str, ...] = ()


EMAILS: dict[Mail, EmailSpec] = {
    Mail.RECEIVED: EmailSpec(name="Request received"),
    Mail.APPROVED: EmailSpec(
        name="Price and confirmation link",
        true_in=frozenset({Status.PENDING}),
        about_the_link=True,
        sample_steps=("approve",),
    ),
    Mail.REMINDER: EmailSpec(
        name="Reminder to confirm",
        true_in=frozenset({Status.PENDING}),
        about_the_link=True,
        sample_steps=("approve",),
    ),
    Mail.EXPIRED: EmailSpec(
        name="Time to confirm is over",
        true_in=frozenset({Status.PENDING}),
        about_the_link=True,
        sample_steps=("approve",),
    ),
    Mail.REJECTED: EmailSpec(
        name="Not printed",
        true_in=frozenset({Status.REJECTED, Status.ARCHIVED}),
        sample_steps=("reject",),
    ),
    Mail.COMPLETED: EmailSpec(
        name="Ready to collect",
        true_in=frozenset({Status.COMPLETED}),
        sample_steps=("approve", "student_confirm", "start", "complete"),
    ),
    Mail.UNCOLLECTED: EmailSpec(
        name="Reminder to collect",
        true_in=frozenset({Status.COMPLETED}),
        sample_steps=("approve", "student_confirm", "start", "complete"),
    ),
    Mail.LAST_CALL: EmailSpec(
        name="Last reminder to collect",
        true_in=frozenset({Status.COMPLETED}),
        sample_steps=("approve", "student_confirm", "start", "complete"),
    ),
    Mail.RECEIPT: EmailSpec(
        name="Receipt",
        true_in=frozenset({Status.PAID_PICKED_UP, Status.ARCHIVED}),
        sample_steps=("approve", "student_confirm", "start", "complete", "pickup"),
    ),
    Mail.WITHDRAWN: EmailSpec(
        name="Request withdrawn",
        true_in=frozenset({Status.REJECTED, Status.ARCHIVED}),
        sample_steps=("withdraw",),
    ),
    Mail.REPLY: EmailSpec(name="The student's message to the lab", to_lab=True, sample_steps=("reply",)),
}


def mail_name(mail: str) -> str:
    """The e-mail's name on staff's pages; for one that this version does not know, as the log has it."""
    return EMAILS[Mail(mail)].name if mail in set(Mail) else mail


RESENDABLE = {
    Status.UPLOADED: Mail.RECEIVED,
    Status.PENDING: Mail.APPROVED,
    Status.REJECTED: Mail.REJECTED,
    Status.COMPLETED: Mail.COMPLETED,
    Status.PAID_PICKED_UP: Mail.RECEIPT,
}
"""The mail that a student in this status is waiting for; see `resendable` for the job that has another one."""

CLOSING = frozenset({EventType.EMAIL_SENT.value, EventType.EMAIL_FAILED.value, EventType.EMAIL_DROPPED.value})


@dataclass(frozen=True)
class OwedMail:
    """`queued_seq` is the EmailQueued event's `seq`: it names the e-mail for good (see `message_id`). `message`: what a
    person wrote that it brings: the student's reply, staff's note with the price."""

    job_id: str
    queued_seq: int
    mail: str
    to: str
    not_before: datetime | None = None
    message: str | None = None
    jobs: tuple[str, ...] = ()
    """Ids of other jobs that it is about, too: those of one payment have one receipt."""

    def message_id(self, domain: str) -> str:
        """One deterministic Message-ID per mail, so that a mail sent twice is recognised as one."""
        return f"<{self.job_id}.{self.queued_seq}.{self.mail}@{domain}>"


def address_of(mail: Mail, job: Job, lab_email: str) -> str | None:
    """Whom `mail` goes to."""
    return lab_email if EMAILS[mail].to_lab else job.student.email


def queued(mail: Mail, to: str, actor: str, not_before: datetime | None = None, jobs: Sequence[str] = ()) -> EventDraft:
    data: dict[str, Any] = {"mail": mail.value, "to": to}
    if jobs:
        data["jobs"] = list(jobs)
    if not_before is not None:
        data["not_before"] = format_time(not_before)
    return EventDraft(EventType.EMAIL_QUEUED, actor, data)


def owed(events: Iterable[Event], job_id: str) -> list[OwedMail]:
    """E-mails queued and not yet sent, failed for good or dropped; oldest first."""
    waiting: dict[int, OwedMail] = {}
    written: dict[str, str] = {}
    for event in events:
        if event.type == EventType.STUDENT_WROTE:
            written[Mail.REPLY] = str(event.data.get("message"))
        elif event.type == EventType.STAFF_APPROVED:
            written[Mail.APPROVED] = str(event.data.get("note") or "")
        elif event.type == EventType.EMAIL_QUEUED:
            not_before = event.data.get("not_before")
            waiting[event.seq] = OwedMail(
                job_id,
                event.seq,
                str(event.data.get("mail")),
                str(event.data.get("to")),
                datetime.fromisoformat(not_before) if not_before else None,
                written.get(str(event.data.get("mail"))) or None,
                _jobs(event),
            )
        elif event.type in CLOSING:
            waiting.pop(event.data.get("queued_seq", -1), None)
    return list(waiting.values())


def _jobs(event: Event) -> tuple[str, ...]:
    return tuple(map(str, event.data.get("jobs", ())))


def held_back(events: Sequence[Event]) -> datetime | None:
    """The end of the grace in which a dragged folder can go back before its e-mail is sent; None: no e-mail waits."""
    return max((mail.not_before for mail in owed(events, "") if mail.not_before), default=None)


def is_true_in(mail: str, status: Status) -> bool:
    """Whether `mail` still says something true of a job in `status`. One that this version does not know does not."""
    return mail in set(Mail) and status in EMAILS[Mail(mail)].true_in


def is_true_of(mail: str, job: Job) -> bool:
    """The same of a job: the lab's "not printed" is no answer to a student who withdrew, or said no."""
    if not is_true_in(mail, job.status):
        return False
    is_the_students = job.rejection is not None and job.rejection.by == STUDENT
    if mail == Mail.REJECTED:
        return not is_the_students
    return mail != Mail.WITHDRAWN or (job.rejection is not None and WITHDRAWN in job.rejection.reasons)


def resendable(job: Job) -> Mail | None:
    """The mail that says what is true of the job now; None where there is none to send again."""
    mail = RESENDABLE.get(job.status)
    if mail is Mail.REJECTED and not is_true_of(mail, job):
        mail = Mail.WITHDRAWN
    if mail is Mail.APPROVED and (job.estimate is None or job.estimate.cost is None):
        return None
    return mail if mail is not None and is_true_of(mail, job) else None


def reason_to_drop(mail: OwedMail, job: Job, now: datetime) -> str | None:
    """Why `mail` is not true any more, or None: an approval that was taken back, a reminder whose time is over."""
    if not is_true_in(mail.mail, job.status):
        return f"the job is {job.status} now"
    if not is_true_of(mail.mail, job):
        return "the student took the request back"
    if not EMAILS[Mail(mail.mail)].about_the_link:
        return None
    if job.confirmation is None or job.confirmation.nonce is None:
        return "there is nothing to confirm any more"
    over = job.confirmation.expires_at is not None and job.confirmation.expires_at <= now
    if over and mail.mail == Mail.REMINDER:
        return "the time to confirm is over"
    return "the student has a new link" if not over and mail.mail == Mail.EXPIRED else None


def sent(mail: OwedMail, message_id: str) -> EventDraft:
    return _closing(EventType.EMAIL_SENT, mail, message_id=message_id)


def failed(mail: OwedMail, answer: str) -> EventDraft:
    """Given up: `answer` is the mail server's own words."""
    return _closing(EventType.EMAIL_FAILED, mail, answer=answer)


def dropped(mail: OwedMail, why: str) -> EventDraft:
    return _closing(EventType.EMAIL_DROPPED, mail, why=in_words(why))


def drop_untrue(owed: Iterable[OwedMail], status: Status, why: str) -> list[EventDraft]:
    """Drops those of the waiting e-mails that say nothing true of a job in `status`. What is about other jobs, too,
    stays owed: the sender knows which of them it is true of."""
    return [dropped(mail, why) for mail in owed if not mail.jobs and not is_true_in(mail.mail, status)]


@dataclass(frozen=True)
class FailedMail:
    """An e-mail that the sender gave up, with the server's `answer`. `jobs`: others that it is about, too."""

    mail: Mail
    to: str
    answer: str
    at: datetime
    jobs: tuple[str, ...] = ()


def given_up(events: Iterable[Event], job: Job) -> list[FailedMail]:
    """E-mails that failed for good, are still true of the job or about others, too, and were not queued again since."""
    failures: dict[str, FailedMail] = {}
    jobs_of: dict[int, tuple[str, ...]] = {}
    for event in events:
        mail = str(event.data.get("mail"))
        if event.type == EventType.EMAIL_QUEUED:
            jobs_of[event.seq] = _jobs(event)
        jobs = jobs_of.get(event.data.get("queued_seq", event.seq), ())
        failure = failures.get(mail)
        if event.type == EventType.EMAIL_FAILED and (is_true_of(mail, job) or (jobs and mail in set(Mail))):
            all_jobs = tuple(dict.fromkeys((*failure.jobs, *jobs) if failure else jobs))
            to, answer = str(event.data.get("to")), str(event.data.get("answer"))
            failures[mail] = FailedMail(Mail(mail), to, answer, event.at, all_jobs)
        elif (
            event.type in (EventType.EMAIL_QUEUED, EventType.EMAIL_SENT) and failure and set(failure.jobs) <= set(jobs)
        ):
            del failures[mail]
    return list(failures.values())


def _closing(kind: EventType, mail: OwedMail, **data: str) -> EventDraft:
    return EventDraft(kind, SYSTEM, {"mail": mail.mail, "to": mail.to, "queued_seq": mail.queued_seq} | data)
