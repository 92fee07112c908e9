"""The counter: whose prints are ready, what they cost, and one payment for all that somebody takes along."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from flask import Blueprint, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from indexer.job_filter import JobFilter
from printsys.actions import counter
from printsys.actions.counter import ChosenJob, HandedOut, PartOfPayment
from printsys.domain.inputs import CounterInput, PickupInput, WeighedInput, validate
from printsys.domain.job import Job, plain
from printsys.domain.naming import parse_id
from printsys.domain.payments import is_unpaid, ledger, quote_by_scale
from printsys.domain.pricing import Quote
from printsys.domain.status import Status
from printsys.domain.words import counted
from printsys.errors import InvalidInput, JobNotFound, MirrorDown, PrintSysError, StaleJob
from printsys.jobstore import Stored
from printsys.services import Services
from printsys.texts import discounts, money
from printsys.web.auth import current_actor, login_required
from printsys.web.errors import error_page
from printsys.web.filters import status_name
from printsys.web.services import services
from printsys.web.staff.forms import shown_revision
from printsys.web.staff.job_list import JobSummary, list_jobs
from printsys.web.staff.list_query import ListQuery
from printsys.web.staff.payment_remarks import (
    amount_remarks,
    fingerprint,
    transaction_remarks,
    weight_remarks,
)

pages = Blueprint("counter", __name__, url_prefix="/dashboard/counter")
_JOB_ADDRESS = re.compile(r"/dashboard/jobs/([0-9A-Za-z]{8})")
"""What a ticket's code says, whatever the lab's address was when it was printed."""
TYPED = ("amount", "transaction", "picked_up_by", "payer", "waive_reason")
"""Fields of a payment that may have the focus when somebody scans the next ticket: nothing is recorded then."""
UNPAID_IS_UNKNOWN = "What was handed out and is not paid yet shows again when the database is back."


@dataclass(frozen=True)
class CounterRow:
    """A job on the page. `is_unpaid`: it was handed out before, and something of its price is still to be paid."""

    summary: JobSummary
    is_unpaid: bool = False

    @property
    def job(self) -> Job:
        return self.summary.job

    @property
    def title(self) -> str:
        files = self.job.sent_files
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        return f"{files[0].title}{more}" if files else self.job.id

    @property
    def due(self) -> Decimal:
        return ledger(self.job).due

    @property
    def paid_before(self) -> Decimal:
        return ledger(self.job).paid

    @property
    def settled(self) -> Decimal:
        """Of the price, paid or waived before."""
        book = ledger(self.job)
        return book.paid + book.waived


@dataclass(frozen=True)
class Customer:
    """A student with something to collect or to pay. `key`: the address or, without one, the name."""

    key: str
    name: str
    rows: tuple[CounterRow, ...]

    @property
    def due(self) -> Decimal:
        return sum((row.due for row in self.rows), Decimal(0))

    def due_of(self, ticked: Container[str] | None) -> Decimal:
        """Of the jobs with these ids; None: of all."""
        return sum((row.due for row in self.rows if ticked is None or row.job.id in ticked), Decimal(0))

    @property
    def waiting(self) -> int:
        return sum(not row.is_unpaid for row in self.rows)


def key_of(job: Job) -> str:
    return (job.student.email or job.student.name).casefold()


def customers_of(rows: Iterable[CounterRow]) -> list[Customer]:
    """In the order of their first row."""
    grouped: dict[str, list[CounterRow]] = {}
    for row in rows:
        grouped.setdefault(key_of(row.job), []).append(row)
    return [Customer(key, listed[0].job.student.name, tuple(listed)) for key, listed in grouped.items()]


# -- who is it --------------------------------------------------------------------------------------------------------


@pages.get("", strict_slashes=False)
@login_required
def show() -> ResponseReturnValue:
    q, student = request.args.get("q", "").strip(), request.args.get("student", "").strip()
    ticked = {job_id for text in request.args.getlist("job") if (job_id := parse_id(text)) is not None}
    if ticked:
        return _page_of_ticked(ticked, student.casefold())
    scanned = _scanned_job(services(), q) if q else None
    if scanned is not None:
        return _page(q, key_of(scanned), scanned=scanned)
    return _page(q, student.casefold())


def _page_of_ticked(ticked: set[str], student: str) -> ResponseReturnValue:
    """What was ticked in the list is ticked here too; of several students staff choose one after the other."""
    jobs = [job for job_id in sorted(ticked) if (job := _job_of(services(), job_id)) is not None]
    students = {key_of(job) for job in jobs if job.status is Status.COMPLETED}
    if not student and len(students) == 1:
        (student,) = students
    return _page("", student, students=frozenset() if student else frozenset(students), ticked=ticked)


def _page(
    q: str,
    student: str,
    scanned: Job | None = None,
    status: int = 200,
    students: frozenset[str] = frozenset(),
    **context: Any,
) -> ResponseReturnValue:
    """`student`: whose jobs are asked for, by the key, or `students`; none: all that match `q`."""
    wanted = "" if scanned is not None else q
    lists = [
        list_jobs(services(), ListQuery(JobFilter(Status.COMPLETED, words)))
        for words in sorted(students) or [wanted or student]
    ]
    summaries = [summary for listed in lists for summary in listed.summaries]
    rows = [CounterRow(summary) for summary in summaries if not summary.has_problem]
    held_up = [summary for summary in summaries if summary.has_problem]
    unpaid = _unpaid(services(), wanted)
    banners = lists[0].banners if unpaid is not None else [*lists[0].banners, UNPAID_IS_UNKNOWN]
    customers = customers_of([*rows, *(unpaid or [])])
    if keys := students or {student} - {""}:
        customers = [customer for customer in customers if customer.key in keys]
        held_up = [summary for summary in held_up if key_of(summary.job) in keys]
    chosen = customers[0] if len(customers) == 1 and (q or student) else None
    shown = {row.job.id for row in chosen.rows} if chosen else set()
    page = render_template(
        "staff/counter.html",
        q=q,
        scanned=scanned,
        is_scanned_here=scanned is not None and scanned.id in shown | {summary.job.id for summary in held_up},
        held_up=held_up,
        customers=customers,
        customer=chosen,
        student=student,
        left_out=sum(max(0, listed.total - len(listed.summaries)) for listed in lists),
        page_banners=banners,
        scale_price=_scale_price,
        plain_amount=plain,
        **{"typed": {}, "errors": {}, "remarks": [], "ticked": None} | context,
    )
    return page, status


def _scanned_job(services: Services, text: str) -> Job | None:
    """The job that a ticket's code, or a typed id, names."""
    address = _JOB_ADDRESS.search(text)
    job_id = parse_id(address.group(1) if address else text)
    return _job_of(services, job_id) if job_id is not None else None


