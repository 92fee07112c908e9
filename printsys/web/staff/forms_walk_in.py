"""The form that makes a job of a loose file, or of a folder without a record."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from flask_wtf import FlaskForm
from wtforms import EmailField, HiddenField, IntegerField, RadioField, SelectField, StringField

from printsys.config import Lab
from printsys.domain.naming import COLOR_LENGTH, camel
from printsys.web.student.forms import Choice, each

UNKNOWN = Choice("", "Not known")

KNOWN_BY_KIND = {".form": "Resin", ".sl1": "Resin", ".sl1s": "Resin", ".ctb": "Resin"}
"""Files that only a resin printer's program makes."""


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
        form.discipline.choices = [UNKNOWN, *each(lab.disciplines)]
        if not form.is_submitted():
            form._guess(lab, PurePosixPath(place))
        return form

    def _guess(self, lab: Lab, place: PurePosixPath) -> None:
        parts = place.name.split("_")
        named = next((m for m in lab.methods if m.name.casefold() in [part.casefold() for part in parts[1:]]), None)
        by_kind = KNOWN_BY_KIND.get(place.suffix.casefold())
        self.print_method.data = named.name if named else by_kind or lab.methods[0].name
        if named:
            self.student_name.data = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", parts[0])
            words = {camel(color, COLOR_LENGTH, ""): color for color in named.colors}
            self.color.data = next((words[part] for part in parts[2:] if part in words), "")
