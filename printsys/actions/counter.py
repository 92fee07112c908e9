"""Several jobs handed out for one payment: each is recorded by itself, and its student gets one receipt for all."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from itertools import groupby

from printsys.actions import Actions, OneOfSeveral
from printsys.domain import emails
from printsys.domain.emails import Mail
from printsys.domain.events import EventDraft
from printsys.domain.inputs import (
    ActionInput,
    CounterInput,
    PayInput,
    PickupInput,
    WaiveInput,
    WeighedInput,
    validate,
)
from printsys.domain.payment_effects import price_at_pickup
from printsys.domain.payments import Ledger, ledger, share
from printsys.domain.status import Status
from printsys.errors import PrintSysError
from printsys.jobstore import Stored
from printsys.jobstore.store import require_current

logger = logging.getLogger(__name__)
RECEIPT_WAITS = timedelta(minutes=2)
"""So long the receipt of each job waits for the one of all. Should this process end in between, each goes by itself."""


@dataclass(frozen=True)
class ChosenJob:
    """A job that somebody stands at the counter for, as the page showed it."""

    stored: Stored
    revision: int
    weighed: WeighedInput

    @property
    def is_handed_out(self) -> bool:
        """Before; it was not paid then."""
        return self.stored.job.status is not Status.COMPLETED


@dataclass(frozen=True)
class PartOfPayment:
    """What the payment means for one job: its action, and how the job's money stands without it."""

    chosen: ChosenJob
    action: str
    values: ActionInput
    book: Ledger
    amount: Decimal


@dataclass
class HandedOut:
    """`not_done`: jobs that could not be recorded, each with the reason; their part of the money is not recorded."""

    done: list[Stored] = field(default_factory=list)
    not_done: list[tuple[PartOfPayment, str]] = field(default_factory=list)


def book_of(actions: Actions, chosen: ChosenJob) -> Ledger:
    """How the job's money stands, at the price that is charged."""
    job = chosen.stored.job
    if chosen.is_handed_out:
        return ledger(job)
    values = PickupInput.model_construct(**chosen.weighed.model_dump())
    return ledger(job).at(price_at_pickup(job, values, actions.context_of(chosen.stored)))


def split(actions: Actions, jobs: Sequence[ChosenJob], payment: CounterInput) -> list[PartOfPayment]:
    """The payment in parts that add up to it: those handed out before come last. A job that gets nothing of it and was
    handed out before has no part. StaleJob where a job has changed since the page showed it; InvalidInput."""
    for chosen in jobs:
        require_current(chosen.stored, chosen.revision)
    ordered = sorted(jobs, key=lambda chosen: chosen.is_handed_out)
    books = [book_of(actions, chosen) for chosen in ordered]
    shares = share(payment.amount, [book.due for book in books])
    parts = []
    for chosen, book, amount in zip(ordered, books, shares, strict=True):
        step = _step(chosen, payment, amount)
        if step is not None:
            parts.append(PartOfPayment(chosen, *step, book, amount))
    return parts


def _step(chosen: ChosenJob, payment: CounterInput, amount: Decimal) -> tuple[str, ActionInput] | None:
    values = payment.model_dump() | {"amount": amount}
    if not chosen.is_handed_out:
        return "pickup", validate(PickupInput, values | chosen.weighed.model_dump())
    if amount:
        return "pay", validate(PayInput, values)
    return ("waive", validate(WaiveInput, {"reason": payment.waive_reason})) if payment.waive_reason else None


def record(actions: Actions, parts: Sequence[PartOfPayment], actor: str) -> HandedOut:
    result = HandedOut()
    ids = [part.chosen.stored.id for part in parts]
    jobs_by_address = Counter(part.chosen.stored.job.student.email for part in parts)
    for part in parts:
        chosen = part.chosen
        others = tuple(job_id for job_id in ids if job_id != chosen.stored.id)
        waits = RECEIPT_WAITS if jobs_by_address[chosen.stored.job.student.email] > 1 else timedelta(0)
        try:
            after = actions.perform(
                chosen.stored.id, part.action, part.values, actor, chosen.revision, OneOfSeveral(others, waits)
            )
            result.done.append(after)
        except PrintSysError as error:
            result.not_done.append((part, str(error)))
    by_address = sorted(result.done, key=lambda stored: stored.job.student.email or "")
    for address, jobs in groupby(by_address, key=lambda stored: stored.job.student.email or ""):
        try:
            _join_receipts(actions, address, list(jobs), actor)
        except PrintSysError as error:  # the money is recorded; each job's own receipt is owed
            logger.warning("the receipts of one payment could not be joined: %s", error)
    return result


def _join_receipts(actions: Actions, address: str, jobs: list[Stored], actor: str) -> None:
    """One e-mail, owed by the last of them, instead of one each."""
    owing = [stored for stored in jobs if _own_receipts(stored)]
    if not address or len(owing) < 2:
        return
    *others, last = owing
    joint = emails.queued(Mail.RECEIPT, address, actor, jobs=[stored.id for stored in others])
    actions.record(last.id, lambda latest: [*_dropped(latest, f"one receipt is for {len(owing)} jobs"), joint])
    for stored in others:
        try:
            actions.record(stored.id, lambda latest: _dropped(latest, f"it is in the receipt of job {last.id}"))
        except PrintSysError as error:  # better twice than not at all
            logger.warning("job %s is in the receipt of job %s and has its own, too: %s", stored.id, last.id, error)


def _own_receipts(stored: Stored) -> list[emails.OwedMail]:
    owed: Iterable[emails.OwedMail] = emails.owed(stored.events, stored.id)
    return [mail for mail in owed if mail.mail == Mail.RECEIPT and not mail.jobs]


def _dropped(latest: Stored, why: str) -> list[EventDraft]:
    return [emails.dropped(mail, why) for mail in _own_receipts(latest)]
