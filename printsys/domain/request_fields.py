"""The fields of a request: each one's name in the forms, in metadata.json, on the job's page and in the export."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from printsys.domain.inputs import ActionInput
from printsys.domain.job import Document, Job


@dataclass(frozen=True)
class RequestField:
    """`name` in forms and inputs; `section` and `key` in metadata.json.

    `label`: the job's page lists it by this word; None: it has a place of its own there, or none. `column` of the
    export, which leaves out a personal one unless it is asked for students.
    """

    name: str
    section: Literal["student", "request"]
    key: str
    label: str | None = None
    column: str | None = None
    is_personal: bool = False

    @property
    def words(self) -> str:
        """In a sentence: `class`, `needed by`; `name` where it has no label."""
        return (self.label or self.key).lower()

    def value(self, job: Job) -> Any:
        return getattr(getattr(job, self.section), self.key)


REQUEST_FIELDS = (
    RequestField("student_name", "student", "name", column="student_name", is_personal=True),
    RequestField("student_email", "student", "email", "E-mail", "student_email", is_personal=True),
    RequestField("discipline", "student", "discipline", "Discipline", "discipline"),
    RequestField("class_number", "student", "class_number", "Class", "class_number", is_personal=True),
    RequestField("print_method", "request", "method", "Method", "method"),
    RequestField("color", "request", "color", "Color", "color"),
    RequestField("printer", "request", "printer", "Printer", "printer"),
    RequestField("minimum_charge_consent", "request", "minimum_charge_consent", "Minimum charge"),
    RequestField("own_material", "request", "own_material", "Own material"),
    RequestField("copies", "request", "copies", "Copies", "copies"),
    RequestField("due_date", "request", "due_date", "Needed by", "due_date"),
    RequestField("message", "request", "message", column="message", is_personal=True),
)


def to_document(request: ActionInput) -> Document:
    """The sections `student` and `request` of metadata.json; without the fields that `request`'s model lacks."""
    document: Document = {"student": {}, "request": {}}
    for field in REQUEST_FIELDS:
        if field.name in type(request).model_fields:
            document[field.section][field.key] = getattr(request, field.name)
    return document


def from_job(job: Job) -> dict[str, Any]:
    """By the names of the forms."""
    return {field.name: field.value(job) for field in REQUEST_FIELDS}
