"""The forms for staff: one an action, and one for a file or folder that becomes a job."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from flask_wtf import FlaskForm
from werkzeug.datastructures import MultiDict
from wtforms import (
    EmailField,
    HiddenField,
    IntegerField,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
)

from printsys.assessment.approval_defaults import ApprovalDefaults, read_defaults
from printsys.assessment.model_findings import suggested_reasons
from printsys.config import Lab
from printsys.domain.events import STAFF
from printsys.domain.filetypes import type_of
from printsys.domain.folder_moves import still_missing
from printsys.domain.job import DECLINED, WITHDRAWN, plain
from printsys.domain.naming import COLOR_LENGTH, camel
from printsys.domain.payments import ledger
from printsys.domain.plates import plates
from printsys.domain.request_fields import from_job
from printsys.domain.status import UNPRICED, Status
from printsys.domain.supplies import SUPPLIES
from printsys.errors import InvalidInput
from printsys.jobstore import Stored
from printsys.jobstore.files import ListedFile, printable
from printsys.texts import money
from printsys.web.filters import ago, local, size, status_name
from printsys.web.student.forms import NOT_CHOSEN, Choice, each

DECIMAL = {"inputmode": "decimal", "autocomplete": "off"}
AUTOCOMPLETE_OFF = {"autocomplete": "off"}
UNKNOWN = Choice("", "Not known")


class ActionForm(FlaskForm):
    """A staff action. `revision` is what the page showed: the job refuses the action if it has changed since.

    Fields in `optional` may stay empty; an empty field in `unknown` is not sent on.
    """

    revision = HiddenField()
    back = HiddenField()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.optional: set[str] = set()
        self.unknown: set[str] = set()

    def prepare(self, stored: Stored, lab: Lab) -> None:
        """Fill in the choices, and what the job says already."""

    def answers(self, request_form: MultiDict[str, str]) -> dict[str, Any]:
        """The values of this form's own fields. InvalidInput for a choice that the form does not offer."""
        values: dict[str, Any] = {}
        problems: dict[str, list[str]] = {}
        for name, field in self._fields.items():
            if isinstance(field, SelectMultipleField):
                values[name] = request_form.getlist(name)
            elif name in request_form and not (name in self.unknown and not request_form[name].strip()):
                values[name] = request_form[name]
            if isinstance(field, SelectField) and (value := values.get(name)):
                offered = {choice.value for choice in field.choices or []}
                where = "in the job's folder" if name == "print_file" else "among the choices"
                strangers = [
                    chosen for chosen in (value if isinstance(value, list) else [value]) if chosen not in offered
                ]
                if strangers:
                    problems[name] = [f"{stranger} is not {where}." for stranger in strangers]
        if problems:
            raise InvalidInput(problems)
        return values


MOST_DIGITS = 9
"""Of a revision. Python refuses to read a number of some thousand digits."""


def shown_revision(text: str | None) -> int:
    """The revision that the page showed. InvalidInput without one."""
    if text is None or not text.isdecimal() or len(text) > MOST_DIGITS:
        raise InvalidInput({"revision": ["The page did not say which state of the job it showed. Please reload it."]})
    return int(text)


def ticked_jobs(request_form: MultiDict[str, str]) -> list[tuple[str, int]]:
    """The ids of the ticked jobs, each with the revision that the page showed: `k7m29xq4:7`."""
    pairs = (text.partition(":") for text in request_form.getlist("job"))
    return [(job_id, shown_revision(revision)) for job_id, _, revision in pairs]


class ReasonForm(ActionForm):
    reason = TextAreaField("Reason", render_kw={"rows": 2})


class FilesForm(ActionForm):
    print_file = SelectMultipleField("Print file")

    def prepare(self, stored: Stored, lab: Lab) -> None:
        super().prepare(stored, lab)
        superseded = {record.name for record in stored.job.files if record.is_superseded}
        files = sorted(printable(stored.folder), key=lambda file: file.name in superseded)
        self.print_file.choices = [Choice(file.name, _described(file, file.name in superseded)) for file in files]
        if not self.is_submitted():
            names = [file.name for file in files]
            chosen = [name for name in stored.job.print_files if name in names]
            self.print_file.data = chosen or names[:1]


