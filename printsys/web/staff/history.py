"""Events as sentences that staff read. One row for each type; an unknown event shows its type."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from printsys.domain.emails import mail_name
from printsys.domain.events import Event, EventType
from printsys.domain.job import FOR_COPIES, PLATE_COPIES
from printsys.domain.request_fields import REQUEST_FIELDS
from printsys.domain.status import in_words
from printsys.domain.supplies import SUPPLIES
from printsys.domain.words import counted
from printsys.texts import money
from printsys.web.filters import actor as actor_name
from printsys.web.filters import status_name
from printsys.web.services import services
from printsys.web.staff.forms import PLATE_STATES

Data = dict[str, Any]
MOST_NAMES = 10
"""Of a list of files; a job may have hundreds."""


def _mail(data: Data) -> str:
    return mail_name(str(data.get("mail")))


def _file(data: Data, key: str = "name") -> str:
    """Without the folder in which the student's own file lies."""
    return str(data.get(key)).removeprefix("original/")


def _corrected(data: Data) -> str:
    """By the names that the fields have on the forms."""
    names = {field.key: field.words for field in REQUEST_FIELDS}
    return _differing(f"Details corrected: {_list([names.get(key, key) for key in data.get('changed', [])])}", data)


def _supplied(data: Data) -> str:
    return f"Filled in: {_list([SUPPLIES[fact].words for fact in data.get('supplied', [])])}"


def _sent(data: Data) -> list[str]:
    """The files of the student, without the working copies made from them."""
    return [name.removeprefix("original/") for name in data.get("files", []) if name.startswith("original/")]


def _created(data: Data) -> str:
    files = ", ".join(_sent(data)) or "no files"
    if "reprint_of" in data:
        return f"Created to reprint job {data['reprint_of']}: {files}"
    return f"Created from {data['found_in']}: {files}" if "found_in" in data else f"Submitted: {files}"


def _read(data: Data) -> str:
    again = " again" if data.get("again") else ""
    return _differing(f"Weight and time were read{again} from {data.get('name') or 'the print file'}", data)


def _differing(text: str, data: Data) -> str:
    differences = data.get("differences")
    return f"{text}, which differs from what was agreed: {_list(differences)}" if differences else text


def _list(value: Any) -> str:
    return ", ".join(str(item) for item in value) if isinstance(value, list) else str(value)


def _rejected(data: Data) -> str:
    """Staff's own words, and the reasons that they ticked."""
    ticked = "; ".join(reason.label if (reason := services().lab.reason(n)) else n for n in data.get("reasons", []))
    comment = data.get("comment")
    if comment and ticked:
        return f"Rejected: {comment} ({ticked})"
    return f"Rejected: {comment or ticked}" if comment or ticked else "Rejected"


def _restored(data: Data) -> str:
    aside = f"({_list(data.get('aside', []))} is in aside)"
    if source := data.get("source"):
        return f"The newer record was put back from the {source} {aside}"
    return f"A new record replaced the damaged one {aside}"


def _first(names: Sequence[object]) -> str:
    return _list(list(names[:MOST_NAMES])) + (f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else "")


def _approved(data: Data) -> str:
    """A job of several copies whose print files hold fewer says so: its figures are multiplied."""
    sentence = f"Approved at {money(data.get('cost'))}"
    held, wanted = data.get(PLATE_COPIES), data.get(FOR_COPIES)
    if held and wanted:
        sentence += f", for {wanted} copies of which the print files hold {held}"
    return f"{sentence}, with the note: {data['note']}" if data.get("note") else sentence


def _started(data: Data) -> str:
    """On which printer, where it is not the one that the student asked for."""
    if not data.get("printer"):
        return "Printing started"
    printer = services().lab.printer(data["printer"])
    return f"Printing started on the {printer.name if printer else data['printer']}"


def _failed(data: Data) -> str:
    fault = {"lab": "the lab's fault", "model": "the model's fault", "machine": "the machine's fault"}
    wasted = f"{data['wasted_g']} g lost" if data.get("wasted_g") else ""
    details = ", ".join(part for part in (fault.get(str(data.get("fault"))), wasted) if part)
    return _reasoned("The print failed")(data) + (f" ({details})" if details else "")


