"""What a job costs and what was paid for it: lines that always add up.

A line is a payment, a refund or a waiver, and each comes with an event of its own. `payment` of metadata.json is their
sum. The lines lie in it under a key that the schema does not have, so that records without lines keep their bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_UP, Decimal
from typing import Any, Literal, TypeGuard

from pydantic import BaseModel, ConfigDict, StrictBool, StrictStr, ValidationError

from printsys.domain.events import EventDraft, EventType
from printsys.domain.job import (
    DISCOUNTS,
    Amount,
    Discount,
    Document,
    Job,
    Payment,
    Time,
    dump,
    plain,
    read_discounts,
)
from printsys.domain.pricing import CENT, PricedRequest, PriceList, Quote, money, quote
from printsys.domain.status import Status
from printsys.errors import InvalidInput

LINES, PRICE, PAYER = "lines", "price", "payer"
"""Keys of `payment` besides the schema's: all lines, a price that is not the quote, and who paid for the student."""
NOTHING = Decimal("0.00")
PRICE_PATTERN = r"[0-9]{1,9}(\.[0-9]{1,9})?"
"""A price as we write it, for Python and for PostgreSQL; something else is a person's, and not charged."""
Charge = Literal["quote", "scale"]
Kind = Literal["payment", "refund", "waiver", "correction"]
EVENTS: dict[Kind, EventType] = {
    "payment": EventType.PAYMENT_RECORDED,
    "refund": EventType.PAYMENT_REFUNDED,
    "waiver": EventType.PAYMENT_WAIVED,
}


class Line(BaseModel):
    """Money that went one way. `amount` is never negative, but for a correction (what somebody wrote into
    metadata.json by hand beside the lines) and for a waiver that is taken back.

    `with_pickup`: recorded with the hand-out, and taken back with it. `together`: other jobs of the same payment.
    """

    model_config = ConfigDict(frozen=True, extra="allow", hide_input_in_errors=True)

    kind: Kind
    amount: Amount
    method: StrictStr | None = None
    transaction: StrictStr | None = None
    payer: StrictStr | None = None
    reason: StrictStr | None = None
    at: Time | None = None
    by: StrictStr | None = None
    with_pickup: StrictBool = False
    together: tuple[StrictStr, ...] = ()

    def document(self) -> Document:
        return self.model_dump(mode="json", exclude_defaults=True)


def paid(lines: Iterable[Line]) -> Decimal:
    """What the lab has of it."""
    return sum(
        (-line.amount if line.kind == "refund" else line.amount for line in lines if line.kind != "waiver"), NOTHING
    )


@dataclass(frozen=True)
class Ledger:
    """`price` = paid + waived + due - overpaid, always. Without a price nothing is due."""

    price: Decimal | None
    lines: tuple[Line, ...] = ()

    @property
    def paid(self) -> Decimal:
        return paid(self.lines)

    @property
    def waived(self) -> Decimal:
        return sum((line.amount for line in self.lines if line.kind == "waiver"), NOTHING)

    @property
    def refunded(self) -> Decimal:
        return sum((line.amount for line in self.lines if line.kind == "refund"), NOTHING)

    @property
    def due(self) -> Decimal:
        return max(self._open, NOTHING)

    @property
    def overpaid(self) -> Decimal:
        return max(-self._open, NOTHING)

    @property
    def unpaid(self) -> Decimal:
        """What a payment may settle: what is due, and what was waived."""
        return max(self.price - self.paid, NOTHING) if self.price is not None else NOTHING

    @property
    def _open(self) -> Decimal:
        return self.price - self.waived - self.paid if self.price is not None else NOTHING

    def with_lines(self, *lines: Line) -> Ledger:
        return Ledger(self.price, (*self.lines, *lines))

    def at(self, price: Decimal | None) -> Ledger:
        return Ledger(price if price is not None else self.price, self.lines)


def ledger(job: Job) -> Ledger:
    """The job's price and lines, as its record has them."""
    is_rejected = _ended_rejected(job)
    price = NOTHING if is_rejected else charged_price(job)
    book = Ledger(price, _lines(job.payment, price) if job.payment is not None else ())
    return book.at(book.waived) if is_rejected else book  # all that was paid is to be given back, and no more


