"""E-mails to students: one two-line function each, whose name is its template's name in templates/email/.

A template is two files. The first line of `<name>.txt` is the subject; the rest is the text part, and `<name>.html`
the HTML part (see printsys.mail.templates). Nothing here sends: see printsys.mail.smtp.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid, parseaddr
from typing import Any
from zoneinfo import ZoneInfo

from printsys.assessment.model_findings import finding_sentences
from printsys.config import Lab, Settings
from printsys.credentials.signed_links import Tokens
from printsys.domain.emails import Mail, OwedMail
from printsys.domain.job import Discount, Job
from printsys.domain.links import resubmission_key
from printsys.domain.payments import Ledger, charged_discounts, ledger
from printsys.domain.pricing import round_up_to_half_hour
from printsys.domain.words import counted
from printsys.errors import ConfigError
from printsys.mail.headers import MailNotSendable, ascii_address, header_text, mailbox
from printsys.mail.templates import MailTemplates, one_line
from printsys.texts import date_and_time, date_text, hours, reasons


@dataclass(frozen=True)
class ReceiptEntry:
    """A job on a receipt, with what it cost and what was paid of it."""

    job_id: str
    title: str
    book: Ledger
    discounts: tuple[Discount, ...] = ()


@dataclass(frozen=True)
class Receipt:
    """What one receipt is for: the sums of its entries."""

    entries: tuple[ReceiptEntry, ...]

    @classmethod
    def of(cls, jobs: Sequence[Job]) -> Receipt:
        return cls(
            tuple(
                ReceiptEntry(job.id, _title(job), ledger(job), charged_discounts(job))
                for job in jobs
                if job.payment is not None
            )
        )

    def total(self, column: str) -> Decimal:
        """Of what is `paid`, `waived`, `refunded` or `due`."""
        return sum((getattr(entry.book, column) for entry in self.entries), Decimal(0))

    @property
    def payer(self) -> str | None:
        """Who paid, where that was not the student."""
        lines = [line for entry in self.entries for line in entry.book.lines if line.kind == "payment"]
        return lines[-1].payer if lines else None


def _title(job: Job) -> str:
    return ", ".join(one_line(file.title) for file in job.sent_files) or job.id


@dataclass(frozen=True)
class MailComposer:
    """Writes e-mails: holds what they need besides the job."""

    settings: Settings
    lab: Lab
    tokens: Tokens
    templates: MailTemplates
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def from_template(self, name: str, mail: OwedMail, job: Job, **values: Any) -> EmailMessage:
        """The e-mail `name` about `job`. The same `mail` has the same Message-ID whenever it is written."""
        subject, text, html = self.templates.render(name, self.template_values(job) | values)
        message = self.empty_message(mail.to, subject, job.student.name)
        message["Message-ID"] = mail.message_id(self.domain)
        # Quoted-printable passes servers that know only ASCII and short lines.
        message.set_content(text, cte="quoted-printable")
        message.add_alternative(html, subtype="html", cte="quoted-printable")
        return message

    def test_message(self, to: str) -> EmailMessage:
        """An e-mail that says only that e-mail works."""
        message = self.empty_message(to, f"Test e-mail from {self.lab.about.name}")
        message["Message-ID"] = make_msgid(domain=self.domain)
        message.set_content(f"If you can read this, {self.lab.about.name} can send e-mail.\n", cte="quoted-printable")
        return message

    def empty_message(self, to: str, subject: str, name: str = "") -> EmailMessage:
        """A message without a body. MailNotSendable where `to` is no address."""
        sender_name, sender = parseaddr(
            (self.settings.mail and self.settings.mail.sender) or self.lab.about.contact_email
        )
        message = EmailMessage(policy=SMTP)
        message["Subject"] = header_text(subject)
        message["From"] = mailbox(sender_name or self.lab.about.name, sender)
        message["To"] = mailbox(name, to)
        message["Reply-To"] = mailbox(self.lab.about.name, self.lab.about.contact_email)
        message["Date"] = format_datetime(self.clock().astimezone(self.zone))
        message["Auto-Submitted"] = "auto-generated"
        message["X-Auto-Response-Suppress"] = "All"  # what Exchange understands instead
        return message

    def template_values(self, job: Job) -> dict[str, Any]:
        """What every template can name."""
        printer = self.lab.printer(job.request.actual_printer)
        expires = job.confirmation.expires_at if job.confirmation else None
        return {
            "lab": self.lab.about,
            "job": job,
            "name": one_line(job.student.name),
            "status_link": f"{self.settings.base_url}/status/{self.tokens.status(job.id)}",
            "files": [one_line(file.uploaded_as or file.name.rpartition("/")[2]) for file in job.sent_files],
            "print": ", ".join(
                filter(None, [job.request.method, job.request.color, printer.name if printer else None])
            ),
            "estimate": job.estimate,
            "taken_off": charged_discounts(job),
            "price_stated": False,
            "hours": _hours(job.estimate.time_h) if job.estimate and job.estimate.time_h else None,
            "expires": expires and self.date_and_time(expires),
            "since": self.date(job.status_since),
            "expired": expires is not None and expires <= self.clock(),
        }

    def confirm_link(self, job: Job) -> str:
        """For a job that has a confirmation to give."""
        assert job.confirmation is not None and job.confirmation.nonce is not None
        return f"{self.settings.base_url}/confirm/{self.tokens.confirm(job.id, job.confirmation.nonce)}"

    def resubmit_link(self, job: Job) -> str | None:
        """Where a rejected request can be sent again; None for a job that is not rejected."""
        key = resubmission_key(job)
        return f"{self.settings.base_url}/resubmit/{self.tokens.resubmit(job.id, key)}" if key else None

    def date_and_time(self, moment: datetime) -> str:
        return date_and_time(moment.astimezone(self.zone))

    def date(self, moment: datetime) -> str:
        return date_text(moment.astimezone(self.zone))

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.lab.about.timezone)

    @property
    def domain(self) -> str:
        """The lab's own, the same on all its machines: Message-IDs end with it."""
        return ascii_address(self.lab.about.contact_email).rpartition("@")[2]