def _plates_marked(data: Data) -> str:
    return f"{_first([plate['title'] for plate in data['plates']])}: {PLATE_STATES[data['state']]}"


def _paid(data: Data) -> str:
    details = [f"paid by {data['payer']}"] if data.get("payer") else []
    details += [f"together with {_list(data['together'])}"] if data.get("together") else []
    if data.get("amount") == "0.00":
        return "Handed out without a payment"
    sentence = f"Paid {money(data.get('amount'))} by {data.get('method')}"
    return sentence + (f" ({', '.join(details)})" if details else "")


def _reverted(data: Data) -> str:
    sentence = _reasoned(f"Moved back to {status_name(data.get('to'))}")(data)
    voided = [money(line["amount"]) for line in data.get("voided", []) if line["kind"] == "payment"]
    return f"{sentence} (the payment of {_list(voided)} with it)" if voided else sentence


def _waived(data: Data) -> str:
    amount = str(data.get("amount"))
    if amount.startswith("-"):
        return _reasoned(f"{money(amount[1:])} is paid after all, and not waived")(data)
    return _reasoned(f"{money(amount)} need not be paid")(data)


def _reasoned(text: str) -> Callable[[Data], str]:
    return lambda data: text + (f": {data['reason']}" if data.get("reason") else "")


SENTENCES: dict[EventType, Callable[[Data], str]] = {
    EventType.JOB_CREATED: _created,
    EventType.STAFF_APPROVED: _approved,
    EventType.JOB_REJECTED: _rejected,
    EventType.STUDENT_CONFIRMED: lambda d: "The student confirmed",
    EventType.STUDENT_DECLINED: lambda d: "The student declined" + (f": {d['comment']}" if d.get("comment") else ""),
    EventType.JOB_WITHDRAWN: lambda d: "The student withdrew it" + (f": {d['comment']}" if d.get("comment") else ""),
    EventType.STUDENT_WROTE: lambda d: f"The student wrote: {d.get('message')}",
    EventType.STAFF_CONFIRMED: _reasoned("Confirmed for the student"),
    EventType.PRINTING_STARTED: _started,
    EventType.PRINT_FAILED: _failed,
    EventType.PLATES_MARKED: _plates_marked,
    EventType.JOB_COMPLETED: lambda d: "Printing is done",
    EventType.PAYMENT_RECORDED: _paid,
    EventType.PAYMENT_REFUNDED: lambda d: _reasoned(f"Gave back {money(d.get('amount'))} by {d.get('method')}")(d),
    EventType.PAYMENT_WAIVED: _waived,
    EventType.JOB_PICKED_UP: lambda d: f"Picked up by {d.get('picked_up_by')}",
    EventType.JOB_REOPENED: lambda d: "Reopened",
    EventType.JOB_ARCHIVED: lambda d: "Archived",
    EventType.JOB_DELETED: _reasoned("Deleted"),
    EventType.STATUS_REVERTED: _reverted,
    EventType.STATUS_OVERRIDDEN: lambda d: _reasoned(f"Status set to {status_name(d.get('to'))}")(d),
    EventType.REVIEWED: lambda d: "Marked as reviewed",
    EventType.UNREVIEWED: lambda d: "Marked as not reviewed",
    EventType.NOTES_EDITED: lambda d: "Notes changed",
    EventType.DETAILS_EDITED: _corrected,
    EventType.FILE_ADDED: lambda d: f"New file {_file(d)}",
    EventType.FILES_ADDED: lambda d: (
        f"{counted(len(d['files']), 'new file')}: {_first([file['name'] for file in d['files']])}"
    ),
    EventType.FILE_CHANGED: lambda d: f"{_file(d)} was saved over",
    EventType.FILE_RENAMED: lambda d: f"{_file(d, 'from')} was renamed {_file(d, 'to')}",
    EventType.FILE_REMOVED: lambda d: f"{_file(d)} was removed",
    EventType.PRINT_FILE_CHOSEN: lambda d: f"Print file: {_list(d.get('print_files', []))}",
    EventType.MODEL_INSPECTED: lambda d: (
        (f"The model {_file(d)} was inspected" if d.get("name") else "The model was inspected")
        + (" again" if d.get("again") else "")
    ),
    EventType.WORKING_COPY_CONVERTED: lambda d: (
        f"{d.get('name')} was written as STL, because the sent file {d.get('reason')}"
    ),
    EventType.ESTIMATE_READ: _read,
    EventType.FILE_READ: lambda d: f"{_file(d)} was inspected{' again' if d.get('again') else ''}",
    EventType.PRICE_KEPT: lambda d: "The agreed price is kept",
    EventType.FILE_OPENED: lambda d: f"{_file(d)} was opened in a slicer",
    EventType.THUMBNAIL_MADE: lambda d: "A picture was made",
    EventType.ORIGINAL_RESTORED: lambda d: f"The student's own {_file(d) if d.get('name') else 'file'} was restored",
    EventType.FACTS_SUPPLIED: _supplied,
    EventType.BECAME_THE_LABS: lambda d: "Nobody collected it: it is the lab's",
    EventType.PUT_AWAY: lambda d: "Put away",
    EventType.CONFIRMATION_EXPIRED: lambda d: "The time to confirm is over",
    EventType.RESUBMITTED: lambda d: f"Sent again by the student: {', '.join(_sent(d)) or 'the same model'}",
    EventType.MOVE_UNDONE: lambda d: f"The move was undone; back to {status_name(d.get('to'))}",
    EventType.MOVE_ACCEPTED: lambda d: "The move was left as it is",
    EventType.EVENT_LOST: lambda d: "The record of what happened here is lost",
    EventType.RECORD_RESTORED: _restored,
    EventType.OLDER_COPY_KEPT: lambda d: "The older copy of the folder goes on",
    EventType.JOB_RESTORED: lambda d: f"Restored from backup {d.get('backup')}",
    EventType.METADATA_EDITED: lambda d: "metadata.json was edited by hand",
    EventType.METADATA_RESTORED: lambda d: "metadata.json was restored from the log",
    EventType.FOLDER_MOVED: lambda d: f"The folder was moved to {status_name(d.get('to'))}",
    EventType.FOLDER_RENAMED: lambda d: f"The folder was renamed {d.get('to')}",
    EventType.EMAIL_QUEUED: lambda d: f"E-mail to {d.get('to')} queued: {_mail(d)}",
    EventType.EMAIL_SENT: lambda d: f"E-mail sent to {d.get('to')}: {_mail(d)}",
    EventType.EMAIL_FAILED: lambda d: f"E-mail to {d.get('to')} failed ({d.get('answer')}): {_mail(d)}",
    EventType.EMAIL_DROPPED: lambda d: in_words(f"E-mail not sent, {d.get('why')}: {_mail(d)}"),
}


