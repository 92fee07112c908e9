"""What the forms ask, field by field. Whether the answers will do is decided by `printsys.domain.facts` alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from flask_wtf import FlaskForm
from wtforms import (
    EmailField,
    HiddenField,
    IntegerField,
    MultipleFileField,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
)
from wtforms.fields.choices import SelectChoice

from printsys.config import Lab
from printsys.domain.job import Job, Status, plain
from printsys.jobstore.files import Seen
from printsys.web.words import status_name

__all__ = ["ACTION_FORMS", "ActionForm", "SubmitForm", "with_errors"]


def with_errors(form: FlaskForm, fields: Mapping[str, Iterable[str]]) -> list[str]:
    """Put each message beside its field; those of no field of this form are given back."""
    homeless = []
    for name, messages in fields.items():
        if name in form._fields:
            form[name].errors = list(messages)
        else:
            homeless += list(messages)
    return homeless


Choice = SelectChoice
NOT_CHOSEN = Choice("", "Please choose …")


def _each(values: Iterable[str]) -> list[Choice]:
    """Choices that are called what they are."""
    return [Choice(value, value) for value in values]


class SubmitForm(FlaskForm):
    """The student's form. Colours and printers stand in groups by method; a script narrows them to the chosen one."""

    submission = HiddenField()
    student_name = StringField("Your name", render_kw={"autocomplete": "name", "maxlength": 100})
    student_email = EmailField(
        "E-mail", description="We write to you here about this print.", render_kw={"autocomplete": "email"}
    )
    discipline = SelectField("Discipline")
    class_number = StringField(
        "Class number",
        description="For example ARCH 4000. “N/A” if it is not for a class.",
        render_kw={"maxlength": 50},
    )
    print_method = RadioField("Print method")
    color = SelectField("Colour")
    printer = SelectField("Printer")
    minimum_charge_consent = RadioField("Minimum charge", choices=[Choice("yes", "Yes"), Choice("no", "No")])
    file = MultipleFileField("Your model")
    copies = IntegerField("Copies", default=1, render_kw={"min": 1, "inputmode": "numeric"})
    due_date = StringField("Needed by", description="We do our best, but cannot promise a day.")
    message = TextAreaField("Anything we should know?", render_kw={"rows": 3, "maxlength": 2000})

    @classmethod
    def of(cls, lab: Lab, **kwargs: Any) -> SubmitForm:
        form = cls(**kwargs)
        form.discipline.choices = [NOT_CHOSEN, *_each(lab.disciplines)]
        form.print_method.choices = _each(m.name for m in lab.methods)
        form.color.choices = [NOT_CHOSEN, *(Choice(c, c, optgroup=m.name) for m in lab.methods for c in m.colors)]
        form.printer.choices = [
            NOT_CHOSEN,
            *(Choice(p.id, f"{p.name} ({p.volume_text})", optgroup=p.method) for p in lab.printers),
        ]
        form.minimum_charge_consent.label.text = lab.consent_question
        kinds = ", ".join(lab.extensions)
        many = f"up to {lab.max_files} files, " if lab.max_files > 1 else ""
        form.file.description = f"{kinds}; {many}at most {lab.max_file_mb} MB each."
        form.file.render_kw = {"accept": ",".join(lab.extensions), "multiple": lab.max_files > 1}
        form.copies.render_kw = {"min": 1, "max": lab.max_copies, "inputmode": "numeric"}
        form.due_date.render_kw = {"type": "date"}
        return form


class ActionForm(FlaskForm):
    """A staff action. `revision` is what the page showed: the action is refused if the job has moved on since."""

    revision = HiddenField()
    back = HiddenField()

    def prepare(self, job: Job, lab: Lab, printable: list[Seen]) -> None:
        """Fill in choices, and what is known already."""


class ReasonForm(ActionForm):
    reason = TextAreaField("Reason", render_kw={"rows": 2})


class ApproveForm(ActionForm):
    print_file = SelectMultipleField("Print file")
    material = SelectField("Material")
    weight_g = StringField("Weight in grams", render_kw={"inputmode": "decimal", "autocomplete": "off"})
    volume_ml = StringField("Volume in millilitres", render_kw={"inputmode": "decimal", "autocomplete": "off"})
    time_h = StringField("Printing time in hours", render_kw={"inputmode": "decimal", "autocomplete": "off"})

    def prepare(self, job: Job, lab: Lab, printable: list[Seen]) -> None:
        self.print_file.choices = _each(seen.name for seen in printable)
        method = lab.method(job.request.method)
        self.material.choices = _each(m.name for m in (method.materials if method else []))
        rate = lab.prices[-1].rates.get(job.request.method)
        if rate is None or rate.unit == "g":
            del self.volume_ml
        if not self.is_submitted():
            self.print_file.data = job.print_files or [seen.name for seen in printable[:1]]
            if job.estimate is not None:
                self.material.data = job.estimate.material
                for name in ("weight_g", "volume_ml", "time_h"):
                    if name in self and (known := getattr(job.estimate, name)) is not None:
                        self[name].data = plain(known)


