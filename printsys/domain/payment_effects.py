"""What paying, waiving, giving back and handing out change in metadata.json, and what their events tell."""

from __future__ import annotations

from decimal import Decimal

from printsys.domain.effects import Context, Effect, rejection_kept
from printsys.domain.emails import Mail, is_true_in
from printsys.domain.events import FILESYSTEM, actor_kind
from printsys.domain.inputs import NoInput, PayInput, PaymentInput, PickupInput, ReasonInput, RefundInput, WaiveInput
from printsys.domain.job import Job, plain
from printsys.domain.payments import (
    Ledger,
    Line,
    is_unpaid,
    ledger,
    money_events,
    new_line,
    quote_by_scale,
    require_due,
    require_refundable,
    without_pickup,
)
from printsys.domain.pricing import money
from printsys.errors import InvalidInput, TransitionNotAllowed


def pickup(job: Job, values: PickupInput, actor: str, context: Context) -> Effect:
    price = price_at_pickup(job, values, context)
    by_scale = quote_by_scale(job, values.weight_g, context.charged_prices)
    discounts = by_scale.discounts if by_scale is not None and by_scale.cost == price else ()
    money = money_events(
        job,
        _payment(values, values.amount, ledger(job).at(price), actor, context, with_pickup=True),
        actor,
        weight_g=plain(values.weight_g) if values.weight_g is not None else None,
        picked_up_by=values.picked_up_by,
        price=plain(price) if price is not None else None,
        discounts=[discount.model_dump(mode="json") for discount in discounts] or None,
    )
    return Effect({}, {"picked_up_by": values.picked_up_by}, money=tuple(money))


def _payment(
    values: PaymentInput, amount: Decimal, book: Ledger, actor: str, context: Context, with_pickup: bool = False
) -> list[Line]:
    """The payment and, before it, the waiver of what it leaves. Without a reason to waive that stays to be paid."""
    line = new_line(
        "payment",
        amount,
        context.now,
        actor,
        method=values.payment_method,
        transaction=values.transaction,
        payer=values.payer,
        with_pickup=with_pickup,
        together=context.together,
    )
    rest = book.with_lines(line).due
    if not rest or not values.waive_reason:
        return [line]
    waiver = new_line("waiver", rest, context.now, actor, reason=values.waive_reason, with_pickup=with_pickup)
    return [waiver, line]


def price_at_pickup(job: Job, values: PickupInput, context: Context) -> Decimal | None:
    """By the quote or by the scale, as staff chose or lab.toml says; where one is not known, the other."""
    quoted = job.estimate.cost if job.estimate is not None else None
    if (values.charge or context.charge) == "quote" and quoted is not None:
        return quoted
    by_scale = quote_by_scale(job, values.weight_g, context.charged_prices)
    return by_scale.cost if by_scale is not None else quoted


def pay(job: Job, values: PayInput, actor: str, context: Context) -> Effect:
    """A payment of what was waived takes the waiver back."""
    book = ledger(job)
    lines = _payment(values, values.amount, book, actor, context)
    taken_back = min(book.with_lines(*lines).overpaid, book.waived)
    if taken_back:
        is_of_pickup = any(line.kind == "waiver" and line.with_pickup for line in book.lines)
        lines.insert(0, new_line("waiver", -taken_back, context.now, actor, with_pickup=is_of_pickup))
    *money, last = money_events(job, lines, actor)
    return Effect(last.patch, last.data, money=tuple(money), mail=_receipt(job))


def refund(job: Job, values: RefundInput, actor: str, context: Context) -> Effect:
    """What was paid for and is given back need not be paid again, unless staff say so."""
    require_refundable(job, values.amount)
    before = ledger(job)
    line = new_line(
        "refund",
        values.amount,
        context.now,
        actor,
        method=values.payment_method,
        transaction=values.transaction,
        reason=values.reason,
    )
    due_again = before.with_lines(line).due - before.due
    lines = [line]
    if due_again and not values.still_due:
        lines.insert(0, new_line("waiver", due_again, context.now, actor, reason=values.reason))
    *money, last = money_events(job, lines, actor)
    return Effect(last.patch, last.data, money=tuple(money), mail=_receipt(job))


def waive(job: Job, values: WaiveInput, actor: str, context: Context) -> Effect:
    amount = values.amount if values.amount is not None else ledger(job).due
    require_due(job, amount)
    if not amount:
        raise InvalidInput({"amount": ["Nothing is to be paid."]})
    [draft] = money_events(job, [new_line("waiver", amount, context.now, actor, reason=values.reason)], actor)
    return Effect(draft.patch, draft.data)


def _receipt(job: Job) -> Mail | None:
    """Before the print is collected there is nothing to be thanked for yet; that receipt names all payments."""
    return Mail.RECEIPT if is_true_in(Mail.RECEIPT, job.status) else None


def archive(job: Job, values: NoInput, actor: str, context: Context) -> Effect:
    """A dragged folder is archived all the same: the storage is the record."""
    if is_unpaid(job) and actor_kind(actor) != FILESYSTEM:
        due = money(ledger(job).due)
        raise TransitionNotAllowed(
            "archive", f"{due} is still to be paid. Please take the payment, or waive it with a reason, before."
        )
    return Effect(rejection_kept(job))


def undo_payment(job: Job, values: ReasonInput, actor: str, context: Context) -> Effect:
    """The lines that came with the hand-out go with it; what was paid before or after stays."""
    payment, voided = without_pickup(job)
    return Effect({"payment": payment}, {"reason": values.reason} | ({"voided": voided} if voided else {}))
