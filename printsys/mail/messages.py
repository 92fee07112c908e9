"""E-mails to students: one two-line function each, whose name is its template's name in templates/email/.

A template is two files. The first line of `<name>.txt` is the subject; the rest is the text part, and `<name>.html`
the HTML part (see printsys.stationery). Nothing here sends: see printsys.transport.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid, parseaddr
from typing import Any
from zoneinfo import ZoneInfo

from email_validator import EmailNotValidError, validate_email

from printsys.assessment.model_findings import found_in
from printsys.config import Lab, Settings
from printsys.credentials.signed_links import Tokens
from printsys.domain.emails import Mail, OwedMail
from printsys.domain.job import FileRecord, Job
from printsys.domain.links import resubmission_key
from printsys.domain.pricing import round_up_to_half_hour
from printsys.errors import ConfigError, PrintSysError
from printsys.mail.templates import MailTemplates, one_line
from printsys.texts import amount, clock, reasons


class MailNotSendable(PrintSysError):
    """No server would take it: the address cannot be one."""


@dataclass(frozen=True)
class MailComposer:
    """Where letters are written: what they need besides the job."""

    settings: Settings
    lab: Lab
    tokens: Tokens
    stationery: MailTemplates
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def write(self, name: str, mail: OwedMail, job: Job, **more: Any) -> EmailMessage:
        """The letter `name` about `job`. The same `mail` has the same Message-ID whenever it is written."""
        subject, text, html = self.stationery.written(name, self.facts(job) | more)
        message = self.envelope(mail.to, subject, job.student.name)
        message["Message-ID"] = mail.message_id(self.domain)
        return _with_parts(message, text, html)

    def write_test(self, to: str) -> EmailMessage:
        """A letter that says only that mail works."""
        message = self.envelope(to, f"Test e-mail from {self.lab.name}")
        message["Message-ID"] = make_msgid(domain=self.domain)
        message.set_content(f"If you can read this, {self.lab.name} can send e-mail.\n", cte="quoted-printable")
        return message

    def envelope(self, to: str, subject: str, name: str = "") -> EmailMessage:
        """A message without a body. Unsendable where `to` is no address."""
        given_name, sender = parseaddr((self.settings.mail and self.settings.mail.sender) or self.lab.contact_email)
        message = EmailMessage(policy=SMTP)
        message["Subject"] = one_line(subject)
        message["From"] = _mailbox(given_name or self.lab.name, sender)
        message["To"] = _mailbox(name, to)
        message["Reply-To"] = _mailbox(self.lab.name, self.lab.contact_email)
        message["Date"] = format_datetime(self.clock().astimezone(self.zone))
        message["Auto-Submitted"] = "auto-generated"
        message["X-Auto-Response-Suppress"] = "All"  # what Exchange understands instead
        return message

    def facts(self, job: Job) -> dict[str, Any]:
        """What every template may speak of."""
        printer = self.lab.printer(job.request.printer)
        expires = job.confirmation.expires_at if job.confirmation else None
        return {
            "lab": self.lab,
            "job": job,
            "name": one_line(job.student.name),
            "status_link": f"{self.settings.base_url}/status/{self.tokens.status(job.id)}",
            "files": [_students_name(file) for file in job.sent_files],
            "print": ", ".join(
                filter(None, [job.request.method, job.request.color, printer.name if printer else None])
            ),
            "estimate": job.estimate,
            "price_stated": False,
            "hours": _hours(job.estimate.time_h) if job.estimate and job.estimate.time_h else None,
            "expires": expires and self.moment(expires),
            "since": self.day(job.status_since),
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

    def moment(self, moment: datetime) -> str:
        """`Monday, March 9, 2026, 10:20 am`, where the lab is."""
        return f"{self.day(moment)}, {clock(moment.astimezone(self.zone))}"

    def day(self, moment: datetime) -> str:
        here = moment.astimezone(self.zone)
        return f"{here:%A}, {here:%B} {here.day}, {here.year}"

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.lab.timezone)

    @property
    def domain(self) -> str:
        """The lab's own, the same on all its machines: Message-IDs end with it."""
        return _ascii_address(self.lab.contact_email).rpartition("@")[2]