def _ended_rejected(job: Job) -> bool:
    """A job that is archived stays what it was. One that was handed out was printed after all; of a pruned job only the
    lines tell. An earlier version, which wrote none, took a payment with the hand-out alone."""
    if job.status is not Status.ARCHIVED or job.rejection is None:
        return job.status is Status.REJECTED
    if job.payment is None:
        return True
    was_collected = job.payment.picked_up_by is not None or not _has_lines(job.payment)
    return not was_collected and not any(line.with_pickup for line in _written_lines(job.payment))


def is_unpaid(job: Job) -> bool:
    """Handed out, with something left to be paid."""
    if job.payment is None:
        return False
    is_archived_print = job.status is Status.ARCHIVED and job.payment.picked_up_by is not None
    return (job.status is Status.PAID_PICKED_UP or is_archived_print) and ledger(job).due > 0


def charged_price(job: Job) -> Decimal | None:
    """The quote that the student agreed to or, where the lab charged another price, that one."""
    charged = (job.payment.model_extra or {}).get(PRICE) if job.payment is not None else None
    if is_price(charged):
        return Decimal(charged)
    return job.estimate.cost if job.estimate is not None else None


def is_price(written: object) -> TypeGuard[str]:
    """Something else is what a person wrote there."""
    return isinstance(written, str) and re.fullmatch(PRICE_PATTERN, written) is not None


def charged_discounts(job: Job) -> tuple[Discount, ...]:
    """What was taken off for the price that is charged."""
    payment = (job.payment.model_extra or {}) if job.payment is not None else {}
    if is_price(payment.get(PRICE)):
        return read_discounts(payment.get(DISCOUNTS))
    return job.estimate.discounts if job.estimate is not None else ()


def _lines(payment: Payment, price: Decimal | None) -> tuple[Line, ...]:
    """An earlier version wrote one payment and no lines: what it left open was settled then."""
    if not _has_lines(payment):
        line = Line(
            kind="payment",
            amount=payment.amount,
            method=payment.method,
            transaction=payment.transaction,
            at=payment.at,
            by=payment.by,
            with_pickup=True,
        )
        rest = Ledger(price, (line,)).due
        return (line, Line(kind="waiver", amount=rest, with_pickup=True)) if rest else (line,)
    lines = _written_lines(payment)
    difference = payment.amount - paid(lines)
    return (*lines, Line(kind="correction", amount=difference)) if difference else lines


def _has_lines(payment: Payment) -> bool:
    return isinstance((payment.model_extra or {}).get(LINES), list)


def _written_lines(payment: Payment) -> tuple[Line, ...]:
    written = (payment.model_extra or {})[LINES] if _has_lines(payment) else []
    return tuple(line for line in map(_readable, written) if line is not None)


def _readable(written: object) -> Line | None:
    """None for what a person or another version wrote, which counts for nothing by itself."""
    try:
        return Line.model_validate(written)
    except ValidationError:
        return None


def _documents(payment: Payment | None, lines: Sequence[Line]) -> list[Any]:
    """The lines as they are written. What the record has besides is kept in its place."""
    documents: list[Any] = [line.document() for line in lines]
    written = (payment.model_extra or {}).get(LINES) if payment is not None else None
    for place, item in enumerate(written if isinstance(written, list) else []):
        if _readable(item) is None:
            documents.insert(place, item)
    return documents


def quote_by_scale(job: Job, weight_g: Decimal | None, prices: PriceList) -> Quote | None:
    """What the job costs at that weight, minimum and discounts included; None where its method is not priced by
    weight."""
    rate = prices.rates.get(job.request.method)
    if weight_g is None or rate is None or rate.unit != "g":
        return None
    return quote(PricedRequest.of(job), weight_g, None, prices)


def share(amount: Decimal, dues: Sequence[Decimal]) -> list[Decimal]:
    """One payment over several jobs, in their order: each gets what it costs as long as there is money, and the last
    one what is left. The shares are whole cents, as the amount is, and add up to it."""
    shares = []
    for due in dues[:-1]:
        shares.append(min(amount, due).quantize(CENT, ROUND_UP))  # a price by hand may have parts of a cent
        amount -= shares[-1]
    return [*shares, amount]


