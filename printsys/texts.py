"""The words that pages and e-mails share: the names of statuses and e-mails, money, amounts and times of day."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from printsys.config import Lab
from printsys.domain.job import DECLINED, WITHDRAWN, Discount, Job, plain
from printsys.domain.pricing import money as money
from printsys.domain.status import NAMES, Status
from printsys.domain.words import counted

NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML 1.0 document holds."""


def xml_text(text: str) -> str:
    """What a workbook or a drawing can hold of it."""
    return NOT_XML.sub("", text)


@dataclass(frozen=True)
class StatusText:
    """`name` is for staff; students read `title` and `explanation` while a job is there, and `past` later."""

    name: str
    title: str
    explanation: str
    past: str


STATUS_TEXTS = {
    Status.UPLOADED: StatusText(
        NAMES[Status.UPLOADED],
        "We are looking at your model",
        "We check whether it prints well and what it costs, and write to you. You need not do anything now.",
        "You sent it",
    ),
    Status.PENDING: StatusText(
        NAMES[Status.PENDING],
        "Waiting for your OK",
        "Your model is approved. We print it as soon as you confirm the price by the link in our e-mail.",
        "We approved it",
    ),
    Status.READY_TO_PRINT: StatusText(
        NAMES[Status.READY_TO_PRINT],
        "In line for printing",
        "We print it as soon as a printer is free.",
        "You agreed to the price",
    ),
    Status.PRINTING: StatusText(
        NAMES[Status.PRINTING], "Printing now", "Your model is on a printer.", "We started to print it"
    ),
    Status.COMPLETED: StatusText(
        NAMES[Status.COMPLETED], "Ready for you to collect", "Your print is done.", "It was done"
    ),
    Status.PAID_PICKED_UP: StatusText(
        NAMES[Status.PAID_PICKED_UP], "Collected", "You have your print. Thank you!", "You collected it"
    ),
    Status.REJECTED: StatusText(NAMES[Status.REJECTED], "Not printed", "We did not print this.", "We did not print it"),
    Status.ARCHIVED: StatusText(NAMES[Status.ARCHIVED], "Closed", "This job is finished and filed.", "It was filed"),
}


STUDENTS_REASONS = {DECLINED: "You told us that you do not want this print.", WITHDRAWN: "You withdrew the request."}
"""Of a rejection that is the student's own, where lab.toml has no sentence for it."""


def reasons(job: Job, lab: Lab) -> list[str]:
    """Why a job was not printed: the sentences of the ticked reasons, then staff's comment."""
    if job.rejection is None:
        return []
    ticked = [
        reason.text if (reason := lab.reason(name)) else STUDENTS_REASONS.get(name, name)
        for name in job.rejection.reasons
    ]
    return ticked + ([job.rejection.comment] if job.rejection.comment else [])


def discounts(taken_off: Sequence[Discount]) -> str:
    """`Own material −$2.14, ARCH 4000 −$0.50, together −$2.64`."""
    words = [f"{discount.name} −{money(discount.amount)}" for discount in taken_off]
    if len(words) > 1:
        words.append(f"together −{money(sum((discount.amount for discount in taken_off), Decimal(0)))}")
    return ", ".join(words)


def amount(value: Decimal | None) -> str:
    """A number without needless zeros."""
    return "" if value is None else plain(Decimal(value).normalize())


def hours(value: Decimal) -> str:
    """`1 hour`, `3.5 hours`."""
    return counted(value, "hour")


def date_text(day: date) -> str:
    """`Mon, Mar 2, 2026`: the one way in which pages, e-mails and papers write a day."""
    return f"{day:%a}, {day:%b} {day.day}, {day.year}"


def day_text(text: str | None) -> str:
    """A day like 2026-03-31 in the same way; as it is where somebody wrote it otherwise into metadata.json."""
    try:
        return date_text(date.fromisoformat(text or ""))
    except ValueError:
        return text or ""


def date_and_time(local: datetime) -> str:
    """`Mon, Mar 2, 2026, 10:20 am`, of a time in the lab's time zone."""
    return f"{date_text(local)}, {clock(local)}"


def lasting(seconds: float) -> str:
    """`under a minute`, `5 min`, `3 h`, `2 days`."""
    if seconds < 60:
        return "under a minute"
    if seconds < 3600:
        return f"{int(seconds // 60)} min"
    return f"{int(seconds // 3600)} h" if seconds < 48 * 3600 else counted(int(seconds // 86400), "day")


def relative(moment: datetime, now: datetime) -> str:
    """`just now`, `3 h ago`, `in 2 days`."""
    seconds = (now - moment).total_seconds()
    if abs(seconds) < 60:
        return "just now" if seconds >= 0 else "now"
    return f"{lasting(seconds)} ago" if seconds > 0 else f"in {lasting(-seconds)}"


def clock(local: datetime, seconds: bool = False) -> str:
    """`10:20 am`, of a time in the lab's time zone."""
    minutes = f"{local:%M:%S}" if seconds else f"{local:%M}"
    return f"{local.hour % 12 or 12}:{minutes} {'am' if local.hour < 12 else 'pm'}"