OURS = ("revision", "updated_at")
"""Every event changes them."""


@dataclass(frozen=True)
class Line:
    """One line of a job's history. `changes`: which fields of metadata.json it set, and to what."""

    seq: int
    at: datetime
    who: str
    sentence: str
    type: str
    changes: tuple[tuple[str, str], ...] = ()


def sentence(event: Event) -> str:
    """In words; the bare type where a newer version wrote the event, or its data are not what its type has."""
    try:
        return SENTENCES[EventType(event.type)](event.data)
    except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError):
        return event.type


def history(events: Iterable[Event]) -> list[Line]:
    """The newest first."""
    return [
        Line(e.seq, e.at, actor_name(e.actor), sentence(e), e.type, tuple(_flat(e.patch)))
        for e in reversed(list(events))
    ]


def _flat(patch: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """A merge patch as (dotted field, its new value in short)."""
    for name, value in patch.items():
        if not path and name in OURS:
            continue
        field = f"{path}.{name}" if path else name
        if isinstance(value, dict):
            yield from _flat(value, field)
        else:
            yield field, _short(name, value)


def _short(name: str, value: Any) -> str:
    if value is None:
        return "nothing"
    if name == "nonce":
        return "a new link"
    if isinstance(value, list):
        names = [item.get("name", item.get("file", "…")) if isinstance(item, dict) else item for item in value]
        return _first(names)
    return str(value)