def _job_of(services: Services, job_id: str) -> Job | None:
    try:
        row = services.queries.job(job_id)
        return row.job if row is not None else None
    except MirrorDown:
        pass
    try:
        services.store.find(job_id, everywhere=False)
        return services.store.load(job_id).job
    except JobNotFound:
        return None


def _unpaid(services: Services, q: str) -> list[CounterRow] | None:
    """What was handed out and is not paid; None: the mirror is down, and nobody can say."""
    try:
        rows = services.queries.perhaps_unpaid(q)
    except MirrorDown:
        return None
    return [CounterRow(JobSummary.from_row(row), is_unpaid=True) for row in rows if is_unpaid(row.job)]


@pages.app_context_processor
def _to_be_paid() -> dict[str, Any]:
    return {"to_be_paid": lambda: _unpaid(services(), "")}


# -- what it costs ----------------------------------------------------------------------------------------------------


@pages.get("/price")
@login_required
def price() -> ResponseReturnValue:
    """What a job costs at the weight that staff type, by the rule that the hand-out itself uses."""
    by_scale = _scale_price(services().store.load(request.args.get("job", "")).job, request.args.get("weight_g"))
    if by_scale is None:
        return jsonify(scale=None, text="", discounts="")
    return jsonify(scale=plain(by_scale.cost), text=money(by_scale.cost), discounts=discounts(by_scale.discounts))


def _scale_price(job: Job, typed: str | None) -> Quote | None:
    """By the weight that somebody has typed, where that is another price than the quote."""
    try:
        weighed = validate(WeighedInput, {"weight_g": typed or ""})
    except InvalidInput:
        return None
    if weighed.weight_g is None:
        return None
    context = services().actions.context_of(services().store.load(job.id))
    by_scale = quote_by_scale(job, weighed.weight_g, context.charged_prices)
    quoted = job.estimate.cost if job.estimate else None
    return by_scale if by_scale is not None and by_scale.cost != quoted else None


# -- the payment ------------------------------------------------------------------------------------------------------


