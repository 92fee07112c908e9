"""What each action changes in metadata.json besides the status, and what its event tells."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from fractions import Fraction

from printsys.domain.copies import multiplied, recorded_copies
from printsys.domain.emails import Mail, resendable
from printsys.domain.events import STAFF, EventDraft, actor_kind
from printsys.domain.inputs import (
    ApproveInput,
    ChooseFileInput,
    DeleteInput,
    DetailsInput,
    FailInput,
    NoInput,
    NotesInput,
    OptionalReasonInput,
    OverrideInput,
    PlatesInput,
    ReasonInput,
    RejectInput,
    ReplyInput,
    ResendInput,
    ResubmitInput,
    StartInput,
)
from printsys.domain.job import (
    DECLINED,
    FOR_COPIES,
    PLATES,
    PRINTED_ON,
    SUPERSEDED,
    WITHDRAWN,
    Document,
    Estimate,
    Job,
    Part,
    dump,
    format_time,
    plain,
)
from printsys.domain.naming import parse_id
from printsys.domain.payments import (
    Charge,
)
from printsys.domain.plates import PRINTED, marked, marks_of, open_plates, plates
from printsys.domain.pricing import (
    DECIDING,
    PricedRequest,
    PriceList,
    money,
    quote,
    recorded_discounts,
    round_up_to_half_hour,
)
from printsys.domain.request_fields import REQUEST_FIELDS, to_document
from printsys.domain.status import CONFIRMED, PRICE_AGREED, PRICED, UNPRICED, Status
from printsys.domain.words import counted
from printsys.errors import InvalidInput, TransitionNotAllowed


@dataclass(frozen=True)
class Context:
    """What a decision needs from outside: the clock, the lab's prices, a fresh random nonce for a link, and the lab's
    own address for what students write to it.

    `agreed_prices` are those of the day on which the job was approved; `charge`: by what the lab charges; `together`:
    ids of other jobs of the same payment.
    """

    now: datetime
    prices: PriceList
    confirmation_days: int
    nonce: str
    mail_not_before: datetime | None = None
    lab_email: str = ""
    agreed_prices: PriceList | None = None
    charge: Charge = "quote"
    together: tuple[str, ...] = ()

    @property
    def charged_prices(self) -> PriceList:
        """A job keeps the prices that it was approved at."""
        return self.agreed_prices or self.prices


@dataclass(frozen=True)
class Effect:
    """`data` goes into the event. Each line of `money` is recorded by an event of its own, before the action's.

    `to` and `mail` stand for what the table cannot know before: where an override leads, what a supplied fact owes.
    `then` is an action that follows at once, in the same batch.
    """

    patch: Document = field(default_factory=dict)
    data: Document = field(default_factory=dict)
    money: tuple[EventDraft, ...] = ()
    to: Status | None = None
    mail: Mail | None = None
    then: str | None = None


# -- approval and the student's answer ------------------------------------------------------------------------------


def approve(job: Job, values: ApproveInput, actor: str, context: Context) -> Effect:
    factor = copies_factor(job, values.for_copies)
    weight_g, volume_ml = multiplied(values.weight_g, factor), multiplied(values.volume_ml, factor)
    hours = values.time_h * factor.numerator / factor.denominator
    price = quote(PricedRequest.of(job), weight_g, volume_ml, context.prices)
    estimate = Estimate(
        material=values.material,
        weight_g=weight_g,
        volume_ml=volume_ml,
        time_h=round_up_to_half_hour(hours),
        cost=price.cost,
        source=STAFF,
        parts=_parts(job, values, factor),
    )
    of_copies = recorded_copies(job, _plate_copies(job, values, estimate))
    discounts = recorded_discounts(job, price.discounts)
    note: Document = {"note": values.note} if values.note else {}
    data = {"cost": plain(price.cost), "rate": plain(price.rate), "unit": price.unit, "minimum": price.is_minimum}
    return Effect(
        {
            "print_files": values.print_file,
            "estimate": dump(estimate) | of_copies | discounts,
            "confirmation": _new_confirmation(context),
            "rejection": None,
        },
        data | {"stated_hours": plain(values.time_h)} | of_copies | discounts | note,
    )


def copies_factor(job: Job, for_copies: int | None) -> Fraction:
    """How often figures for so many copies count for the job. InvalidInput for more than it has."""
    copies = job.request.copies
    if for_copies is not None and for_copies > copies:
        raise InvalidInput({FOR_COPIES: [f"This job is for {counted(copies, 'copy', 'copies')}."]})
    return Fraction(copies, for_copies or copies)


def _parts(job: Job, approval: ApproveInput, factor: Fraction) -> list[Part]:
    """With one print file its figures are the totals; with several, those that a slicer stated are kept: for all copies
    where the estimate says for how many they are, else they count as often as what staff typed."""
    if len(approval.print_file) == 1:
        [name] = approval.print_file
        parts = [Part(file=name, weight_g=approval.weight_g, volume_ml=approval.volume_ml, time_h=approval.time_h)]
    else:
        estimated = {part.file: part for part in (job.estimate.parts if job.estimate else [])}
        parts = [estimated.get(name) or Part(file=name) for name in approval.print_file]
        if job.estimate is not None and job.estimate.for_copies is not None:
            factor = Fraction(job.request.copies, job.estimate.for_copies)
    amounts = ("weight_g", "volume_ml", "time_h")
    return [
        part.model_copy(update={name: multiplied(getattr(part, name), factor) for name in amounts}) for part in parts
    ]


def _plate_copies(job: Job, approval: ApproveInput, estimate: Estimate) -> int | None:
    """How many copies the print files hold; None: all. An approval that repeats the one before says nothing of it."""
    earlier = job.estimate
    if approval.for_copies not in (None, job.request.copies) or earlier is None:
        return approval.for_copies
    is_repeated = job.print_files == approval.print_file and all(
        getattr(earlier, name) == getattr(estimate, name) for name in ("weight_g", "volume_ml", "time_h")
    )
    is_for_all = earlier.for_copies == job.request.copies
    return earlier.plate_copies if is_repeated and is_for_all else approval.for_copies


def _new_confirmation(context: Context) -> Document:
    return {
        "nonce": context.nonce,
        "sent_at": format_time(context.now),
        "expires_at": format_time(context.now + timedelta(days=context.confirmation_days)),
        "confirmed_at": None,
        "confirmed_by": None,
    }


def student_confirm(job: Job, values: NoInput, actor: str, context: Context) -> Effect:
    deadline = job.confirmation.expires_at if job.confirmation else None
    if deadline is None or deadline <= context.now:
        raise TransitionNotAllowed("student_confirm", "The time to confirm this print is over.")
    return _confirmed(actor, context, {})


def staff_confirm(job: Job, values: ReasonInput, actor: str, context: Context) -> Effect:
    return _confirmed(actor, context, {"reason": values.reason})


def _confirmed(actor: str, context: Context, data: Document) -> Effect:
    return Effect({"confirmation": {"confirmed_at": format_time(context.now), "confirmed_by": actor}}, data)


def expire(job: Job, values: NoInput, actor: str, context: Context) -> Effect:
    deadline = job.confirmation.expires_at if job.confirmation else None
    if deadline is None or deadline > context.now:
        raise TransitionNotAllowed("expire", "There is still time to confirm this print.")
    return Effect({}, {"expired_at": format_time(deadline)})


def resend(job: Job, values: ResendInput, actor: str, context: Context) -> Effect:
    """A resent approval gets a new link and a new deadline; the old link stops working."""
    mail = resendable(job)
    if mail is None:
        raise TransitionNotAllowed("resend-email", _nothing_to_resend(job))
    return Effect({"confirmation": _new_confirmation(context)} if job.status == Status.PENDING else {}, mail=mail)


def _nothing_to_resend(job: Job) -> str:
    if job.status == Status.PENDING:
        return "This job has no price yet, so there is nothing to confirm."
    return "The student did not want the print, and was sent no e-mail about that: there is none to send again."


# -- rejection, and the request sent again --------------------------------------------------------------------------


def reject(job: Job, values: RejectInput, actor: str, context: Context) -> Effect:
    return _rejection(values.reasons, values.comment, actor, context)


def student_decline(job: Job, values: OptionalReasonInput, actor: str, context: Context) -> Effect:
    return _rejection([DECLINED], values.reason, actor, context)


def withdraw(job: Job, values: OptionalReasonInput, actor: str, context: Context) -> Effect:
    return _rejection([WITHDRAWN], values.reason, actor, context)


def reply(job: Job, values: ReplyInput, actor: str, context: Context) -> Effect:
    return Effect({}, {"message": values.message})


def _rejection(reasons: list[str], comment: str, actor: str, context: Context) -> Effect:
    data = {"reasons": reasons, "comment": comment}
    return Effect({"rejection": data | {"at": format_time(context.now), "by": actor}, "confirmation": None}, data)


def resubmit(job: Job, values: ResubmitInput, actor: str, context: Context) -> Effect:
    """The job starts over. Its earlier files are kept; with new ones they are marked as superseded."""
    request = to_document(values)
    patch: Document = {
        **{section: _changed(section, fields, job) for section, fields in request.items()},
        **dict.fromkeys(("estimate", "confirmation", "rejection", "reviewed_at")),
        **({PLATES: None} if marks_of(job) else {}),
        "print_files": [file["name"] for file in values.files if file["role"] == "working"] or job.print_files,
    }
    if values.files:
        patch["files"] = [dump(record) | {SUPERSEDED: True} for record in job.files] + values.files
    patch = {name: value for name, value in patch.items() if value != {}}
    changed = sorted(key for section in request for key in patch.get(section, {}))
    if not values.files and not changed:
        raise InvalidInput(
            {"file": ["Nothing is different yet. Please choose the mended model, or change your request."]}
        )
    return Effect(patch, {"files": [file["name"] for file in values.files], "changed": changed})


def _changed(section: str, fields: Document, job: Job) -> Document:
    present = getattr(job, section)
    return {key: value for key, value in fields.items() if (value or None) != (getattr(present, key) or None)}


# -- printing, and taking steps back ---------------------------------------------------------------------------------


def start(job: Job, values: StartInput, actor: str, context: Context) -> Effect:
    """Another printer than the student asked for is recorded; what was asked for stays."""
    if values.printer is None or values.printer == job.request.printer:
        return Effect(_off_the_printer(job))
    return Effect({"request": {PRINTED_ON: values.printer}}, {"printer": values.printer})


def mark_plates(job: Job, values: PlatesInput, actor: str, context: Context) -> Effect | None:
    """The job is done as soon as all of them are printed."""
    before = plates(job)
    if strangers := set(values.plate) - {plate.key for plate in before}:
        raise InvalidInput({"plate": [f"{len(strangers)} of these are no longer among the job's plates."]})
    state = values.state if values.state != "open" else None
    after = [replace(plate, state=state) if plate.key in values.plate else plate for plate in before]
    if after == before:
        return None
    data = {
        "state": values.state,
        "plates": [
            {"file": plate.file, "number": plate.number, "title": plate.title}
            for plate in after
            if plate.key in values.plate
        ],
    }
    is_done = all(plate.state == PRINTED for plate in after)
    return Effect({PLATES: marked(after) or None}, data, then="complete" if is_done else None)


def complete(job: Job, values: NoInput, actor: str, context: Context) -> Effect:
    """A folder that somebody drags is done, whatever is marked."""
    if actor_kind(actor) == STAFF and (rest := open_plates(job)):
        raise TransitionNotAllowed("complete", f"{len(rest)} of its {len(plates(job))} plates are not printed yet.")
    return Effect()


def undo_start(job: Job, values: ReasonInput, actor: str, context: Context) -> Effect:
    return Effect(_off_the_printer(job), {"reason": values.reason})


def _off_the_printer(job: Job) -> Document:
    return {"request": {PRINTED_ON: None}} if job.request.printed_on else {}


def fail(job: Job, values: FailInput, actor: str, context: Context) -> Effect:
    wasted = plain(values.wasted_g) if values.wasted_g is not None else None
    return Effect(_off_the_printer(job), {"reason": values.reason, "fault": values.fault, "wasted_g": wasted})


def undo_approval(job: Job, values: ReasonInput, actor: str, context: Context) -> Effect:
    """The figures stay as a prefill for the next approval; the link that was sent stops working."""
    return Effect({"confirmation": None}, {"reason": values.reason})


def undo_confirmation(job: Job, values: ReasonInput, actor: str, context: Context) -> Effect:
    patch: Document = {"confirmation": {"confirmed_at": None, "confirmed_by": None}} if job.confirmation else {}
    return Effect(patch, {"reason": values.reason})


def rejection_kept(job: Job) -> Document:
    """A patch, for the step that archives `job`: an archived job has a rejection where it ended so and, whatever
    happened before, nowhere else. What is due goes by that."""
    if job.status is not Status.REJECTED:
        return {"rejection": None} if job.rejection is not None else {}
    return {"rejection": {"at": format_time(job.status_since)}} if job.rejection is None else {}


def undo_rejection(job: Job, values: ReasonInput, actor: str, context: Context) -> Effect:
    return Effect({"rejection": None}, {"reason": values.reason})


def only_reason(job: Job, values: ReasonInput, actor: str, context: Context) -> Effect:
    return Effect({}, {"reason": values.reason})


def override(job: Job, values: OverrideInput, actor: str, context: Context) -> Effect:
    if values.status == job.status:
        raise TransitionNotAllowed("override", f"The job is {job.status} already.")
    patch = rejection_kept(job) if values.status is Status.ARCHIVED else {}
    return Effect(patch, {"reason": values.reason}, to=values.status)


# -- what staff may do in any status --------------------------------------------------------------------------------


def review(job: Job, values: NoInput, actor: str, context: Context) -> Effect:
    return Effect({"reviewed_at": format_time(context.now)})


def unreview(job: Job, values: NoInput, actor: str, context: Context) -> Effect:
    return Effect({"reviewed_at": None})


def notes(job: Job, values: NotesInput, actor: str, context: Context) -> Effect | None:
    return Effect({"notes": values.notes}) if values.notes != (job.notes or "") else None


CAN_BE_TAKEN_BACK = frozenset({"due_date", "own_material"})


def details(job: Job, values: DetailsInput, actor: str, context: Context) -> Effect | None:
    if values.print_method not in (None, job.request.method) and job.status not in UNPRICED:
        raise InvalidInput({"print_method": [f"The price was made for {job.request.method}. Undo the approval first."]})
    patch: dict[str, Document] = {}
    for detail in REQUEST_FIELDS:
        value = getattr(values, detail.name) if detail.name in values.model_fields_set else detail.value(job)
        if (value is not None or detail.name in CAN_BE_TAKEN_BACK) and value != detail.value(job):
            patch.setdefault(detail.section, {})[detail.key] = value
    changed = sorted(key for section in patch.values() for key in section)
    figures: Document = {"estimate": None} if "method" in changed else {}  # they were another material's
    data: dict[str, object] = {"changed": changed}
    different = [
        _other_copies(job, values.copies if "copies" in changed else None),
        _other_discounts(job, patch, context),
    ]
    if any(different):
        data["differences"] = [sentence for sentence in different if sentence]
    return Effect(patch | figures, data) if patch else None


def _other_copies(job: Job, copies: int | None) -> str:
    """That the price was agreed for another number of copies; empty where it was not."""
    priced = job.estimate.for_copies or 1 if job.estimate is not None else None
    if copies in (None, priced) or job.status not in PRICE_AGREED:
        return ""
    wanted = f"{copies} are" if copies != 1 else "1 is"
    return f"{wanted} wanted now, and the price was agreed for another number of copies"


def _other_discounts(job: Job, patch: Document, context: Context) -> str:
    """That other price rules apply than when the price was agreed; empty where the same do."""
    changed = {key: value for section in patch.values() for key, value in section.items() if key in DECIDING}
    agreed = job.estimate
    if not changed or agreed is None or agreed.cost is None or job.status not in PRICE_AGREED:
        return ""
    own_material = changed.pop("own_material", job.request.own_material) is True
    request = replace(PricedRequest.of(job), own_material=own_material, **changed)
    try:
        price = quote(request, agreed.weight_g, agreed.volume_ml, context.charged_prices)
    except InvalidInput:  # nobody knows the weight any more, or lab.toml has no price for the method
        return ""
    if price.discounts == agreed.discounts:
        return ""
    return f"by the price rules it would cost {money(price.cost)} now, agreed were {money(agreed.cost)}"


def choose_file(job: Job, values: ChooseFileInput, actor: str, context: Context) -> Effect:
    return Effect({"print_files": values.print_file}, {"print_files": values.print_file})


def delete(job: Job, values: DeleteInput, actor: str, context: Context) -> Effect:
    if parse_id(values.confirm_id) != job.id:
        raise InvalidInput({"confirm_id": [f"Please type {job.id} to delete this job."]})
    return Effect({}, {"reason": values.reason})


# -- facts that a move by hand skipped ------------------------------------------------------------------------------


def missing_facts(job: Job, status: Status | None = None) -> list[str]:
    """The keys of `SUPPLIES` in supplies.py that a job in `status` (its own, if not given) should have and lacks."""
    at = status or job.status
    missing = []
    if at in PRICED and (job.estimate is None or job.estimate.cost is None):
        missing.append("approval")
    if at in CONFIRMED and (job.confirmation is None or job.confirmation.confirmed_at is None):
        missing.append("confirmation")
    if at is Status.PAID_PICKED_UP and job.payment is None:
        missing.append("payment")
    if at is Status.REJECTED and job.rejection is None:
        missing.append("rejection")
    return missing
