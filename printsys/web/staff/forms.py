"""What staff fill in for each action, and for a file or folder that becomes a job; with what is known filled in."""

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

from printsys.assessment.approval_defaults import Prefill, prefill
from printsys.config import Lab
from printsys.domain.effects import SUPPLIES
from printsys.domain.events import STAFF
from printsys.domain.filetypes import type_of
from printsys.domain.folder_moves import still_missing
from printsys.domain.job import plain
from printsys.domain.naming import COLOR_LENGTH, camel
from printsys.domain.request_fields import from_job
from printsys.domain.status import Status
from printsys.errors import InvalidInput
from printsys.jobstore import Stored
from printsys.jobstore.files import ListedFile, printable
from printsys.web.filters import ago, local, size, status_name
from printsys.web.student.forms import Choice, each

DECIMAL = {"inputmode": "decimal", "autocomplete": "off"}
UNKNOWN = Choice("", "Not known")


class ActionForm(FlaskForm):
    """A staff action. `revision` is what the page showed: the action is refused if the job has moved on since.

    `optional` are the fields that may stay empty, `unsaid` those whose emptiness says nothing.
    """

    revision = HiddenField()
    back = HiddenField()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.optional: set[str] = set()
        self.unsaid: set[str] = set()

    def prepare(self, stored: Stored, lab: Lab) -> None:
        """Fill in choices, and what is known already."""

    def answers(self, sent: MultiDict[str, str]) -> dict[str, Any]:
        """What was sent for this form's own fields. InvalidInput for a choice that is not offered."""
        values: dict[str, Any] = {}
        wrong: dict[str, list[str]] = {}
        for name, field in self._fields.items():
            if isinstance(field, SelectMultipleField):
                values[name] = sent.getlist(name)
            elif name in sent and not (name in self.unsaid and not sent[name].strip()):
                values[name] = sent[name]
            if isinstance(field, SelectField) and (strange := _not_offered(field, values.get(name))):
                gone = "in the job's folder any more" if name == "print_file" else "among what can be chosen here"
                wrong[name] = [f"{value} is not {gone}." for value in strange]
        if wrong:
            raise InvalidInput(wrong)
        return values


def _not_offered(field: SelectField, value: Any) -> list[str]:
    chosen = value if isinstance(value, list) else [value] if value else []
    offered = {choice.value for choice in field.choices or []}
    return [name for name in chosen if name not in offered]


def shown_revision(text: str | None) -> int:
    """The revision that the page showed. InvalidInput without one."""
    if text is None or not text.isdecimal():
        raise InvalidInput({"revision": ["The page did not say which state of the job it showed. Please reload it."]})
    return int(text)


class ReasonForm(ActionForm):
    reason = TextAreaField("Reason", render_kw={"rows": 2})


class FilesForm(ActionForm):
    print_file = SelectMultipleField("Print file")

    def prepare(self, stored: Stored, lab: Lab) -> None:
        super().prepare(stored, lab)
        old = {record.name for record in stored.job.files if record.is_superseded}
        found = sorted(printable(stored.folder), key=lambda seen: seen.name in old)
        self.print_file.choices = [Choice(seen.name, _described(seen, seen.name in old)) for seen in found]
        if not self.is_submitted():
            names = [seen.name for seen in found]
            chosen = [name for name in stored.job.print_files if name in names]
            self.print_file.data = chosen or names[:1]


def _described(seen: ListedFile, is_old: bool) -> str:
    saved = datetime.fromtimestamp(seen.mtime_ns / 1e9, UTC)
    passed = ago(saved)
    words = [size(seen.size), f"saved {passed if passed == 'just now' else passed + ' ago'}"]
    return f"{seen.name} ({', '.join(words + ['of an earlier version'] * is_old)})"


class ApproveForm(FilesForm):
    read = Prefill()
    material = SelectField("Material")
    weight_g = StringField("Weight in grams", render_kw=DECIMAL)
    volume_ml = StringField("Volume in millilitres", render_kw=DECIMAL)
    time_h = StringField("Printing time in hours", description="Rounded up to the next half hour.", render_kw=DECIMAL)

    def prepare(self, stored: Stored, lab: Lab) -> None:
        super().prepare(stored, lab)
        job = stored.job
        method = lab.method(job.request.method)
        known = job.estimate.material if job.estimate else None
        self.material.choices = each(_with(known, [m.name for m in (method.materials if method else [])]))
        rate = lab.price_list_on(local(datetime.now(UTC)).date()).rates.get(job.request.method)
        if rate is None or rate.unit == "g":
            del self.volume_ml
        else:
            self.optional.add("weight_g")
        if job.request.copies > 1:
            self.weight_g.description = f"Of all {job.request.copies} copies together."
        if not self.is_submitted():
            self._begin_with_what_is_known(stored, lab, known)

    def _begin_with_what_is_known(self, stored: Stored, lab: Lab, known: str | None) -> None:
        """What staff said of this job before; else what the chosen files say of themselves."""
        figures = ("weight_g", "volume_ml", "time_h")
        estimate = stored.job.estimate
        if estimate is not None and estimate.source == STAFF:
            self.material.data = known
            _prefill(self, estimate, figures)
            return
        self.read = prefill(stored, self.print_file.data or [], lab)
        if self.read.material:
            self.material.choices = each(_with(self.read.material, [choice.value for choice in self.material.choices]))
            self.material.data = self.read.material
        _prefill(self, self.read, figures)


def _prefill(form: ActionForm, known: Any, names: Iterable[str]) -> None:
    for name in names:
        if name in form and (value := getattr(known, name)) is not None:
            form[name].data = plain(value)