def _described(file: ListedFile, is_superseded: bool) -> str:
    age = ago(datetime.fromtimestamp(file.mtime_ns / 1e9, UTC))
    words = [size(file.size), f"saved {age if age == 'just now' else age + ' ago'}"]
    return f"{file.name} ({', '.join(words + ['of an earlier version'] * is_superseded)})"


class ApproveForm(FilesForm):
    read = ApprovalDefaults()
    material = SelectField("Material")
    weight_g = StringField("Weight in grams", render_kw=DECIMAL)
    volume_ml = StringField("Volume in milliliters", render_kw=DECIMAL)
    time_h = StringField("Printing time in hours", description="Rounded up to the next half hour.", render_kw=DECIMAL)
    for_copies = IntegerField("These figures are for how many copies?")
    note = TextAreaField(
        "Note to the student", description="It stands in the e-mail with the price.", render_kw={"rows": 2}
    )

    def prepare(self, stored: Stored, lab: Lab) -> None:
        super().prepare(stored, lab)
        job = stored.job
        self.optional.add("note")
        material = job.estimate.material if job.estimate else None
        self.material.choices = _materials(lab, job.request.method, material)
        rate = lab.price_list_on(local(datetime.now(UTC)).date()).rates.get(job.request.method)
        if rate is None or rate.unit == "g":
            del self.volume_ml
        else:
            self.optional.add("weight_g")
        self._ask_for_copies(job.request.copies)
        if not self.is_submitted():
            self._fill_in(stored, lab)

    def answers(self, request_form: MultiDict[str, str]) -> dict[str, Any]:
        values = super().answers(request_form)
        has_figures = values.get("weight_g") or values.get("volume_ml")
        if has_figures and values.get("for_copies") == "":
            raise InvalidInput({"for_copies": ["Please say how many copies these figures are for."]})
        return values

    def _ask_for_copies(self, copies: int) -> None:
        """Whether the plate that staff sliced is all of them: nobody but they may know."""
        if copies == 1:
            del self.for_copies
            return
        self.for_copies.label.text = f"These figures are for how many of the {copies} copies?"
        self.for_copies.description = f"For {copies} they count as they are, for 1 they count {copies} times."
        self.for_copies.render_kw = {"min": 1, "max": copies, "inputmode": "numeric"}

    def _fill_in(self, stored: Stored, lab: Lab) -> None:
        """The figures that staff gave for this job before; else those that the chosen files state."""
        figures = ("weight_g", "volume_ml", "time_h")
        estimate = stored.job.estimate
        if (
            estimate is not None
            and estimate.source == STAFF
            and estimate.for_copies in (None, stored.job.request.copies)
        ):
            self.material.data = estimate.material
            _prefill(self, estimate, figures)
            if "for_copies" in self:
                self.for_copies.data = estimate.for_copies
            return
        self.read = read_defaults(stored, self.print_file.data or [], lab)
        if self.read.material:
            self.material.choices = _materials(lab, stored.job.request.method, self.read.material)
            self.material.data = self.read.material
        _prefill(self, self.read, figures)
        if "for_copies" in self:
            self.for_copies.data = self.read.for_copies


def _materials(lab: Lab, method_name: str, known: str | None) -> list[Choice]:
    """Of several, none is the usual one: a wrong material is easily overlooked."""
    method = lab.method(method_name)
    materials = each(_with(known, [material.name for material in (method.materials if method else [])]))
    return materials if len(materials) == 1 else [NOT_CHOSEN, *materials]


def _prefill(form: ActionForm, source: Any, names: Iterable[str]) -> None:
    for name in names:
        if name in form and (value := getattr(source, name)) is not None:
            form[name].data = plain(value)


