"""Money: whatever is paid, given back, waived and undone, the record and its events add up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from printsys.domain.creation import job_created
from printsys.domain.effects import Context
from printsys.domain.emails import Mail
from printsys.domain.events import Event, EventType, build_batch, fold
from printsys.domain.inputs import PickupInput, SubmitInput, validate
from printsys.domain.job import Document, Job, format_time, metadata_bytes, parse
from printsys.domain.payments import NOTHING, Ledger, ledger, quote_by_scale, share
from printsys.domain.pricing import PriceList, Rate
from printsys.domain.pruned import pruned_job
from printsys.domain.status import Status
from printsys.domain.workflow import find_step, plan
from printsys.errors import InvalidInput, TransitionNotAllowed
from printsys.reports.export import job_row
from tests.factories import FORM, PRICES, USUAL_INPUT
from tests.present import present

ID = "k7m29xq4"
NOW = datetime(2026, 3, 2, 16, 20, 11, tzinfo=UTC)
STAFF = "staff:Sam"
OLD_PAYMENT = {"amount": "4.27", "method": "Card", "transaction": "T-1", "picked_up_by": "Jane Doe"}
"""As an earlier version wrote it."""


class Life:
    """A job whose actions are recorded as the store records them."""

    def __init__(self, **changed: Any) -> None:
        self.now = NOW
        self.events: list[Event] = []
        self.document: Document = {}
        request = validate(SubmitInput, FORM)
        self.context = Context(now=NOW, prices=PRICES, confirmation_days=7, nonce="n")
        self._record(job_created(ID, f"JaneDoe_Filament_TrueRed_{ID}", request, [], "student", NOW))
        for action in ("approve", "confirm", "start", "complete"):
            self.act(action)
        self.document |= changed

    @property
    def job(self) -> Job:
        return parse(self.document)

    @property
    def ledger(self) -> Ledger:
        return ledger(self.job)

    def act(self, action: str, **values: Any) -> list[EventType]:
        """The types of the events that came of it."""
        step = find_step(action, self.job.status, STAFF)
        usual = USUAL_INPUT.get(action, {}) | ({"print_file": ["part.gcode"]} if action == "approve" else {})
        drafts = plan(self.job, action, STAFF, validate(step.needs, usual | values), self.context)
        self._record(drafts)
        return [draft.type for draft in drafts]

    def _record(self, drafts: Any) -> None:
        batch = build_batch(drafts, self.document, len(self.events), b"line", self.now)
        self.document = batch.document
        self.events += batch.events


def of_events(events: list[Event]) -> tuple[Decimal, Decimal]:
    """What was paid and what was waived, by the events alone."""
    paid = waived = Decimal(0)
    for event in events:
        amount = Decimal(event.data.get("amount") or "0")
        if event.type == EventType.PAYMENT_RECORDED:
            paid += amount
        elif event.type == EventType.PAYMENT_REFUNDED:
            paid -= amount
        elif event.type == EventType.PAYMENT_WAIVED:
            waived += amount
        for line in event.data.get("voided", []):
            paid -= Decimal(line["amount"]) if line["kind"] == "payment" else 0
            waived -= Decimal(line["amount"]) if line["kind"] == "waiver" else 0
    return paid, waived


# -- handing out ------------------------------------------------------------------------------------------------------


def test_what_is_paid_in_full_leaves_nothing_open() -> None:
    life = Life()
    assert life.act("pickup")[:2] == [EventType.PAYMENT_RECORDED, EventType.JOB_PICKED_UP]
    assert (life.ledger.paid, life.ledger.due, life.ledger.overpaid) == (Decimal("4.27"), NOTHING, NOTHING)
    payment = present(life.job.payment)
    assert (payment.amount, payment.method, payment.picked_up_by) == (Decimal("4.27"), "Card", "Jane Doe")


def test_what_is_not_paid_stays_to_be_paid_and_can_be_paid_later() -> None:
    life = Life()
    life.act("pickup", amount="3")
    assert life.ledger.due == Decimal("1.27")
    assert Mail.RECEIPT in [event.data.get("mail") for event in life.events[-1:]]
    life.act("pay", amount="1.27", transaction="T-2", payer="Prof. Li")
    assert (life.ledger.due, present(life.job.payment).amount) == (NOTHING, Decimal("4.27"))
    assert [(line.kind, line.payer, line.transaction) for line in life.ledger.lines] == [
        ("payment", None, None),
        ("payment", "Prof. Li", "T-2"),
    ]


def test_a_payment_before_the_hand_out_counts_towards_it() -> None:
    life = Life()
    life.act("pay", amount="4")
    assert life.ledger.due == Decimal("0.27")
    life.act("pickup", amount="0.27")
    assert (life.ledger.paid, life.ledger.due) == (Decimal("4.27"), NOTHING)


def test_the_rest_can_be_waived_with_a_reason_as_the_job_is_handed_out() -> None:
    life = Life()
    types = life.act("pickup", amount="0", waive_reason="Our printer scratched it")
    assert types[:3] == [EventType.PAYMENT_WAIVED, EventType.PAYMENT_RECORDED, EventType.JOB_PICKED_UP]
    assert (life.ledger.paid, life.ledger.waived, life.ledger.due) == (NOTHING, Decimal("4.27"), NOTHING)
    assert life.ledger.lines[0].reason == "Our printer scratched it"


@pytest.mark.parametrize(
    ("charge", "weight", "price"),
    [("quote", "50", "4.27"), ("scale", "50", "5.00"), ("scale", "12", "3.00"), ("scale", "", "4.27")],
)
def test_the_price_is_the_quote_or_what_the_scale_says_with_the_minimum_on_either(
    charge: str, weight: str, price: str
) -> None:
    life = Life()
    life.act("pickup", charge=charge, weight_g=weight, amount=price)
    assert (life.ledger.price, life.ledger.due, life.ledger.overpaid) == (Decimal(price), NOTHING, NOTHING)


@pytest.mark.parametrize(("chosen", "price"), [(None, "5.00"), ("quote", "4.27")])
def test_lab_toml_says_which_price_is_charged_and_staff_may_choose_the_other(chosen: str | None, price: str) -> None:
    life = Life()
    life.context = Context(now=NOW, prices=PRICES, confirmation_days=7, nonce="n", charge="scale")
    life.act("pickup", weight_g="50", amount=price, charge=chosen)
    assert life.ledger.price == Decimal(price)


def test_the_scale_is_priced_as_on_the_day_of_the_approval() -> None:
    dearer = PriceList(valid_from=NOW.date(), minimum=Decimal("3"), rates={"Filament": Rate(amount=Decimal("1"))})
    life = Life()
    life.context = Context(now=NOW, prices=dearer, confirmation_days=7, nonce="n", agreed_prices=PRICES)
    life.act("pickup", weight_g="50", amount="5", charge="scale")
    assert life.ledger.price == Decimal("5.00")


def test_a_method_priced_by_volume_has_no_price_by_scale() -> None:
    by_volume = PRICES.model_copy(update={"rates": {"Filament": Rate(amount=Decimal("1"), unit="ml")}})
    assert quote_by_scale(Life().job, Decimal(50), by_volume) is None


# -- giving back, and taking steps back -------------------------------------------------------------------------------


def test_money_given_back_for_a_bad_print_need_not_be_paid_again() -> None:
    life = Life()
    life.act("pickup")
    assert EventType.PAYMENT_REFUNDED in life.act("refund", amount="4.27", reason="It broke in two")
    assert (life.ledger.paid, life.ledger.refunded, life.ledger.due) == (NOTHING, Decimal("4.27"), NOTHING)


def test_money_given_back_may_be_due_again() -> None:
    life = Life()
    life.act("pickup")
    life.act("refund", amount="4.27", reason="The card was refused", still_due="yes")
    assert (life.ledger.paid, life.ledger.due) == (NOTHING, Decimal("4.27"))


def test_what_was_paid_too_much_is_given_back_and_nothing_else_changes() -> None:
    life = Life()
    life.act("pickup", amount="42.70")
    assert life.ledger.overpaid == Decimal("38.43")
    life.act("refund", amount="38.43", reason="A slip")
    assert (life.ledger.paid, life.ledger.due, life.ledger.overpaid, life.ledger.waived) == (
        Decimal("4.27"),
        NOTHING,
        NOTHING,
        NOTHING,
    )


def test_no_more_is_given_back_than_was_paid_and_no_more_waived_than_is_due() -> None:
    life = Life()
    with pytest.raises(InvalidInput, match=r"0\.00 was paid"):
        life.act("refund")
    with pytest.raises(InvalidInput, match=r"4\.27 is still to be paid"):
        life.act("waive", amount="5")
    life.act("pickup")
    with pytest.raises(InvalidInput, match="Nothing is to be paid"):
        life.act("waive", amount="")


def test_undoing_the_hand_out_takes_back_its_payment_and_no_other() -> None:
    life = Life()
    life.act("pay", amount="1")
    life.act("pickup", amount="3.27", charge="scale", weight_g="50")
    life.act("revert")
    payment = present(life.job.payment)
    assert (payment.amount, payment.picked_up_by, payment.weight_g) == (Decimal("1.00"), None, None)
    assert (life.ledger.price, life.ledger.due) == (Decimal("4.27"), Decimal("3.27"))
    assert life.events[-1].data["voided"][0]["amount"] == "3.27"


def test_a_payment_of_which_money_went_back_stays_when_the_hand_out_is_undone() -> None:
    life = Life()
    life.act("pickup")
    life.act("refund", amount="1")
    life.act("revert")
    assert life.ledger.paid == Decimal("3.27")


def test_what_the_lab_holds_stays_where_money_of_two_payments_went_back() -> None:
    life = Life()
    life.act("pay", amount="2")
    life.act("pickup", amount="2")
    life.act("refund", amount="1", still_due="yes")
    life.act("revert")
    assert (life.ledger.paid, life.ledger.due) == (Decimal("3.00"), Decimal("1.27"))
    life.act("pickup", amount="1.27")
    life.act("revert")
    assert life.ledger.paid == Decimal("3.00"), "only the second hand-out is taken back"


def test_what_a_person_wrote_by_hand_goes_with_the_hand_out_that_it_was_written_at() -> None:
    life = Life()
    life.act("pay", amount="2")
    life.document["payment"]["amount"] = "2.50"
    life.act("pickup", amount="1.77")
    life.document["payment"]["amount"] = "9.00"
    life.act("revert")
    assert life.ledger.paid == Decimal("2.50")
    assert [line["kind"] for line in life.events[-1].data["voided"]] == ["payment", "correction"]


@pytest.mark.parametrize(("amount", "waived", "overpaid"), [("1", "0.27", "0"), ("1.27", "0", "0"), ("2", "0", "0.73")])
def test_a_payment_of_what_was_waived_takes_the_waiver_back(amount: str, waived: str, overpaid: str) -> None:
    life = Life()
    life.act("pickup", amount="3", waive_reason="Our printer scratched it")
    types = life.act("pay", amount=amount)
    assert types[:2] == [EventType.PAYMENT_WAIVED, EventType.PAYMENT_RECORDED]
    assert (life.ledger.paid, life.ledger.due) == (3 + Decimal(amount), NOTHING)
    assert (life.ledger.waived, life.ledger.overpaid) == (Decimal(waived), Decimal(overpaid))
    life.act("revert")
    assert (life.ledger.paid, life.ledger.waived) == (Decimal(amount), NOTHING)


def test_all_that_was_paid_for_a_rejected_job_is_to_be_given_back() -> None:
    life = Life()
    life.act("waive", amount="1")
    life.act("pay", amount="2")
    life.act("override", status=Status.REJECTED)
    assert (life.ledger.overpaid, life.ledger.due) == (Decimal("2.00"), NOTHING)
    life.act("refund", amount="2")
    assert (life.ledger.overpaid, life.ledger.due, life.ledger.waived) == (NOTHING, NOTHING, Decimal("1.00"))
    life.act("override", status=Status.COMPLETED)
    assert life.ledger.due == Decimal("3.27"), "it is to be printed after all"


def rejected(*actions: str, by: str = "reject") -> Life:
    """A job that was paid ahead, and rejected before it was printed."""
    life = Life()
    life.act("override", status=Status.READY_TO_PRINT)
    life.act("pay", amount="2")
    life.act(by, **({"status": Status.REJECTED} if by == "override" else {}))
    for action in actions:
        life.act(action, amount="2")
    return life


def amounts(book: Ledger) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    return book.paid, book.waived, book.due, book.overpaid


@pytest.mark.parametrize("by", ["reject", "override"])
@pytest.mark.parametrize("actions", [(), ("refund",)], ids=["kept", "given-back"])
def test_to_archive_a_rejected_job_changes_nothing_of_its_money(actions: tuple[str, ...], by: str) -> None:
    life = rejected(*actions, by=by)
    before = amounts(life.ledger)
    life.act("archive")
    assert amounts(life.ledger) == before
    assert job_row(life.job, life.events)["due"] == "0.00"
    pruned = pruned_job(life.job, life.document, life.events, "0" * 16, "2026-03-02", "retention")
    assert amounts(ledger(pruned.job)) == before


def test_what_was_given_back_after_a_rejected_job_was_archived_is_not_due_again() -> None:
    life = rejected("archive", "refund")
    assert amounts(life.ledger) == (NOTHING, NOTHING, NOTHING, NOTHING)


def test_a_job_that_was_rejected_once_and_handed_out_in_the_end_costs_its_price() -> None:
    life = rejected()
    life.act("override", status=Status.COMPLETED)
    life.act("pickup", amount="1.00", waive_reason="")
    due = life.ledger.due
    assert due == Decimal("1.27")
    life.act("waive", amount="1.27")
    life.act("archive")
    assert amounts(life.ledger) == (Decimal("3.00"), due, NOTHING, NOTHING)
    pruned = pruned_job(life.job, life.document, life.events, "0" * 16, "2026-03-02", "retention")
    assert amounts(ledger(pruned.job)) == amounts(life.ledger)


@pytest.mark.parametrize("by", ["archive", "override"])
def test_a_job_that_was_rejected_once_and_paid_in_the_end_owes_nobody_anything(by: str) -> None:
    life = rejected("refund")
    life.act("override", status=Status.PAID_PICKED_UP)
    life.act("pay", amount="4.27")
    before = amounts(life.ledger)
    life.act(by, **({"status": Status.ARCHIVED} if by == "override" else {}))
    assert amounts(life.ledger) == before and life.ledger.overpaid == NOTHING


# -- records of earlier versions, and of people -----------------------------------------------------------------------


def test_a_payment_without_lines_is_one_line_and_what_it_left_open_was_settled() -> None:
    life = Life(payment=OLD_PAYMENT | {"amount": "3.00"}, status=Status.PAID_PICKED_UP.value)
    assert (life.ledger.paid, life.ledger.due) == (Decimal("3.00"), NOTHING)
    life.act("refund", amount="3")
    assert (life.ledger.paid, life.ledger.due) == (NOTHING, NOTHING)
    assert life.ledger.lines[0].transaction == "T-1"


def test_an_old_record_that_was_rejected_once_keeps_its_balance_when_it_is_pruned() -> None:
    """Who collected it is pruned with the rest."""
    collected = {"amount": "3.00", "picked_up_by": "Jane Doe"}
    life = Life(payment=OLD_PAYMENT | collected, rejection={"at": format_time(NOW)}, status=Status.ARCHIVED.value)
    pruned = pruned_job(life.job, life.document, life.events, "0" * 16, "2026-03-02", "retention")
    assert pruned.job.rejection is not None
    assert amounts(ledger(pruned.job)) == amounts(life.ledger) == (Decimal("3.00"), Decimal("1.27"), NOTHING, NOTHING)


def test_undoing_an_old_pick_up_takes_the_payment_out_as_before() -> None:
    life = Life(payment=OLD_PAYMENT | {"amount": "3.00"}, status=Status.PAID_PICKED_UP.value)
    life.act("revert")
    assert life.job.payment is None


@pytest.mark.parametrize("lines", [[{"kind": "payment", "amount": "1.00"}], [{"kind": "gift"}], "none", [7]])
def test_an_amount_that_a_person_wrote_by_hand_counts(lines: Any) -> None:
    life = Life(payment=OLD_PAYMENT | {"lines": lines})
    assert life.ledger.paid == Decimal("4.27")


def test_a_price_that_is_none_is_not_believed() -> None:
    assert Life(payment=OLD_PAYMENT | {"price": "NaN"}).ledger.price == Decimal("4.27")


@pytest.mark.parametrize("price", ["3,50", "$4", "NaN", "", 4])
def test_a_price_that_a_person_wrote_in_another_way_stops_no_payment(price: Any) -> None:
    for action in ("pay", "waive", "refund"):
        life = Life(payment=OLD_PAYMENT | {"amount": "2.00", "price": price, "lines": []})
        life.act(action, amount="1")
        assert life.ledger.price == Decimal("4.27")


def test_lines_of_another_version_are_kept_and_void_no_others() -> None:
    """DESIGN.md, 3: unknown keys are kept."""
    payment = {"kind": "payment", "amount": "3.00", "method": "Card", "till": {"number": 2}}
    voucher = {"kind": "voucher", "amount": "9.00", "code": "X"}
    life = Life(payment=OLD_PAYMENT | {"amount": "3.00", "lines": [voucher, payment, 7]})
    assert [(line.kind, line.amount) for line in life.ledger.lines] == [("payment", Decimal("3.00"))]
    life.act("pay", amount="1.27")
    lines = life.document["payment"]["lines"]
    assert lines[:3] == [voucher, payment, 7] and lines[3]["amount"] == "1.27"
    assert (life.ledger.paid, life.ledger.due) == (Decimal("4.27"), NOTHING)


# -- one payment for several jobs -------------------------------------------------------------------------------------

cents = st.integers(0, 10_000).map(lambda n: Decimal(n) / 100)


@given(amount=cents, dues=st.lists(cents, min_size=1, max_size=5))
def test_the_shares_of_one_payment_add_up_and_nobody_pays_for_another_first(
    amount: Decimal, dues: list[Decimal]
) -> None:
    shares = share(amount, dues)
    assert sum(shares) == amount and len(shares) == len(dues)
    assert all(part >= 0 for part in shares)
    assert all(part <= due for part, due in zip(shares[:-1], dues[:-1], strict=True))
    for n, part in enumerate(shares[:-1]):
        assert part == dues[n] or not any(shares[n + 1 :]), "the next one is served after this one"


# -- any order of things ----------------------------------------------------------------------------------------------

AMOUNTS = st.sampled_from(["0", "0.01", "1", "1.27", "3", "4.27", "5", "42.70"])


class Counter(RuleBasedStateMachine):
    """Payments, refunds and waivers at random: the sums add up, by the record and by the events alone."""

    @initialize()
    def is_finished(self) -> None:
        self.life = Life()

    def attempt(self, action: str, **values: Any) -> None:
        before = metadata_bytes(self.life.document)
        try:
            self.life.act(action, **values)
        except (InvalidInput, TransitionNotAllowed):
            assert metadata_bytes(self.life.document) == before
        self.life.now += timedelta(minutes=1)

    @rule(
        amount=AMOUNTS, charge=st.sampled_from(["quote", "scale", None]), weight=st.sampled_from(["12", "42.7", "60"])
    )
    def hand_out(self, amount: str, charge: str | None, weight: str) -> None:
        self.attempt("pickup", amount=amount, charge=charge, weight_g=weight)

    @rule(amount=AMOUNTS)
    def hand_out_and_waive(self, amount: str) -> None:
        self.attempt("pickup", amount=amount, waive_reason="a gift")

    @rule(amount=AMOUNTS)
    def pay(self, amount: str) -> None:
        self.attempt("pay", amount=amount)

    @rule(amount=AMOUNTS)
    def pay_and_waive(self, amount: str) -> None:
        self.attempt("pay", amount=amount, waive_reason="a gift")

    @rule(amount=AMOUNTS, still_due=st.booleans())
    def refund(self, amount: str, still_due: bool) -> None:
        self.attempt("refund", amount=amount, still_due=still_due)

    @rule(amount=st.sampled_from(["", "0.01", "1", "4.27"]))
    def waive(self, amount: str) -> None:
        self.attempt("waive", amount=amount)

    @precondition(lambda self: self.life.job.status is Status.PAID_PICKED_UP)
    @rule()
    def undo(self) -> None:
        self.attempt("revert")

    @invariant()
    def the_sums_add_up(self) -> None:
        book = self.life.ledger
        price = present(book.price)
        assert price == book.paid + book.waived + book.due - book.overpaid
        assert min(book.paid, book.waived, book.due, book.overpaid, book.refunded) >= 0
        assert not (book.due and book.overpaid)
        payment = self.life.job.payment
        assert book.paid == (payment.amount if payment else 0)
        assert all(line.kind != "correction" for line in book.lines)

    @invariant()
    def the_events_say_the_same(self) -> None:
        assert of_events(self.life.events) == (self.life.ledger.paid, self.life.ledger.waived)
        assert metadata_bytes(fold(self.life.events)) == metadata_bytes(self.life.document)


TestCounter = Counter.TestCase
TestCounter.settings = settings(max_examples=80, stateful_step_count=20, deadline=None)


def test_a_pick_up_asks_for_what_it_asked_for_before() -> None:
    required = {name for name, field in PickupInput.model_fields.items() if field.is_required()}
    assert required == {"amount", "payment_method", "picked_up_by"}