# -- recording --------------------------------------------------------------------------------------------------------


def money_events(job: Job, lines: Sequence[Line], actor: str, **changed: Any) -> list[EventDraft]:
    """An event for each new line. `changed`: what else of `payment` is new (`weight_g`, `picked_up_by`, `price`)."""
    drafts = []
    so_far = ledger(job).lines
    agreed = job.estimate.cost if job.estimate else None
    for line in lines:
        so_far = (*so_far, line)
        data = {"amount": None, "method": None} | line.model_dump(
            mode="json", exclude_defaults=True, exclude={"at", "by"}
        )
        if line.kind == "payment":
            data["agreed"] = plain(agreed) if agreed else None
        drafts.append(EventDraft(EVENTS[line.kind], actor, data, {"payment": _payment(job, so_far, changed)}))
    return drafts


def without_pickup(job: Job) -> tuple[Document | None, list[Document]]:
    """`payment` once the hand-out is taken back, as a patch, and the lines that go with it.

    Money that went back since shows that the payment was real: then all lines stay, also when it is undone again.
    """
    if job.payment is None:
        return None, []
    lines = ledger(job).lines
    voided, remaining = _split_at_pickup(lines)
    if not voided or paid(remaining) < 0:
        voided, remaining = [], [line.model_copy(update={"with_pickup": False}) for line in lines]
    payment = _payment(job, remaining, {"weight_g": None, "picked_up_by": None, PRICE: None})
    return payment if payment[LINES] else None, [line.document() for line in voided]


def _split_at_pickup(lines: Sequence[Line]) -> tuple[list[Line], list[Line]]:
    """What came with the hand-out or what a person wrote since, and the rest; all is the rest where money went back."""
    first = next((place for place, line in enumerate(lines) if line.with_pickup), len(lines))
    before, since = lines[:first], lines[first:]
    if any(line.kind == "refund" for line in since):
        return [], [*lines]
    voided = [line for line in since if line.with_pickup or line.kind == "correction"]
    return voided, [*before, *(line for line in since if line not in voided)]


def _payment(job: Job, lines: Sequence[Line], changed: Document) -> Document:
    """`payment` as a patch: the sum of the lines, and what the last payment among them says."""
    before = dump(job.payment) if job.payment is not None else {}
    last = next((line for line in reversed(lines) if line.kind == "payment"), Line(kind="payment", amount=NOTHING))
    values = before | changed
    price = values.get(PRICE)
    agreed = job.estimate.cost if job.estimate is not None else None
    is_other_price = is_price(price) and Decimal(price) != agreed
    optional = {
        PAYER: last.payer,
        PRICE: price if is_other_price else None,
        DISCOUNTS: values.get(DISCOUNTS) if is_other_price else None,
        LINES: _documents(job.payment, lines),
    }
    return {
        "amount": plain(paid(lines).quantize(CENT)),
        "method": last.method,
        "transaction": last.transaction,
        "weight_g": values.get("weight_g"),
        "picked_up_by": values.get("picked_up_by"),
        "at": last.document().get("at"),
        "by": last.by,
    } | {key: value for key, value in optional.items() if value is not None or key in before}


def require_refundable(job: Job, amount: Decimal) -> None:
    """InvalidInput for more than was paid."""
    was_paid = ledger(job).paid
    if amount > was_paid:
        raise InvalidInput({"amount": [f"{money(was_paid)} was paid; no more can be given back."]})


def require_due(job: Job, amount: Decimal) -> None:
    """InvalidInput for more than is still to be paid."""
    due = ledger(job).due
    if amount > due:
        raise InvalidInput({"amount": [f"{money(due)} is still to be paid; no more can be waived."]})


def new_line(kind: Kind, amount: Decimal, now: datetime, actor: str, **values: Any) -> Line:
    return Line(kind=kind, amount=amount.quantize(CENT), at=now.replace(microsecond=0), by=actor, **values)