def _with(current: str | None, offered: list[str]) -> list[str]:
    """What the lab offers, and what the job has already, should lab.toml have dropped it since."""
    return [current, *offered] if current and current not in offered else offered


class RejectForm(ActionForm):
    reasons = SelectMultipleField("Why not? (the student reads the sentence behind each)")
    comment = TextAreaField("In your own words", render_kw={"rows": 3})

    def prepare(self, stored: Stored, lab: Lab) -> None:
        super().prepare(stored, lab)
        self.reasons.choices = [
            Choice(r.id, r.label) for r in lab.rejection_reasons if r.id not in (DECLINED, WITHDRAWN)
        ]
        self.optional.add("comment")
        if not self.is_submitted():
            self.reasons.data = suggested_reasons(stored.job, lab)
            if self.reasons.data:
                self.reasons.description = "Ticked is what the inspection of the model found."


class StartForm(ActionForm):
    """Where the job goes to another printer than the one that was asked for."""

    printer = SelectField("Printer")

    def prepare(self, stored: Stored, lab: Lab) -> None:
        super().prepare(stored, lab)
        printers = lab.printers_for(stored.job.request.method)
        self.printer.choices = [Choice(printer.id, printer.name) for printer in printers]
        if self.printer.data is None:
            self.printer.data = stored.job.request.printer


PLATE_STATES = {"printed": "printed", "failed": "failed", "reprint": "to reprint", "open": "not printed yet"}


class PlatesForm(ActionForm):
    plate = SelectMultipleField("Which of them?")
    state = RadioField("They are", choices=[Choice(state, words) for state, words in PLATE_STATES.items()])

    def prepare(self, stored: Stored, lab: Lab) -> None:
        super().prepare(stored, lab)
        self.plate.choices = [Choice(plate.key, plate.title) for plate in plates(stored.job)]


class FailForm(ReasonForm):
    fault = RadioField(
        "What was at fault?",
        choices=[
            Choice("lab", "The lab: we print it again at our cost"),
            Choice("model", "The model"),
            Choice("machine", "The machine"),
        ],
    )
    wasted_g = StringField("Material lost, in grams", render_kw=DECIMAL)

    def prepare(self, stored: Stored, lab: Lab) -> None:
        super().prepare(stored, lab)
        self.optional.add("wasted_g")


class PickupForm(ActionForm):
    """`accept`: what the page has remarked on this payment, and staff have seen (see payment_remarks.py)."""

    weight_g = StringField("Weight in grams", render_kw=DECIMAL)
    charge = SelectField("Price")
    amount = StringField("Amount paid", render_kw=DECIMAL)
    payment_method = SelectField("Paid by")
    transaction = StringField("Transaction number", render_kw=AUTOCOMPLETE_OFF)
    picked_up_by = StringField("Picked up by", render_kw=AUTOCOMPLETE_OFF)
    payer = StringField("Who paid, if not the student", render_kw=AUTOCOMPLETE_OFF)
    waive_reason = StringField(
        "Why the rest need not be paid",
        description="Empty: what is not paid stays to be paid.",
        render_kw=AUTOCOMPLETE_OFF,
    )
    accept = HiddenField()

    def prepare(self, stored: Stored, lab: Lab) -> None:
        super().prepare(stored, lab)
        self.payment_method.choices = each(lab.payment.methods)
        self.optional |= {"weight_g", "charge", "transaction", "payer", "waive_reason"}
        self._offer_prices(stored, lab)
        if not self.is_submitted():
            self.picked_up_by.data = stored.job.student.name
            book = ledger(stored.job)
            self.amount.data = plain(book.due) if book.price is not None else None
            if stored.job.estimate is not None:
                _prefill(self, stored.job.estimate, ("weight_g",))

    def _offer_prices(self, stored: Stored, lab: Lab) -> None:
        rate = lab.price_list_on(local(datetime.now(UTC)).date()).rates.get(stored.job.request.method)
        if rate is None or rate.unit != "g":
            del self.charge
            return
        agreed = stored.job.estimate.cost if stored.job.estimate else None
        quoted = f"The quote, {money(agreed)}" if agreed is not None else "The quote"
        self.charge.choices = [Choice("quote", quoted), Choice("scale", "What the scale says")]
        if not self.is_submitted():
            self.charge.data = lab.payment.charge

    def answers(self, request_form: MultiDict[str, str]) -> dict[str, Any]:
        return {name: value for name, value in super().answers(request_form).items() if name != "accept"}


