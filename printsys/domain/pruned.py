"""What is kept of a job whose folder goes: enough for reports, and nothing that tells whose it was.

A list of what may stay, not of what must go: a key that a newer version or a person adds goes with the folder.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from printsys.domain.events import Event, EventType, actor_kind
from printsys.domain.job import MOST_DIGITS, Document, Job, Time, format_time, parse, plain
from printsys.domain.status import Status

Because = Literal["retention", "erased"]
NOBODY = "Pruned"
"""What stands for the student's name where a line is read as a job."""


IndexedText = Annotated[str, Field(max_length=100)]
"""PostgreSQL refuses a row with a long text of which it has an index."""


class PrunedEvent(BaseModel):
    """What stays of an event."""

    seq: int = Field(strict=True, ge=1, lt=2**31)
    at: Time
    type: IndexedText
    actor: str
    data: Document
    patch: Document


class PrunedJob(BaseModel):
    """A line of `.printsys/pruned/<year>.jsonl`. `key` is from the first line of the job's log, which is gone: it tells
    whether a job is in the log already, and leads to no job. `document` and `events` are as metadata.json and
    events.jsonl have them, without whatever says whose the job was."""

    model_config = ConfigDict(extra="allow", frozen=True)

    key: IndexedText
    pruned_on: str
    because: Because
    document: Document
    events: list[Document]

    @property
    def whole_document(self) -> Document:
        """As reports read the document of a job: `id` is the key."""
        student = {"name": NOBODY} | self.document["student"]
        revision = self.events[-1]["seq"] if self.events else 1
        return self.document | {"schema_version": 1, "id": self.key, "revision": revision, "student": student}

    @property
    def job(self) -> Job:
        return parse(self.whole_document)

    @property
    def counted_events(self) -> list[PrunedEvent]:
        """ValueError where something else stands there."""
        events = [PrunedEvent.model_validate(event) for event in self.events]
        if len({event.seq for event in events}) != len(events):
            raise ValueError("two events have one number")
        return events


def pruned_job(
    job: Job, document: Mapping[str, Any], events: Sequence[Event], key: str, day: str, because: Because
) -> PrunedJob:
    """`document`: metadata.json. `day`: today at the lab, like 2026-03-02."""
    remaining = _kept(document, DOCUMENT) | {
        "status": job.status.value,
        "status_since": format_time(job.status_since),
        "created_at": format_time(job.created_at),
        "updated_at": format_time(job.updated_at),
    }
    remaining = {"student": {}, "request": {}} | remaining
    counted = [line for event in events if (line := _event(event)) is not None]
    return PrunedJob(key=key, pruned_on=day, because=because, document=remaining, events=counted)


def _event(event: Event) -> Document | None:
    """None for one that reports have no use for."""
    patch, data = _kept(event.patch, PATCH), _kept(event.data, DATA)
    if not patch and event.type not in COUNTED:
        return None
    moment = {"seq": event.seq, "at": format_time(event.at)}
    return moment | {"type": event.type, "actor": actor_kind(event.actor), "data": data, "patch": patch}


# -- what may stay ----------------------------------------------------------------------------------------------------

Shape = Mapping[str, Any]
"""By key, the pattern of a text, a function that gives what stays of a value, the shape of an object, or a list with
the shape of each of its items."""
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
DAY = re.compile(r"\d{4}-\d\d-\d\d")
USUAL_AMOUNT = re.compile(rf"-?\d{{1,{MOST_DIGITS}}}(\.\d{{1,{MOST_DIGITS}}})?", re.ASCII)
SLUG = re.compile(r"[a-z0-9-]{1,40}")
LABEL = re.compile(r"[^@\r\n\t]{0,60}")
"""What lab.toml names: a printer, a color, a material, a way to pay; or nothing, as a person may have written it."""
CLASS_NUMBER = re.compile(r"(?i)N/A|[A-Z]{2,6}[ -]?\d{2,4}[A-Z]?")
"""A class as most people write it. The field takes any words, so that a name or a student's number may stand in it."""


def _amount(value: Any) -> str | None:
    """As the system spells it: in a record somebody may have written ` 4.` or `1_000`."""
    try:
        number = Decimal(value.strip() if isinstance(value, str) else "")
    except InvalidOperation:
        return None
    is_usual = number.is_finite() and abs(number.adjusted()) < MOST_DIGITS
    return text if is_usual and USUAL_AMOUNT.fullmatch(text := plain(number)) else None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and abs(value) < 100_000 else None


def _status(value: Any) -> str | None:
    return value if isinstance(value, str) and value in set(Status) else None


def _truth(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


DISCOUNTS: list[Shape] = [{"name": LABEL, "amount": _amount}]
LINES: list[Shape] = [{"kind": SLUG, "amount": _amount, "method": LABEL, "at": TIME, "with_pickup": _truth}]
PAYMENT: Shape = {
    "amount": _amount, "method": LABEL, "weight_g": _amount, "at": TIME, "price": USUAL_AMOUNT, "discounts": DISCOUNTS,
    "lines": LINES,
}  # fmt: skip
PLATES: list[Shape] = [{"number": _count, "state": SLUG}]
DOCUMENT: Shape = {
    "student": {"discipline": LABEL, "class_number": CLASS_NUMBER},
    "request": {
        "method": LABEL, "color": LABEL, "printer": LABEL, "printed_on": LABEL, "copies": _count,
        "own_material": _truth, "due_date": DAY,
    },
    "estimate": {
        "material": LABEL, "weight_g": _amount, "volume_ml": _amount, "time_h": _amount, "cost": _amount,
        "for_copies": _count, "plate_copies": _count, "discounts": DISCOUNTS,
    },
    "confirmation": {"sent_at": TIME, "confirmed_at": TIME},
    "rejection": {"reasons": [SLUG], "at": TIME},
    "payment": PAYMENT,
    "plates": PLATES,
}  # fmt: skip
PATCH: Shape = {"status": _status, "status_since": TIME, "payment": PAYMENT, "plates": PLATES}
DATA: Shape = {
    "reasons": [SLUG], "fault": SLUG, "wasted_g": _amount, "amount": _amount, "method": LABEL, "kind": SLUG,
    "state": SLUG, "plates": PLATES, "from": _status, "to": _status, "agreed": _amount,
    "lines": LINES, "voided": LINES,
}  # fmt: skip
COUNTED = frozenset({EventType.JOB_CREATED, EventType.STAFF_APPROVED, EventType.PRINT_FAILED, EventType.PLATES_MARKED})
"""Events that reports count though they may change no status."""


def _kept(values: Mapping[str, Any], shape: Shape) -> Document:
    """What of `values` may stay. None stays, too: in a patch it says that a value went."""
    kept = {}
    for key, allowed in shape.items():
        if key in values:
            value = _kept_value(values[key], allowed)
            if value is not None or values[key] is None:
                kept[key] = value
    return kept


def _kept_value(value: Any, allowed: Any) -> Any:
    if isinstance(allowed, Mapping):
        return _kept(value, allowed) if isinstance(value, Mapping) else None
    if isinstance(allowed, list):
        if not isinstance(value, list):
            return None
        items = [_kept_value(item, allowed[0]) for item in value]
        return [item for item in items if item is not None]
    if isinstance(allowed, re.Pattern):
        return value if isinstance(value, str) and allowed.fullmatch(value) else None
    return allowed(value)