def make_composer(settings: Settings, lab: Lab, tokens: Tokens) -> MailComposer:
    """ConfigError where the lab's own address is none: else every student's e-mail would be given up for it."""
    mistakes = []
    sender = settings.mail.sender if settings.mail else None
    for setting, address in (("lab.toml, contact_email", lab.about.contact_email), ("MAIL_DEFAULT_SENDER", sender)):
        try:
            if address is not None:
                ascii_address(parseaddr(address)[1])
        except MailNotSendable:
            mistakes.append(f"{setting}: “{address}” is not an e-mail address")
    if mistakes:
        raise ConfigError(mistakes)
    return MailComposer(settings, lab, tokens, MailTemplates(lab.mail.folder(settings.lab_config)))


# -- the e-mails ----------------------------------------------------------------------------------------------------


def received(composer: MailComposer, mail: OwedMail, job: Job) -> EmailMessage:
    return composer.from_template("received", mail, job)


def approved(composer: MailComposer, mail: OwedMail, job: Job) -> EmailMessage:
    link = composer.confirm_link(job)
    return composer.from_template("approved", mail, job, confirm_link=link, note=mail.message or "")


def rejected(composer: MailComposer, mail: OwedMail, job: Job) -> EmailMessage:
    values: dict[str, Any] = {"reasons": reasons(job, composer.lab), "findings": finding_sentences(job, composer.lab)}
    values |= {"resubmit_link": composer.resubmit_link(job), "estimate": None, "hours": None}
    return composer.from_template("rejected", mail, job, **values)


def reminder(composer: MailComposer, mail: OwedMail, job: Job) -> EmailMessage:
    return composer.from_template("reminder", mail, job, confirm_link=composer.confirm_link(job))


def expired(composer: MailComposer, mail: OwedMail, job: Job) -> EmailMessage:
    return composer.from_template("expired", mail, job, confirm_link=composer.confirm_link(job))


def completed(composer: MailComposer, mail: OwedMail, job: Job) -> EmailMessage:
    return composer.from_template("completed", mail, job, price_stated=True)


def uncollected(composer: MailComposer, mail: OwedMail, job: Job) -> EmailMessage:
    return composer.from_template("uncollected", mail, job, price_stated=True)


def last_call(composer: MailComposer, mail: OwedMail, job: Job) -> EmailMessage:
    keep = counted(composer.lab.retention.last_call_days, "day")
    return composer.from_template("last_call", mail, job, price_stated=True, keep=keep)


def receipt(composer: MailComposer, mail: OwedMail, job: Job, others: Sequence[Job] = ()) -> EmailMessage:
    """`others`: jobs of the same payment, which have no receipt of their own."""
    paid_at = composer.date_and_time(job.payment.at) if job.payment and job.payment.at else None
    values = {"payment": job.payment, "paid_at": paid_at, "price_stated": True, "receipt": Receipt.of([*others, job])}
    return composer.from_template("receipt", mail, job, **values)


def withdrawn(composer: MailComposer, mail: OwedMail, job: Job) -> EmailMessage:
    return composer.from_template("withdrawn", mail, job, estimate=None, hours=None)


def reply(composer: MailComposer, mail: OwedMail, job: Job) -> EmailMessage:
    """To the lab: an answer to it goes to the student, where the job has an address that can be written to."""
    job_link = f"{composer.settings.base_url}/dashboard/jobs/{job.id}"
    student = _mailbox_of_student(job)
    values = {"message": mail.message or "", "job_link": job_link, "can_be_answered": student is not None}
    message = composer.from_template("reply", mail, job, **values)
    message.replace_header("To", mailbox(composer.lab.about.name, mail.to))
    if student is not None:
        message.replace_header("Reply-To", student)
    return message


def _mailbox_of_student(job: Job) -> Address | None:
    try:
        return mailbox(job.student.name, job.student.email or "")
    except MailNotSendable:
        return None


def compose(composer: MailComposer, mail: OwedMail, job: Job, others: Sequence[Job] = ()) -> EmailMessage:
    """The e-mail that is owed, by the function of its name. MailNotSendable where its address is none.

    `others` are the jobs that `mail.jobs` names.
    """
    if others:
        return receipt(composer, mail, job, others)
    write: Callable[[MailComposer, OwedMail, Job], EmailMessage] = globals()[Mail(mail.mail).value]
    return write(composer, mail, job)


def _hours(value: Decimal) -> str:
    return hours(round_up_to_half_hour(value))
