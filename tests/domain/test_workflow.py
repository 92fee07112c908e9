"""The table of actions: what is legal, what it leads to, and that any life of a job is recorded so that it adds up."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from printsys.domain import emails
from printsys.domain.creation import job_created, reprint_created
from printsys.domain.effects import Context, missing_facts
from printsys.domain.emails import Mail
from printsys.domain.events import Event, EventDraft, EventType, build_batch, fold, sha256
from printsys.domain.inputs import ActionInput, NoInput, StartInput, SubmitInput, validate
from printsys.domain.job import Document, Job, metadata_bytes, parse
from printsys.domain.payments import NOTHING, ledger
from printsys.domain.status import Status
from printsys.domain.workflow import STEPS, drag_step, find_step, plan, steps_from
from printsys.errors import InvalidInput, TransitionNotAllowed
from printsys.jobstore.log import read_log
from tests.factories import FORM, PRICES, USUAL_INPUT, usual_input

ID = "k7m29xq4"
NOW = datetime(2026, 3, 2, 16, 20, 11, tzinfo=UTC)
ACTORS = ("student", "staff", "staff:Sam", "system", "filesystem")

U, P, R, X, C, D, J, A = Status
LEGAL: dict[tuple[str, Status], Status] = {
    ("approve", U): P,
    ("reject", U): J,
    ("reject", P): J,
    ("reject", R): J,
    ("student_confirm", P): R,
    ("student_decline", P): J,
    ("withdraw", U): J,
    ("withdraw", P): J,
    ("withdraw", R): J,
    ("confirm", P): R,
    ("start", R): X,
    ("complete", X): C,
    ("fail", X): R,
    ("pickup", C): D,
    ("archive", D): A,
    ("archive", J): A,
    ("revert", P): U,
    ("revert", R): P,
    ("revert", X): R,
    ("revert", C): X,
    ("revert", D): C,
    ("revert", J): U,
    ("resubmit", J): U,
}
"""Every change of status there is, but for the override, which leads anywhere."""
ANYWHERE = {"refund", "override", "review", "unreview", "notes", "details", "supply", "accept-move", "keep", "delete"}
STAYING = {
    "pay": {P, R, X, C, D, A},
    "waive": {P, R, X, C, D, A},
    "choose-file": {U, P, R, X},
    "keep-price": {P, R, X},
    "put-away": {C},
    "plates": {X},
    "resend-email": {U, P, C, J, D},
    "reply": set(Status) - {A},
}
STUDENTS = {"resubmit", "withdraw", "reply"}
MONEY = {"pay", "waive", "refund"}
BY_ITSELF = {"remind": {P}, "expire": {P}, "remind-to-collect": {C}, "last-call": {C}, "become-the-labs": {C}}
MAILS = {
    "approve": Mail.APPROVED,
    "reject": Mail.REJECTED,
    "complete": Mail.COMPLETED,
    "pickup": Mail.RECEIPT,
    "resubmit": Mail.RECEIVED,
    "withdraw": Mail.WITHDRAWN,
    "reply": Mail.REPLY,
    "remind": Mail.REMINDER,
    "expire": Mail.EXPIRED,
    "remind-to-collect": Mail.UNCOLLECTED,
    "last-call": Mail.LAST_CALL,
}


def context(now: datetime = NOW, nonce: str = "a nonce") -> Context:
    return Context(now=now, prices=PRICES, confirmation_days=7, nonce=nonce, lab_email="lab@example.edu")


def first_drafts(now: datetime = NOW, email: str = "jane@example.edu") -> list[EventDraft]:
    request = validate(SubmitInput, FORM | {"student_email": email})
    return job_created(ID, f"JaneDoe_Filament_TrueRed_{ID}", request, [], "student", now)


def job_in(status: Status, **changed: Any) -> Job:
    document = build_batch(first_drafts(), {}, 0, None, NOW).document
    return parse(document | {"status": status.value} | changed)


ALL_FACTS = {"print_file": ["part.gcode"]} | USUAL_INPUT["approve"] | USUAL_INPUT["confirm"] | USUAL_INPUT["pickup"]
ALL_FACTS |= {"comment": "The walls are too thin."}
PRICED: Document = {"estimate": {"cost": "4.27"}}
PARTLY_PAID = {
    "estimate": {"cost": "4.27"},
    "payment": {"amount": "2.00", "lines": [{"kind": "payment", "amount": "2.00"}]},
}
THREE_COPIES = {"request": {"method": "Filament", "copies": 3}}
WAITING = {"confirmation": {"nonce": "n", "expires_at": "2026-03-09T16:20:11Z"}}


def usual(action: str, status: Status = U) -> ActionInput:
    values = usual_input(action, job_in(status))
    if action in ("approve", "choose-file"):
        values |= {"print_file": ["part.gcode"]}
    values |= {"resubmit": FORM | {"color": "Blue"}, "supply": ALL_FACTS}.get(action, {})
    needs = next(step.needs for step in STEPS if step.action == action)
    return validate(needs, values)


# -- the table ------------------------------------------------------------------------------------------------------


def test_no_action_stands_twice_for_one_status() -> None:
    pairs = [(step.action, status) for step in STEPS for status in step.from_]
    assert len(pairs) == len(set(pairs))


def test_the_table_is_what_the_lab_agreed_on() -> None:
    moving = {(s.action, status): s.to for s in STEPS for status in s.from_ if s.to is not None}
    assert moving == LEGAL
    staying = {s.action for s in STEPS if s.to is None}
    assert staying == ANYWHERE | STAYING.keys() | BY_ITSELF.keys()
    for action in ANYWHERE:
        assert {status for s in STEPS if s.action == action for status in s.from_} == set(Status)
    for action, statuses in (STAYING | BY_ITSELF).items():
        assert {status for s in STEPS if s.action == action for status in s.from_} == statuses


@pytest.mark.parametrize("status", list(Status))
def test_every_status_can_be_left(status: Status) -> None:
    assert any(step.to or step.action == "override" for step in steps_from(status))


@pytest.mark.parametrize("action", sorted({step.action for step in STEPS}))
@pytest.mark.parametrize("status", list(Status))
def test_an_action_is_done_where_it_is_legal_and_refused_in_words_elsewhere(action: str, status: Status) -> None:
    special = {"plates": THREE_COPIES, "resend-email": PRICED}.get(action, PARTLY_PAID if action in MONEY else {})
    job = job_in(status, **WAITING | special)
    actor = "student" if action.startswith("student_") or action in STUDENTS else "staff:Sam"
    actor = "system" if action in BY_ITSELF else actor
    allowed = (action, status) in LEGAL or action in ANYWHERE
    allowed = allowed or status in (STAYING | BY_ITSELF).get(action, set())
    if not allowed:
        with pytest.raises(TransitionNotAllowed, match=f"this one is {status}"):
            plan(job, action, actor, usual(action, status), context())
        return
    if action == "supply" and not missing_facts(job):
        with pytest.raises(InvalidInput, match="Nothing was filled in"):
            plan(job, action, actor, usual(action, status), context())
        return
    drafts = plan(job, action, actor, usual(action, status), context(NOW + timedelta(days=8 * (action == "expire"))))
    statuses = [draft.patch["status"] for draft in drafts if "status" in draft.patch]
    expected = LEGAL.get((action, status))
    if action == "override":
        expected = C if status != C else X
    assert statuses == ([expected.value] if expected else [])
    queued = [draft.data["mail"] for draft in drafts if draft.type == EventType.EMAIL_QUEUED]
    if action == "supply":
        assert queued == {P: [Mail.APPROVED], D: [Mail.RECEIPT]}.get(status, [])
    elif action in ("pay", "refund"):
        assert queued == ([Mail.RECEIPT] if status in (D, A) else []), "before, there is nothing to be thanked for"
    elif action != "resend-email":
        assert queued == ([MAILS[action]] if action in MAILS else [])
    else:
        assert len(queued) == 1


@pytest.mark.parametrize("action", ["student_confirm", "student_decline", "withdraw", "reply"])
@pytest.mark.parametrize("actor", ["staff:Sam", "filesystem", "system", "somebody"])
def test_nobody_answers_in_the_students_place(action: str, actor: str) -> None:
    with pytest.raises(TransitionNotAllowed, match="is not for"):
        plan(job_in(P, **WAITING), action, actor, usual(action), context())


@pytest.mark.parametrize("action", ["approve", "reject", "override", "delete", "notes", "details", "review"])
def test_a_student_does_no_staff_work(action: str) -> None:
    with pytest.raises(TransitionNotAllowed, match="is not for student"):
        plan(job_in(U), action, "student", usual(action), context())


def test_an_unknown_action_is_named() -> None:
    with pytest.raises(TransitionNotAllowed, match="no action called explode"):
        find_step("explode", U, "staff")


def test_by_itself_the_lab_only_archives_and_reminds() -> None:
    actions = {step.action for status in Status for step in steps_from(status, "system")}
    assert actions == {"archive", *BY_ITSELF}


@pytest.mark.parametrize("actor", ["student", "staff:Sam", "filesystem"])
@pytest.mark.parametrize("action", sorted(BY_ITSELF))
def test_nobody_reminds_in_the_calendars_place(action: str, actor: str) -> None:
    with pytest.raises(TransitionNotAllowed, match="is not for"):
        plan(job_in(min(BY_ITSELF[action]), **WAITING), action, actor, usual(action), context())


def test_a_link_does_not_expire_before_its_time() -> None:
    with pytest.raises(TransitionNotAllowed, match="still time"):
        plan(job_in(P, **WAITING), "expire", "system", usual("expire"), context())


@pytest.mark.parametrize("from_", list(Status))
@pytest.mark.parametrize("to", list(Status))
def test_a_drag_stands_for_the_one_step_between_the_two_folders(from_: Status, to: Status) -> None:
    step = drag_step(from_, to)
    if step is not None:
        assert (from_ in step.from_, step.to) == (True, to)
        assert step.action in ("approve", "reject", "confirm", "start", "complete", "pickup", "archive", "revert")
    else:
        by_hand = {
            (f, t) for (action, f), t in LEGAL.items() if action not in ("fail", "student_confirm", "student_decline")
        }
        assert (from_, to) not in by_hand


# -- what single steps do -------------------------------------------------------------------------------------------


def merged(job: Job, drafts: list[EventDraft]) -> Job:
    document = build_batch(first_drafts(), {}, 0, None, NOW).document | {"status": job.status.value}
    return parse(build_batch(drafts, job.model_dump(mode="json") | document, 2, b"line", NOW).document)


def test_an_approval_prices_and_gives_a_week_to_confirm() -> None:
    job = merged(job_in(U), plan(job_in(U), "approve", "staff:Sam", usual("approve"), context()))
    assert job.estimate is not None
    assert (job.estimate.cost, job.estimate.time_h) == (Decimal("4.27"), Decimal("3.5"))
    assert job.estimate.parts[0].time_h == Decimal("3.4"), "as the slicer values"
    assert job.confirmation is not None
    assert job.confirmation.expires_at == NOW + timedelta(days=7)
    assert job.print_files == ["part.gcode"]


@pytest.mark.parametrize(("after_s", "legal"), [(-1, True), (0, False), (1, False)])
def test_a_student_confirms_before_the_deadline(after_s: int, legal: bool) -> None:
    job = job_in(P, **WAITING)
    assert job.confirmation is not None
    assert job.confirmation.expires_at is not None
    at = context(job.confirmation.expires_at + timedelta(seconds=after_s))
    if legal:
        assert plan(job, "student_confirm", "student", NoInput(), at)
    else:
        with pytest.raises(TransitionNotAllowed, match="is over"):
            plan(job, "student_confirm", "student", NoInput(), at)


def test_a_message_goes_to_the_lab_and_is_read_from_its_own_event() -> None:
    drafts = plan(job_in(U), "reply", "student", usual("reply"), context())
    wrote, queued = build_batch([*first_drafts(), *drafts], {}, 0, None, NOW).events[-2:]
    assert (wrote.type, wrote.data) == (EventType.STUDENT_WROTE, {"message": "Is it done?"})
    (owed,) = emails.owed([wrote, queued], ID)
    assert (owed.mail, owed.to, owed.message) == (Mail.REPLY, "lab@example.edu", "Is it done?")


def test_a_print_on_another_printer_is_recorded_until_it_comes_off() -> None:
    job = job_in(R)
    started = merged(job, plan(job, "start", "staff", validate(StartInput, {"printer": "prusa-xl"}), context()))
    assert (started.request.printer, started.request.printed_on) == ("prusa-mk4s", "prusa-xl")
    for action in ("revert", "fail"):
        again = merged(started, plan(started, action, "staff", usual(action, X), context()))
        assert again.request.printed_on is None, action
    as_asked = plan(job, "start", "staff", validate(StartInput, {"printer": "prusa-mk4s"}), context())
    assert merged(job, as_asked).request.printed_on is None and "printer" not in as_asked[0].data


def test_nothing_is_confirmed_without_a_deadline() -> None:
    with pytest.raises(TransitionNotAllowed):
        plan(job_in(P), "student_confirm", "student", NoInput(), context())


def test_taking_an_approval_back_drops_its_mail_in_the_same_batch() -> None:
    waiting = [
        emails.OwedMail(ID, 2, Mail.RECEIVED, "j@example.edu"),
        emails.OwedMail(ID, 4, Mail.APPROVED, "j@example.edu"),
    ]
    drafts = plan(job_in(P, **WAITING), "revert", "staff", usual("revert"), context(), waiting)
    dropped = [draft.data["queued_seq"] for draft in drafts if draft.type == EventType.EMAIL_DROPPED]
    assert dropped == [4], "that the lab has the request stays true"


def test_resending_an_approval_makes_a_new_link() -> None:
    (draft,) = plan(job_in(P, **WAITING | PRICED), "resend-email", "staff", usual("resend-email"), context(nonce="new"))
    assert draft.type == EventType.EMAIL_QUEUED
    assert draft.patch["confirmation"]["nonce"] == "new"


@pytest.mark.parametrize(
    ("action", "values"), [("notes", {"notes": ""}), ("details", {"color": "True Red"}), ("details", {})]
)
def test_an_edit_that_changes_nothing_is_no_event(action: str, values: dict[str, str]) -> None:
    needs = find_step(action, U, "staff").needs
    assert plan(job_in(U), action, "staff", validate(needs, values), context()) == []


def test_a_job_is_deleted_only_by_its_own_id() -> None:
    needs = find_step("delete", U, "staff").needs
    with pytest.raises(InvalidInput, match=f"type {ID}"):
        plan(job_in(U), "delete", "staff", validate(needs, {"confirm_id": "k7m29xq5"}), context())
    assert plan(job_in(U), "delete", "staff", validate(needs, {"confirm_id": f" {ID.upper()} "}), context())


def test_without_an_address_no_mail_is_owed_and_none_can_be_resent() -> None:
    job = job_in(U, student={"name": "Jane Doe"})
    drafts = plan(job, "approve", "staff", usual("approve"), context())
    assert [draft.type for draft in drafts] == [EventType.STAFF_APPROVED]
    with pytest.raises(TransitionNotAllowed, match="no e-mail address"):
        plan(job, "resend-email", "staff", usual("resend-email"), context())


@pytest.mark.parametrize(
    ("status", "supplied"),
    [
        (P, ["confirmation", "estimate", "print_files", "rejection"]),
        (R, ["confirmation", "estimate", "print_files"]),
        (D, ["confirmation", "estimate", "payment", "print_files"]),
        (J, ["rejection"]),
    ],
)
def test_all_that_is_missing_can_be_filled_in_at_once(status: Status, supplied: list[str]) -> None:
    before = job_in(status)
    (draft, *_) = plan(before, "supply", "staff:Sam", usual("supply"), context())
    assert draft.data["supplied"] == supplied
    after = merged(before, [draft])
    assert missing_facts(after) == []
    assert bool(after.confirmation and after.confirmation.nonce) == (status is P), "only there a link is sent"


def test_what_is_not_missing_is_not_filled_in_again() -> None:
    before = job_in(D, estimate={"cost": "9.99"}, confirmation={"confirmed_at": "2026-03-02T16:20:11Z"})
    (draft, _) = plan(before, "supply", "staff:Sam", usual("supply"), context())
    assert draft.patch.keys() == {"payment"}


def test_a_price_and_a_smaller_payment_filled_in_at_once_leave_the_waiver_and_no_debt() -> None:
    before = job_in(D, estimate=None, payment=None)
    values = ALL_FACTS | {"amount": "3.00", "waive_reason": "Our printer scratched it"}
    needs = find_step("supply", D, "staff:Sam").needs
    (draft, *_) = plan(before, "supply", "staff:Sam", validate(needs, values), context())
    book = ledger(merged(before, [draft]))
    assert (book.price, book.paid, book.waived, book.due) == (Decimal("4.27"), Decimal("3"), Decimal("1.27"), NOTHING)
    [waiver] = [line for line in draft.data["lines"] if line.get("reason")]
    assert (waiver["amount"], waiver["reason"]) == ("1.27", "Our printer scratched it")


# -- any life of a job ----------------------------------------------------------------------------------------------

words = st.text(max_size=12)
numbers = st.sampled_from(["42.7", "0.1", "1e3", "-1", "0", "abc", "", "1,5", "99999999", "NaN", "2 g"])
TYPED: dict[str, st.SearchStrategy[Any]] = {
    "print_file": st.lists(st.sampled_from(["part.gcode", "two.3mf", ""]), max_size=2),
    "weight_g": numbers,
    "volume_ml": numbers,
    "time_h": numbers,
    "material": words,
    "reasons": st.lists(st.sampled_from(["too-thin", "messy", ""]), max_size=2),
    "comment": words,
    "reason": words,
    "fault": st.sampled_from(["lab", "model", "machine", "nobody"]),
    "wasted_g": numbers,
    "amount": numbers,
    "payment_method": words,
    "transaction": words,
    "picked_up_by": words,
    "payer": words,
    "charge": st.sampled_from(["quote", "scale", "both", ""]),
    "waive_reason": words,
    "still_due": st.sampled_from(["yes", "no"]),
    "status": st.sampled_from([*Status, "Lost"]),
    "notes": words,
    "student_name": words,
    "student_email": st.sampled_from(["new@example.edu", "no address", ""]),
    "color": words,
    "copies": st.sampled_from(["1", "3", "0", "many"]),
    "due_date": st.sampled_from(["2026-03-31", "tomorrow", ""]),
    "confirm_id": st.sampled_from([ID, ID.upper(), "other"]),
}
ANYTHING_TYPED = st.fixed_dictionaries({}, optional=TYPED)
ACTIONS = sorted({step.action for step in STEPS})


class LifeOfAJob(RuleBasedStateMachine):
    """Anybody tries anything at any time; what is recorded always adds up."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.document: Document = {}
        self.log = b""
        self.events: tuple[Event, ...] = ()
        self.metadata = b""
        self.gone = False

    @property
    def job(self) -> Job:
        return parse(self.document)

    def record(self, drafts: list[EventDraft]) -> None:
        last_line = self.log.splitlines()[-1] if self.log else None
        batch = build_batch(drafts, self.document, len(self.events), last_line, self.now)
        self.document, self.metadata = batch.document, batch.metadata
        self.log += batch.lines
        self.events += batch.events

    @initialize(email=st.sampled_from(["jane@example.edu", "李明@example.edu"]))
    def is_submitted(self, email: str) -> None:
        self.record(first_drafts(self.now, email))

    @rule(hours=st.integers(1, 24 * 9))
    def time_goes_by(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @precondition(lambda self: not self.gone)
    @rule(action=st.sampled_from([*ACTIONS, "explode"]), actor=st.sampled_from(ACTORS), values=ANYTHING_TYPED)
    def somebody_tries_something(self, action: str, actor: str, values: dict[str, Any]) -> None:
        self.attempt(action, actor, values)

    @precondition(lambda self: not self.gone)
    @rule(data=st.data())
    def somebody_does_what_is_usual(self, data: st.DataObject) -> None:
        steps = [step for step in STEPS if self.job.status in step.from_ and step.action != "delete"]
        step = data.draw(st.sampled_from(steps))
        actor = data.draw(st.sampled_from(sorted(step.who)))
        self.attempt(step.action, actor, usual(step.action, self.job.status).model_dump(exclude_none=True))

    def attempt(self, action: str, actor: str, values: dict[str, Any]) -> None:
        before, document_before, owed = self.job, copy.deepcopy(self.document), emails.owed(self.events, ID)
        try:
            step = find_step(action, before.status, actor)
            action_input = validate(step.needs, values)
            drafts = plan(before, action, actor, action_input, context(self.now, f"nonce {len(self.events)}"), owed)
        except (TransitionNotAllowed, InvalidInput) as refused:
            sentence = str(refused)
        else:
            self.check_recorded(step.action, before, getattr(action_input, "status", None) or step.to, drafts)
            return
        assert sentence.strip()
        assert self.document == document_before

    def check_recorded(self, action: str, before: Job, to: Status | None, drafts: list[EventDraft]) -> None:
        if drafts:
            self.record(drafts)
        else:
            assert action in ("notes", "details")
        assert self.job.status == (to or before.status)
        assert self.job.revision == before.revision + len(drafts)
        self.gone = action == "delete"

    @invariant()
    def the_record_adds_up(self) -> None:
        if not self.events:
            return
        assert metadata_bytes(fold(self.events)) == self.metadata == metadata_bytes(self.document)
        assert self.events[-1].state == sha256(self.metadata)
        log = read_log(self.log, ID)
        assert log.events == self.events
        assert (log.tail, log.length, log.seq) == (b"", len(self.log), self.job.revision)

    @invariant()
    def every_owed_mail_says_something_true(self) -> None:
        if self.events:
            assert all(emails.is_true_in(mail.mail, self.job.status) for mail in emails.owed(self.events, ID))


TestLifeOfAJob = LifeOfAJob.TestCase
TestLifeOfAJob.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


def test_a_reprint_waits_for_the_printer_that_was_asked_for() -> None:
    request = {"method": "Filament", "printer": "prusa-mk4s", "printed_on": "prusa-xl", "due_date": "2026-03-01"}
    (created,) = reprint_created(
        "w2x4y6z8", "JaneDoe_w2x4y6z8", job_in(Status.COMPLETED, request=request), [], "staff", NOW
    )
    asked = created.patch["request"]
    assert (asked["printer"], asked["due_date"]) == ("prusa-mk4s", None) and "printed_on" not in asked