class RejectForm(ActionForm):
    reasons = SelectMultipleField("Why not? (the student reads the sentence behind each)")
    comment = TextAreaField("In your own words", render_kw={"rows": 3})

    def prepare(self, job: Job, lab: Lab, printable: list[Seen]) -> None:
        self.reasons.choices = [Choice(r.id, r.label) for r in lab.rejection_reasons if r.id != "declined"]


class FailForm(ReasonForm):
    fault = RadioField(
        "What was at fault?",
        choices=[
            Choice("lab", "The lab: we print it again at our cost"),
            Choice("model", "The model"),
            Choice("machine", "The machine"),
        ],
    )
    wasted_g = StringField("Material lost, in grams (if known)", render_kw={"inputmode": "decimal"})


class PickupForm(ActionForm):
    weight_g = StringField("Weight in grams", render_kw={"inputmode": "decimal", "autocomplete": "off"})
    amount = StringField("Amount paid", render_kw={"inputmode": "decimal", "autocomplete": "off"})
    payment_method = SelectField("Paid by")
    transaction = StringField("Transaction number (if there is one)", render_kw={"autocomplete": "off"})
    picked_up_by = StringField("Picked up by", render_kw={"autocomplete": "off"})

    def prepare(self, job: Job, lab: Lab, printable: list[Seen]) -> None:
        self.payment_method.choices = _each(lab.payment_methods)
        if not self.is_submitted():
            self.picked_up_by.data = job.student.name
            if job.estimate is not None and job.estimate.cost is not None:
                self.amount.data = plain(job.estimate.cost)
            if job.estimate is not None and job.estimate.weight_g is not None:
                self.weight_g.data = plain(job.estimate.weight_g)


class OverrideForm(ReasonForm):
    status = SelectField("New status")

    def prepare(self, job: Job, lab: Lab, printable: list[Seen]) -> None:
        self.status.choices = [Choice(s.value, status_name(s)) for s in Status if s != job.status]


class NotesForm(ActionForm):
    notes = TextAreaField("Notes for staff", render_kw={"rows": 4})

    def prepare(self, job: Job, lab: Lab, printable: list[Seen]) -> None:
        if not self.is_submitted():
            self.notes.data = job.notes or ""


class DetailsForm(ActionForm):
    student_name = StringField("Student's name")
    student_email = EmailField("E-mail")
    discipline = SelectField("Discipline")
    class_number = StringField("Class number")
    color = SelectField("Colour")
    printer = SelectField("Printer")
    copies = IntegerField("Copies")
    due_date = StringField("Needed by", render_kw={"type": "date"})
    message = TextAreaField("Message", render_kw={"rows": 3})

    def prepare(self, job: Job, lab: Lab, printable: list[Seen]) -> None:
        method = lab.method(job.request.method)
        known = {**job.student.model_dump(), **job.request.model_dump(), "student_name": job.student.name}
        known["student_email"] = job.student.email
        offered = {
            "discipline": _each(lab.disciplines),
            "color": _each(method.colors if method else []),
            "printer": [Choice(p.id, p.name) for p in lab.printers_for(job.request.method)],
        }
        for name, choices in offered.items():
            present = known.get(name)
            kept = [] if present is None or present in [choice.value for choice in choices] else _each([present])
            self[name].choices = kept + choices
        if not self.is_submitted():
            for name in known:
                if name in self:
                    self[name].data = known[name]


class ChooseFileForm(ActionForm):
    print_file = SelectMultipleField("Print file")

    def prepare(self, job: Job, lab: Lab, printable: list[Seen]) -> None:
        self.print_file.choices = _each(seen.name for seen in printable)
        if not self.is_submitted():
            self.print_file.data = job.print_files


class DeleteForm(ActionForm):
    confirm_id = StringField("Type the job's id to delete it", render_kw={"autocomplete": "off", "spellcheck": "false"})
    reason = TextAreaField("Reason (optional)", render_kw={"rows": 2})


ACTION_FORMS: dict[str, type[ActionForm]] = {
    "approve": ApproveForm,
    "reject": RejectForm,
    "confirm": ReasonForm,
    "fail": FailForm,
    "pickup": PickupForm,
    "revert": ReasonForm,
    "override": OverrideForm,
    "notes": NotesForm,
    "details": DetailsForm,
    "choose-file": ChooseFileForm,
    "delete": DeleteForm,
}
"""Actions that are asked about. Those not named here need nothing but the click."""