@pages.post("", strict_slashes=False)
@login_required
def hand_out() -> ResponseReturnValue:
    """`job` (repeated): id and revision as the page showed them; for each of them `weight_g-<id>` and `charge-<id>`."""
    form = request.form
    if scanned := next(filter(None, (_JOB_ADDRESS.search(form.get(name, "")) for name in TYPED)), None):
        return redirect(url_for("counter.show", q=scanned.group(1)), 303)
    student = form.get("student", "").casefold()
    filled_in: dict[str, Any] = {"typed": form, "ticked": {text.partition(":")[0] for text in form.getlist("job")}}
    try:
        chosen = list(_chosen_jobs())
        payment = validate(CounterInput, form)
        _who()
        parts = counter.split(services().actions, chosen, payment)
        remarks = list(_remarks(chosen, parts, payment))
        if remarks and form.get("accept") != fingerprint(remarks):
            return _page("", student, status=422, remarks=remarks, accept=fingerprint(remarks), **filled_in)
        result = counter.record(services().actions, parts, current_actor(_who()))
    except StaleJob as error:
        job = services().store.load(error.job_id).job
        changed = f"{job.student.name}'s job {job.id} was changed meanwhile; it is {status_name(job.status)} now."
        return _page(
            "", student, status=409, errors={"": [f"{changed} Nothing is saved; please look again."]}, **filled_in
        )
    except InvalidInput as error:
        return _page("", student, status=422, errors=error.fields, **filled_in)
    except PrintSysError as error:
        return _page("", student, status=error_page(error).code, errors={"": [str(error)]}, **filled_in)
    _tell(result, parts)
    return redirect(url_for("counter.show"), 303)


def _who() -> str | None:
    """Who stands at the counter: one computer there serves all staff, so it is asked each time. InvalidInput."""
    names, who = services().lab.about.staff, request.form.get("who")
    if names and who not in names:
        raise InvalidInput({"who": ["Please say who of you hands this out."]})
    return who if names else None


def _chosen_jobs() -> Iterator[ChosenJob]:
    """InvalidInput where none is ticked, and for what cannot be a weight."""
    ticked = request.form.getlist("job")
    if not ticked:
        raise InvalidInput({"job": ["Please tick what is handed out or paid."]})
    problems: dict[str, Sequence[str]] = {}
    for job_id, _, revision in (text.partition(":") for text in ticked):
        typed = {name: request.form.get(f"{name}-{job_id}", "") for name in ("weight_g", "charge")}
        try:
            weighed = validate(WeighedInput, typed)
        except InvalidInput as error:
            problems |= {f"{name}-{job_id}": sentences for name, sentences in error.fields.items()}
            continue
        yield ChosenJob(services().store.load(job_id), shown_revision(revision), weighed)
    if problems:
        raise InvalidInput(problems)


def _remarks(chosen: Sequence[ChosenJob], parts: Sequence[PartOfPayment], payment: CounterInput) -> Iterator[str]:
    """Of the whole payment: one sentence about the amount, however many jobs share it."""
    for part in parts:
        if isinstance(part.values, PickupInput):
            yield from weight_remarks(services(), part.chosen.stored, part.values)
    books = [counter.book_of(services().actions, job) for job in chosen]
    if any(book.price is not None for book in books):
        due = sum((book.due for book in books), Decimal(0))
        yield from amount_remarks(due, payment.amount, payment.waive_reason)
    yield from transaction_remarks(services(), payment.transaction, [each.stored.job for each in chosen])


def _tell(result: HandedOut, parts: Sequence[PartOfPayment]) -> None:
    """What was done and, job by job, what was not."""
    if not parts:
        flash("Nothing was paid, so nothing is recorded.")
    if result.done:
        flash(_done_sentence(result.done, parts))
    for part, reason in result.not_done:
        job = part.chosen.stored.job
        flash(
            f"{job.student.name}'s job {job.id} was not handed out: {reason} "
            f"{money(part.amount)} of the payment is not recorded; please hand it out again.",
            "error",
        )


def _done_sentence(done: Sequence[Stored], parts: Sequence[PartOfPayment]) -> str:
    ids = {stored.id for stored in done}
    recorded = [part for part in parts if part.chosen.stored.id in ids]
    names = dict.fromkeys(stored.job.student.name for stored in done)
    count = sum(part.action == "pickup" for part in recorded)
    prints = f"{counted(count, 'print')}, " if count else ""
    due = sum((ledger(stored.job).due for stored in done), Decimal(0))
    has_address = any(stored.job.student.email for stored in done)
    paid = sum((part.amount for part in recorded), Decimal(0))
    rest = f" {money(due)} stays to be paid." if due else ""
    receipt = "The receipt is on its way." if has_address else "There is no address for a receipt."
    return f"{', '.join(names)}: {prints}{money(paid)} taken.{rest} {receipt}"
