"""The statuses of a job, and what is true of each: a new status answers these questions in one row of `TRAITS`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """Each status is a folder of storage/, in the order of a job's life."""

    UPLOADED = "Uploaded"
    PENDING = "Pending"
    READY_TO_PRINT = "ReadyToPrint"
    PRINTING = "Printing"
    COMPLETED = "Completed"
    PAID_PICKED_UP = "PaidPickedUp"
    REJECTED = "Rejected"
    ARCHIVED = "Archived"


NAMES = {
    Status.UPLOADED: "Uploaded",
    Status.PENDING: "Pending",
    Status.READY_TO_PRINT: "Ready to print",
    Status.PRINTING: "Printing",
    Status.COMPLETED: "Completed",
    Status.PAID_PICKED_UP: "Picked up",
    Status.REJECTED: "Rejected",
    Status.ARCHIVED: "Archived",
}
"""What staff call them."""
_OWN_NAMES = {status.value: name for status, name in NAMES.items() if name != status.value}
_IN_A_SENTENCE = re.compile(rf"(?<![/\\\w])({'|'.join(_OWN_NAMES)})(?![/\\\w])")


def in_words(sentence: str) -> str:
    """The sentence with the names that people use; paths in it stay as they are."""
    return _IN_A_SENTENCE.sub(lambda match: f"“{_OWN_NAMES[match.group()]}”", sentence)


@dataclass(frozen=True, kw_only=True)
class Traits:
    """What is true of every job in one status."""

    live: bool = False
    """Somebody still has something to do."""
    priced: bool = False
    """Staff have approved it: it has figures and a cost."""
    confirmed: bool = False
    """The student has agreed to the cost, or staff have for the student."""
    agreed_price: bool = False
    """The student knows a price that a newly sliced file may contradict."""
    files_are_read: bool = False
    """The worker inspects new files and makes their pictures."""
    may_owe_mail: bool = False
    """An e-mail may still have to go out."""
    waits_for_student: bool = False
    """The student gets a reminder after some days."""
    final: bool = False
    """The job has ended; the retention time runs, then the job is archived."""


TRAITS: dict[Status, Traits] = {
    Status.UPLOADED: Traits(live=True, files_are_read=True, may_owe_mail=True),
    Status.PENDING: Traits(
        live=True, priced=True, agreed_price=True, files_are_read=True, may_owe_mail=True, waits_for_student=True
    ),
    Status.READY_TO_PRINT: Traits(
        live=True, priced=True, confirmed=True, agreed_price=True, files_are_read=True, may_owe_mail=True
    ),
    Status.PRINTING: Traits(
        live=True, priced=True, confirmed=True, agreed_price=True, files_are_read=True, may_owe_mail=True
    ),
    Status.COMPLETED: Traits(
        live=True, priced=True, confirmed=True, files_are_read=True, may_owe_mail=True, waits_for_student=True
    ),
    Status.PAID_PICKED_UP: Traits(priced=True, confirmed=True, may_owe_mail=True, final=True),
    Status.REJECTED: Traits(may_owe_mail=True, final=True),
    Status.ARCHIVED: Traits(),
}


def _where(holds: Callable[[Traits], bool]) -> tuple[Status, ...]:
    """The statuses of which `holds` is true, in the order of a job's life."""
    return tuple(status for status in Status if holds(TRAITS[status]))


LIVE = _where(lambda traits: traits.live)
PRICED = _where(lambda traits: traits.priced)
UNPRICED = _where(lambda traits: traits.live and not traits.priced)
CONFIRMED = _where(lambda traits: traits.confirmed)
PRICE_AGREED = _where(lambda traits: traits.agreed_price)
FILES_READ = _where(lambda traits: traits.files_are_read)
MAY_OWE_MAIL = _where(lambda traits: traits.may_owe_mail)
WAITS_FOR_STUDENT = _where(lambda traits: traits.waits_for_student)
FINAL = _where(lambda traits: traits.final)
GOOD_COURSE = _where(lambda traits: traits.live or traits.priced)
"""The steps of a job that goes well, as the student's status page shows them."""