class PayForm(PickupForm):
    def prepare(self, stored: Stored, lab: Lab) -> None:
        super().prepare(stored, lab)
        for name in ("weight_g", "charge", "picked_up_by"):
            if name in self:
                del self[name]
        book = ledger(stored.job)
        if not self.is_submitted() and book.price is not None:
            self.amount.data = plain(book.due or book.unpaid)


class RefundForm(ActionForm):
    amount = StringField("Amount given back", render_kw=DECIMAL)
    payment_method = SelectField("By")
    transaction = StringField("Transaction number", render_kw=AUTOCOMPLETE_OFF)
    reason = TextAreaField("Reason", render_kw={"rows": 2})
    still_due = RadioField(
        "Is the price still to be paid?",
        choices=[Choice("no", "No, the student need not pay it"), Choice("yes", "Yes, the payment failed")],
        default="no",
    )

    def prepare(self, stored: Stored, lab: Lab) -> None:
        super().prepare(stored, lab)
        self.payment_method.choices = each(lab.payment.methods)
        self.optional.add("transaction")
        if not self.is_submitted():
            book = ledger(stored.job)
            self.amount.data = plain(book.overpaid or book.paid)


class WaiveForm(ActionForm):
    amount = StringField("Amount", render_kw=DECIMAL)
    reason = TextAreaField("Reason", render_kw={"rows": 2})

    def prepare(self, stored: Stored, lab: Lab) -> None:
        super().prepare(stored, lab)
        if not self.is_submitted():
            self.amount.data = plain(ledger(stored.job).due)


class OverrideForm(ReasonForm):
    status = SelectField("New status")

    def prepare(self, stored: Stored, lab: Lab) -> None:
        super().prepare(stored, lab)
        self.status.choices = [Choice(s.value, status_name(s)) for s in Status if s != stored.job.status]


class NotesForm(ActionForm):
    notes = TextAreaField("Notes for staff", render_kw={"rows": 4})

    def prepare(self, stored: Stored, lab: Lab) -> None:
        super().prepare(stored, lab)
        self.optional.add("notes")
        if not self.is_submitted():
            self.notes.data = stored.job.notes or ""


class DetailsForm(ActionForm):
    student_name = StringField("Student's name")
    student_email = EmailField("E-mail")
    discipline = SelectField("Discipline")
    class_number = StringField("Class number")
    print_method = SelectField("Print method")
    color = SelectField("Color")
    printer = SelectField("Printer")
    own_material = SelectField(
        "Own material", choices=[Choice("no", "No"), Choice("yes", "Yes, the student brings it")]
    )
    copies = IntegerField("Copies", render_kw={"min": 1})
    due_date = StringField("Needed by", render_kw={"type": "date"})
    message = TextAreaField("Message", render_kw={"rows": 3})

    def prepare(self, stored: Stored, lab: Lab) -> None:
        super().prepare(stored, lab)
        job = stored.job
        asks_for_own_material = lab.price_list_on(lab.today(datetime.now(UTC))).asks_for_own_material
        if not asks_for_own_material and not job.request.own_material:
            del self.own_material
        methods = [job.request.method]
        if job.status in UNPRICED:
            methods = _with(job.request.method, [method.name for method in lab.methods])
        else:
            del self.print_method
        current = {name: value for name, value in from_job(job).items() if name in self}
        if "own_material" in current:
            current["own_material"] = "yes" if current["own_material"] else "no"
        offered: dict[str, list[Choice]] = {
            "discipline": each(lab.submission.disciplines),
            "print_method": each(methods),
            "color": [Choice(c, c, optgroup=m.name) for m in lab.methods if m.name in methods for c in m.colors],
            "printer": [Choice(p.id, p.name, optgroup=p.method) for p in lab.printers if p.method in methods],
        }
        # A job that began as a loose file may lack a field, and may go on lacking it.
        self.unknown = {name for name, value in current.items() if value is None and name != "due_date"}
        self.optional |= self.unknown | {"due_date", "message"}
        for name, choices in offered.items():
            if name in self:
                is_offered = current[name] in [choice.value for choice in choices]
                first = (
                    [] if is_offered else [UNKNOWN if current[name] is None else Choice(current[name], current[name])]
                )
                self[name].choices = first + choices
        if not self.is_submitted():
            for name, value in current.items():
                self[name].data = value