def make_desk(settings: Settings, lab: Lab, tokens: Tokens) -> MailComposer:
    """ConfigError where the lab's own address is none."""
    mistakes = list(_wrong_addresses(settings, lab))
    if mistakes:  # found at start, so that no student's mail is ever given up for it
        raise ConfigError(mistakes)
    return MailComposer(settings, lab, tokens, MailTemplates(lab.mail_templates))


def _wrong_addresses(settings: Settings, lab: Lab) -> Iterator[str]:
    sender = settings.mail.sender if settings.mail else None
    for where, address in (("lab.toml, contact_email", lab.contact_email), ("MAIL_DEFAULT_SENDER", sender)):
        try:
            if address is not None:
                _ascii_address(parseaddr(address)[1])
        except MailNotSendable:
            yield f"{where}: “{address}” is not an e-mail address"


# -- the letters ----------------------------------------------------------------------------------------------------


def received(desk: MailComposer, mail: OwedMail, job: Job) -> EmailMessage:
    return desk.write("received", mail, job)


def approved(desk: MailComposer, mail: OwedMail, job: Job) -> EmailMessage:
    return desk.write("approved", mail, job, confirm_link=desk.confirm_link(job))


def rejected(desk: MailComposer, mail: OwedMail, job: Job) -> EmailMessage:
    more: dict[str, Any] = {"reasons": reasons(job, desk.lab), "findings": found_in(job, desk.lab)}
    more |= {"resubmit_link": desk.resubmit_link(job)}
    return desk.write("rejected", mail, job, estimate=None, hours=None, **more)


def reminder(desk: MailComposer, mail: OwedMail, job: Job) -> EmailMessage:
    return desk.write("reminder", mail, job, confirm_link=desk.confirm_link(job))


def expired(desk: MailComposer, mail: OwedMail, job: Job) -> EmailMessage:
    return desk.write("expired", mail, job, confirm_link=desk.confirm_link(job))


def completed(desk: MailComposer, mail: OwedMail, job: Job) -> EmailMessage:
    return desk.write("completed", mail, job, price_stated=True)


def uncollected(desk: MailComposer, mail: OwedMail, job: Job) -> EmailMessage:
    return desk.write("uncollected", mail, job, price_stated=True)


def receipt(desk: MailComposer, mail: OwedMail, job: Job) -> EmailMessage:
    paid_at = desk.moment(job.payment.at) if job.payment and job.payment.at else None
    return desk.write("receipt", mail, job, payment=job.payment, paid_at=paid_at, price_stated=True)


LETTERS: dict[Mail, Callable[[MailComposer, OwedMail, Job], EmailMessage]] = {
    Mail.RECEIVED: received,
    Mail.APPROVED: approved,
    Mail.REMINDER: reminder,
    Mail.EXPIRED: expired,
    Mail.REJECTED: rejected,
    Mail.COMPLETED: completed,
    Mail.UNCOLLECTED: uncollected,
    Mail.RECEIPT: receipt,
}


def letter(desk: MailComposer, mail: OwedMail, job: Job) -> EmailMessage:
    """The letter that is owed. Unsendable where its address is none."""
    return LETTERS[Mail(mail.mail)](desk, mail, job)


# -- parts and headers ----------------------------------------------------------------------------------------------


def _with_parts(message: EmailMessage, text: str, html: str) -> EmailMessage:
    """Quoted-printable passes servers that know only ASCII and short lines."""
    message.set_content(text, cte="quoted-printable")
    message.add_alternative(html, subtype="html", cte="quoted-printable")
    return message


def _mailbox(name: str, address: str) -> Address:
    ascii_address = _ascii_address(address)
    user, _, domain = ascii_address.rpartition("@")
    return Address(one_line(name), user, domain)


def _ascii_address(address: str) -> str:
    """With the domain as mail servers know it. The name before the @ stays as it is, in any script."""
    try:
        checked = validate_email(address, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise MailNotSendable(f"“{one_line(address)}” is not an e-mail address.") from error
    return checked.ascii_email or f"{checked.local_part}@{checked.ascii_domain}"


# -- words ----------------------------------------------------------------------------------------------------------


def _students_name(file: FileRecord) -> str:
    """The file as the student's computer called it."""
    return one_line(file.uploaded_as or file.name.rpartition("/")[2])


def _hours(value: Decimal) -> str:
    hours = round_up_to_half_hour(value)
    return f"{amount(hours)} {'hour' if hours == 1 else 'hours'}"