def _with(known: str | None, offered: list[str]) -> list[str]:
    """What the lab offers, and what the job has already, should lab.toml have dropped it since."""
    return [known, *offered] if known and known not in offered else offered


class RejectForm(ActionForm):
    reasons = SelectMultipleField("Why not? (the student reads the sentence behind each)")
    comment = TextAreaField("In your own words", render_kw={"rows": 3})

    def prepare(self, stored: Stored, lab: Lab) -> None:
        super().prepare(stored, lab)
        self.reasons.choices = [Choice(r.id, r.label) for r in lab.rejection_reasons if r.id != "declined"]
        self.optional.add("comment")


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
    weight_g = StringField("Weight in grams", render_kw=DECIMAL)
    amount = StringField("Amount paid", render_kw=DECIMAL)
    payment_method = SelectField("Paid by")
    transaction = StringField("Transaction number", render_kw={"autocomplete": "off"})
    picked_up_by = StringField("Picked up by", render_kw={"autocomplete": "off"})

    def prepare(self, stored: Stored, lab: Lab) -> None:
        super().prepare(stored, lab)
        self.payment_method.choices = each(lab.payment.methods)
        self.optional |= {"weight_g", "transaction"}
        if not self.is_submitted():
            self.picked_up_by.data = stored.job.student.name
            agreed = stored.job.estimate
            if agreed is not None:
                _prefill(self, agreed, ("weight_g",))
                self.amount.data = plain(agreed.cost) if agreed.cost is not None else None


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
    color = SelectField("Colour")
    printer = SelectField("Printer")
    copies = IntegerField("Copies", render_kw={"min": 1})
    due_date = StringField("Needed by", render_kw={"type": "date"})
    message = TextAreaField("Message", render_kw={"rows": 3})

    def prepare(self, stored: Stored, lab: Lab) -> None:
        super().prepare(stored, lab)
        job = stored.job
        known = {name: value for name, value in from_job(job).items() if name in self}
        method = lab.method(job.request.method)
        names = {printer.id: printer.name for printer in lab.printers}
        offered = {
            "discipline": lab.submission.disciplines,
            "color": method.colors if method else [],
            "printer": [printer.id for printer in lab.printers_for(job.request.method)],
        }
        # A job that began as a loose file may lack what the form has: it may go on lacking it.
        self.unsaid = {name for name, value in known.items() if value is None and name != "due_date"}
        self.optional |= self.unsaid | {"due_date", "message"}
        for name, values in offered.items():
            blank = [UNKNOWN] if known[name] is None else []
            self[name].choices = blank + [Choice(v, names.get(v, v)) for v in _with(known[name], values)]
        if not self.is_submitted():
            for name, value in known.items():
                self[name].data = value


class DeleteForm(ActionForm):
    confirm_id = StringField("Type the job's id to delete it", render_kw={"autocomplete": "off", "spellcheck": "false"})
    reason = TextAreaField("Reason", render_kw={"rows": 2})

    def prepare(self, stored: Stored, lab: Lab) -> None:
        super().prepare(stored, lab)
        self.confirm_id.description = f"The id is {stored.id}. The folder stays in the trash for 30 days."
        self.optional.add("reason")


class SupplyForm(ApproveForm, PickupForm, RejectForm, ReasonForm):
    """What a move by hand skipped: of these fields only those that are missing."""

    def prepare(self, stored: Stored, lab: Lab) -> None:
        super().prepare(stored, lab)
        self.reason.label.text = "How did the student agree?"
        missing = still_missing(stored.job, stored.events)
        asked = {name for fact in missing for name in SUPPLIES[fact].fields} | {"revision", "back", "csrf_token"}
        for name in [name for name in self._fields if name not in asked]:
            del self[name]


class WalkInForm(FlaskForm):
    """What is asked of a file or folder that is to become a job: who wants it, and how; the rest may stay unknown."""

    place = HiddenField()
    student_name = StringField("Whose is it?", render_kw={"autocomplete": "off", "maxlength": 100})
    print_method = RadioField("Print method")
    student_email = EmailField(
        "E-mail", description="Without one nothing is sent: you talk to the student.", render_kw={"autocomplete": "off"}
    )
    color = SelectField("Colour")
    printer = SelectField("Printer")
    discipline = SelectField("Discipline")
    class_number = StringField("Class number", render_kw={"maxlength": 50})
    copies = IntegerField("Copies", default=1, render_kw={"min": 1, "inputmode": "numeric"})

    optional = frozenset({"student_email", "color", "printer", "discipline", "class_number"})

    @classmethod
    def of(cls, lab: Lab, place: str) -> WalkInForm:
        """`place` (relative to storage/) tells what it can: a job folder's name says whose it is and how it is made."""
        form = cls()
        form.place.data = place
        form.print_method.choices = each(m.name for m in lab.methods)
        form.color.choices = [UNKNOWN, *(Choice(c, c, optgroup=m.name) for m in lab.methods for c in m.colors)]
        form.printer.choices = [UNKNOWN, *(Choice(p.id, p.name, optgroup=p.method) for p in lab.printers)]
        form.discipline.choices = [UNKNOWN, *each(lab.submission.disciplines)]
        if not form.is_submitted():
            form._guess(lab, PurePosixPath(place))
        return form

    def _guess(self, lab: Lab, place: PurePosixPath) -> None:
        parts = place.name.split("_")
        named = next((m for m in lab.methods if m.name.casefold() in [part.casefold() for part in parts[1:]]), None)
        self.print_method.data = named.name if named else type_of(place.name).method or lab.methods[0].name
        if named:
            self.student_name.data = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", parts[0])
            words = {camel(color, COLOR_LENGTH, ""): color for color in named.colors}
            self.color.data = next((words[part] for part in parts[2:] if part in words), "")