class DeleteForm(ActionForm):
    confirm_id = StringField("Type the job's id to delete it", render_kw={"autocomplete": "off", "spellcheck": "false"})
    reason = TextAreaField("Reason", render_kw={"rows": 2})

    def prepare(self, stored: Stored, lab: Lab) -> None:
        super().prepare(stored, lab)
        self.confirm_id.description = f"The id is {stored.id}. The folder stays in the trash for 30 days."
        self.optional.add("reason")


class SupplyForm(ApproveForm, PickupForm, RejectForm, ReasonForm):
    """Of the fields that a move by hand skipped, those that are missing."""

    def prepare(self, stored: Stored, lab: Lab) -> None:
        super().prepare(stored, lab)
        self.reason.label.text = "How did the student agree?"
        missing = still_missing(stored.job, stored.events)
        needed = {name for fact in missing for name in SUPPLIES[fact].fields} | {
            "revision",
            "back",
            "csrf_token",
            "accept",
        }
        for name in [name for name in self._fields if name not in needed]:
            del self[name]


class WalkInForm(FlaskForm):
    """For a file or folder that becomes a job: who wants it, and how; the rest may stay unknown."""

    place = HiddenField()
    student_name = StringField("Whose is it?", render_kw={"autocomplete": "off", "maxlength": 100})
    print_method = RadioField("Print method")
    student_email = EmailField(
        "E-mail", description="Without one nothing is sent: you talk to the student.", render_kw={"autocomplete": "off"}
    )
    color = SelectField("Color")
    printer = SelectField("Printer")
    discipline = SelectField("Discipline")
    class_number = StringField("Class number", render_kw={"maxlength": 50})
    copies = IntegerField("Copies", default=1, render_kw={"min": 1, "inputmode": "numeric"})
    due_date = StringField("Needed by", render_kw={"type": "date"})

    optional = frozenset({"student_email", "color", "printer", "discipline", "class_number", "due_date"})

    @classmethod
    def of(cls, lab: Lab, relative_path: str) -> WalkInForm:
        """With what the name at `relative_path` (to storage/) says: a job folder's name has its student and method."""
        form = cls()
        form.place.data = relative_path
        form.print_method.choices = each(m.name for m in lab.methods)
        form.color.choices = [UNKNOWN, *(Choice(c, c, optgroup=m.name) for m in lab.methods for c in m.colors)]
        form.printer.choices = [UNKNOWN, *(Choice(p.id, p.name, optgroup=p.method) for p in lab.printers)]
        form.discipline.choices = [UNKNOWN, *each(lab.submission.disciplines)]
        if not form.is_submitted():
            form._guess(lab, PurePosixPath(relative_path).name)
        return form

    def _guess(self, lab: Lab, name: str) -> None:
        parts = name.split("_")
        method = next((m for m in lab.methods if m.name.casefold() in [part.casefold() for part in parts[1:]]), None)
        self.print_method.data = method.name if method else type_of(name).method or lab.methods[0].name
        if method:
            self.student_name.data = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", parts[0])
            colors = {camel(color, COLOR_LENGTH, ""): color for color in method.colors}
            self.color.data = next((colors[part] for part in parts[2:] if part in colors), "")
