"""What is odd about a payment, said before it is saved. A second click, with `accept`, takes it as it is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from decimal import Decimal

from printsys.domain.inputs import ActionInput, PayInput, PickupInput, SupplyInput
from printsys.domain.job import Job
from printsys.domain.payment_effects import price_at_pickup
from printsys.domain.payments import Ledger, Line, ledger, quote_by_scale
from printsys.errors import MirrorDown
from printsys.jobstore import Stored
from printsys.services import Services
from printsys.texts import amount, money
from printsys.web.filters import exact


def remarks_on(services: Services, stored: Stored, values: ActionInput) -> list[str]:
    """The sentences about one job's payment; none where all is as expected."""
    if isinstance(values, SupplyInput) and values.amount is not None:
        book, reason = ledger(stored.job), values.waive_reason
        return [
            *_amount_of(book, values.amount, reason),
            *transaction_remarks(services, values.transaction, [stored.job]),
        ]
    if isinstance(values, PayInput):
        book = ledger(stored.job)
        settled = min(max(values.amount, book.due), book.unpaid)
        remarks = amount_remarks(settled, values.amount, values.waive_reason) if book.price is not None else ()
        return [*remarks, *transaction_remarks(services, values.transaction, [stored.job])]
    if isinstance(values, PickupInput):
        book = ledger(stored.job).at(price_of(services, stored, values))
        return [
            *weight_remarks(services, stored, values),
            *_amount_of(book, values.amount, values.waive_reason),
            *transaction_remarks(services, values.transaction, [stored.job]),
        ]
    return []


def fingerprint(remarks: Sequence[str]) -> str:
    """What the second click sends back: it accepts these remarks and no others."""
    return hashlib.sha256("\n".join(remarks).encode()).hexdigest()[:16]


def price_of(services: Services, stored: Stored, values: PickupInput) -> Decimal | None:
    return price_at_pickup(stored.job, values, services.actions.context_of(stored))


def _amount_of(book: Ledger, paid: Decimal, waive_reason: str | None = None) -> Iterator[str]:
    if book.price is not None:
        yield from amount_remarks(book.due, paid, waive_reason)


def amount_remarks(due: Decimal, paid: Decimal, waive_reason: str | None) -> Iterator[str]:
    if paid < due and not waive_reason:
        yield f"{money(paid)} is less than the {money(due)} that is due. {money(due - paid)} stays to be paid."
    elif paid > due:
        yield f"{money(paid)} is {money(paid - due)} more than the {money(due)} that is due."


def weight_remarks(services: Services, stored: Stored, values: PickupInput) -> Iterator[str]:
    quoted = stored.job.estimate.weight_g if stored.job.estimate else None
    context = services.actions.context_of(stored)
    rate = context.charged_prices.rates.get(stored.job.request.method)
    is_by_scale = (values.charge or context.charge) == "scale" and rate is not None and rate.unit == "g"
    if is_by_scale and values.weight_g is None and stored.job.estimate is not None:
        yield f"{_named(stored.job)} was not weighed. The quote, {money(stored.job.estimate.cost)}, is charged."
    if values.weight_g is None or quoted is None or values.weight_g == quoted:
        return
    by_scale = quote_by_scale(stored.job, values.weight_g, context.charged_prices)
    charged = price_of(services, stored, values)
    sentence = f"{_named(stored.job)} weighs {amount(values.weight_g)} g; the quote is for {amount(quoted)} g."
    if (
        by_scale is not None
        and charged is not None
        and stored.job.estimate
        and by_scale.cost != stored.job.estimate.cost
    ):
        agreed = money(stored.job.estimate.cost)
        sentence += (
            f" By the quote it costs {agreed}, by the scale {money(by_scale.cost)}. {money(charged)} is charged."
        )
    yield sentence


def transaction_remarks(services: Services, number: str | None, paid: Sequence[Job]) -> Iterator[str]:
    """`paid`: what the payment is for. Nothing of it is recorded yet: what has its number there is an earlier one."""
    if number is None:
        return
    used = [job for job in paid if _with_transaction(job, number) is not None]
    if not used:
        try:
            used = [row.job for row in services.queries.with_transaction(number)]
        except MirrorDown:
            yield f"Whether {number} was used before cannot be seen while the database is not available."
    if used:
        job = used[0]
        line = _with_transaction(job, number)
        at = f", {exact(line.at)}" if line is not None and line.at else ""
        yield f"The transaction number {number} was used before: for {job.student.name}'s job {job.id}{at}."


def _with_transaction(job: Job, number: str) -> Line | None:
    """Capitals do not count."""
    return next((line for line in ledger(job).lines if (line.transaction or "").lower() == number.lower()), None)


def _named(job: Job) -> str:
    files = job.sent_files
    return f"“{files[0].title}”" if len(files) == 1 else f"Job {job.id}"
