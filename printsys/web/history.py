"""Events as sentences that staff read. One row for each type; what this version does not know is named plainly."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from printsys.domain.events import Event, EventType
from printsys.web.words import actor as actor_name
from printsys.web.words import money, status_name

Data = dict[str, Any]
MAIL_NAMES = {
    "received": "“We have your model”",
    "approved": "the price and the confirmation link",
    "rejected": "why it is not printed",
    "completed": "“Ready to collect”",
}


def _mail(data: Data) -> str:
    return MAIL_NAMES.get(str(data.get("mail")), str(data.get("mail")))


def _sent(data: Data) -> list[str]:
    """What the student sent; the working copies made of it are no news."""
    return [name.removeprefix("original/") for name in data.get("files", []) if name.startswith("original/")]


def _reasoned(text: str) -> Callable[[Data], str]:
    return lambda data: text + (f": {data['reason']}" if data.get("reason") else "")


SENTENCES: dict[EventType, Callable[[Data], str]] = {
    EventType.JOB_CREATED: lambda d: f"Submitted: {', '.join(_sent(d)) or 'no files'}",
    EventType.STAFF_APPROVED: lambda d: f"Approved at {money(d.get('cost'))}",
    EventType.JOB_REJECTED: lambda d: "Rejected" + (f": {d['comment']}" if d.get("comment") else ""),
    EventType.STUDENT_CONFIRMED: lambda d: "The student confirmed",
    EventType.STUDENT_DECLINED: lambda d: "The student declined",
    EventType.STAFF_CONFIRMED: _reasoned("Confirmed for the student"),
    EventType.PRINTING_STARTED: lambda d: "Printing started",
    EventType.PRINT_FAILED: _reasoned("The print failed"),
    EventType.JOB_COMPLETED: lambda d: "Printing is done",
    EventType.PAYMENT_RECORDED: lambda d: f"Paid {money(d.get('amount'))} by {d.get('method')}",
    EventType.JOB_PICKED_UP: lambda d: f"Picked up by {d.get('picked_up_by')}",
    EventType.JOB_REOPENED: lambda d: "Opened again",
    EventType.JOB_ARCHIVED: lambda d: "Archived",
    EventType.JOB_DELETED: _reasoned("Deleted"),
    EventType.STATUS_REVERTED: lambda d: _reasoned(f"Taken back to {status_name(d.get('to'))}")(d),
    EventType.STATUS_OVERRIDDEN: lambda d: _reasoned(f"Status set to {status_name(d.get('to'))}")(d),
    EventType.REVIEWED: lambda d: "Marked as reviewed",
    EventType.UNREVIEWED: lambda d: "Marked as not reviewed",
    EventType.NOTES_EDITED: lambda d: "Notes changed",
    EventType.DETAILS_EDITED: lambda d: f"Details corrected: {', '.join(d.get('changed', []))}",
    EventType.FILE_ADDED: lambda d: f"New file {d.get('name')}",
    EventType.FILE_CHANGED: lambda d: f"{d.get('name')} was saved over",
    EventType.FILE_RENAMED: lambda d: f"{d.get('from')} was renamed {d.get('to')}",
    EventType.FILE_REMOVED: lambda d: f"{d.get('name')} was removed",
    EventType.PRINT_FILE_CHOSEN: lambda d: f"Print file: {', '.join(d.get('print_files', []))}",
    EventType.METADATA_EDITED: lambda d: "metadata.json was edited by hand",
    EventType.METADATA_RESTORED: lambda d: "metadata.json was restored from the log",
    EventType.FOLDER_MOVED: lambda d: f"The folder was moved to {status_name(d.get('to'))}",
    EventType.FOLDER_RENAMED: lambda d: f"The folder was renamed {d.get('to')}",
    EventType.EMAIL_QUEUED: lambda d: f"E-mail to {d.get('to')} is waiting to go out: {_mail(d)}",
    EventType.EMAIL_SENT: lambda d: f"E-mail sent to {d.get('to')}: {_mail(d)}",
    EventType.EMAIL_FAILED: lambda d: f"E-mail to {d.get('to')} failed ({d.get('answer')}): {_mail(d)}",
    EventType.EMAIL_DROPPED: lambda d: f"E-mail not sent, {d.get('why')}: {_mail(d)}",
}


@dataclass(frozen=True)
class Line:
    """One line of a job's history."""

    seq: int
    at: datetime
    who: str
    sentence: str


def sentence(event: Event) -> str:
    try:
        return SENTENCES[EventType(event.type)](event.data)
    except (ValueError, KeyError):
        return event.type


def history(events: Iterable[Event]) -> list[Line]:
    """The newest first."""
    return [Line(e.seq, e.at, actor_name(e.actor), sentence(e)) for e in reversed(list(events))]
