"""The fields of the student's form. `printsys.domain.inputs` alone decides whether the answers are good."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, TypeAlias

from flask_wtf import FlaskForm
from wtforms import (
    BooleanField,
    EmailField,
    HiddenField,
    IntegerField,
    MultipleFileField,
    RadioField,
    SelectField,
    StringField,
    TextAreaField,
)
from wtforms.fields.choices import SelectChoice

from printsys.config import Lab
from printsys.config.lab import Printer
from printsys.domain.lab_today import LabToday
from printsys.errors import InvalidInput, PrintSysError


def with_errors(form: FlaskForm, error: PrintSysError) -> list[str]:
    """Put each message beside its field, and return those that belong to no field of this form."""
    fields = error.fields if isinstance(error, InvalidInput) else {"": [str(error)]}
    general: list[str] = []
    for name, messages in fields.items():
        if name in form._fields:
            form[name].errors = list(messages)
        else:
            general += messages
    return general


Choice: TypeAlias = SelectChoice
NOT_CHOSEN = Choice("", "Please choose …")


def each(values: Iterable[str]) -> list[Choice]:
    """Choices whose label is their value."""
    return [Choice(value, value) for value in values]


def _color(method: str, color: str, note: LabToday) -> Choice:
    if note.is_out(method, color):
        return Choice(color, f"{color} (out at the moment)", {"disabled": True}, method)
    return Choice(color, color, optgroup=method)


def _printer(printer: Printer, lab: Lab, note: LabToday) -> Choice:
    label = f"{printer.name} ({printer.volume_text})"
    if not note.is_down(printer.id):
        return Choice(printer.id, label, optgroup=printer.method)
    has_other = not all(note.is_down(other.id) for other in lab.printers_for(printer.method))
    return Choice(printer.id, f"{label}, down at the moment", {"disabled": True} if has_other else {}, printer.method)


class SubmitForm(FlaskForm):
    """The student's form. Colors and printers stand in groups by method; a script narrows them to the chosen one."""

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
    color = SelectField("Color")
    printer = SelectField("Printer")
    own_material = BooleanField("I bring my own material")
    minimum_charge_consent = RadioField("Minimum charge", choices=[Choice("yes", "Yes"), Choice("no", "No")])
    file = MultipleFileField("Your model")
    copies = IntegerField("Copies", default=1, render_kw={"min": 1, "inputmode": "numeric"})
    due_date = StringField("Needed by", description="We do our best, but cannot promise a day.")
    message = TextAreaField("Anything we should know?", render_kw={"rows": 3, "maxlength": 2000})

    @classmethod
    def of(cls, lab: Lab, note: LabToday, **kwargs: Any) -> SubmitForm:
        """What `note` says is out cannot be chosen; a printer that is down can, where the method has no other."""
        form = cls(**kwargs)
        form.discipline.choices = [NOT_CHOSEN, *each(lab.submission.disciplines)]
        form.print_method.choices = each(m.name for m in lab.methods)
        form.color.choices = [NOT_CHOSEN, *(_color(m.name, c, note) for m in lab.methods for c in m.colors)]
        form.printer.choices = [NOT_CHOSEN, *(_printer(p, lab, note) for p in lab.printers)]
        if not lab.price_list_on(lab.today(datetime.now(UTC))).asks_for_own_material:
            del form.own_material
        form.minimum_charge_consent.label.text = lab.submission.consent_question
        extensions = ", ".join(lab.submission.extensions)
        up_to = f"up to {lab.submission.max_files} files, " if lab.submission.max_files > 1 else ""
        form.file.description = f"{extensions}; {up_to}at most {lab.submission.max_file_mb} MB each."
        form.file.render_kw = {"accept": ",".join(lab.submission.extensions), "multiple": lab.submission.max_files > 1}
        form.copies.render_kw = {"min": 1, "max": lab.submission.max_copies, "inputmode": "numeric"}
        form.due_date.render_kw = {"type": "date"}
        return form

    @classmethod
    def at_counter(cls, lab: Lab, note: LabToday, **kwargs: Any) -> SubmitForm:
        """The same fields, asked by staff of somebody else: the browser must not fill in their own name."""
        form = cls.of(lab, note, **kwargs)
        form.student_name.label.text = "Name"
        form.student_name.render_kw = {"autocomplete": "off", "maxlength": 100}
        form.student_email.render_kw = {"autocomplete": "off"}
        form.student_email.description = "We write there about this print."
        if lab.submission.email_at_counter == "optional":
            form.student_email.description = "Without one nobody gets e-mails about this print."
        if "own_material" in form:
            form.own_material.label.text = "They bring their own material"
        form.message.label.text = "What they want us to know"
        return form
