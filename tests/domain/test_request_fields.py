"""A field of the request is the same one in the form, the input, the record and the export."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from printsys.domain.inputs import DetailsInput, ResubmitInput, SubmitInput, WalkInInput
from printsys.domain.job import OWN_MATERIAL, Request, Student
from printsys.domain.request_fields import REQUEST_FIELDS, from_job, to_document
from printsys.domain.status import Status
from printsys.reports.export import COLUMNS, STUDENT_COLUMNS
from printsys.web.staff.forms import DetailsForm, WalkInForm
from printsys.web.student.forms import SubmitForm
from tests.domain.test_estimates import job

NAMES = {field.name for field in REQUEST_FIELDS}
SENT = {
    "student_name": "Jane Doe", "student_email": "jane@example.edu", "discipline": "Art", "class_number": "ART 1",
    "print_method": "Resin", "color": "Grey", "printer": "form-4", "minimum_charge_consent": True, "copies": 2,
    "own_material": True, "due_date": "2026-04-01", "message": "Please mind the ears.",
}  # fmt: skip


def fields_of(form: type) -> set[str]:
    """What the form asks, without files and what only machines read."""
    unbound = {name: getattr(form, name) for name in dir(form) if hasattr(getattr(form, name), "field_class")}
    return {
        name
        for name, field in unbound.items()
        if field.field_class.__name__ not in ("HiddenField", "MultipleFileField")
    }


def test_the_form_the_input_and_the_record_have_the_same_fields() -> None:
    assert fields_of(SubmitForm) == set(SubmitInput.model_fields) == NAMES
    sections: dict[str, type[BaseModel]] = {"student": Student, "request": Request}
    for section, model in sections.items():
        keys = {field.key for field in REQUEST_FIELDS if field.section == section}
        assert keys - {OWN_MATERIAL} == set(model.model_fields), "written only while it is so"


@pytest.mark.parametrize(("form", "model"), [(DetailsForm, DetailsInput), (WalkInForm, WalkInInput)])
def test_staff_fill_in_fields_of_the_request_alone(form: type, model: Any) -> None:
    assert fields_of(form) == set(model.model_fields) <= NAMES


def test_what_was_sent_comes_back_from_the_record_whole() -> None:
    """Else a request that is sent again would silently lose what the form was not filled in with."""
    assert set(SENT) == NAMES
    document = to_document(SubmitInput.model_validate(SENT))
    assert from_job(job(Status.UPLOADED, **document)) == SENT


def test_what_a_model_does_not_ask_is_left_out_of_the_record() -> None:
    request = to_document(WalkInInput(student_name="Jane Doe", print_method="Resin"))["request"]
    assert "message" not in request and request["method"] == "Resin"


def test_sending_again_asks_the_same_fields() -> None:
    assert set(ResubmitInput.model_fields) - {"files"} == NAMES


def test_exported_fields_have_a_column() -> None:
    for field in REQUEST_FIELDS:
        if field.column:
            assert field.column in (STUDENT_COLUMNS if field.is_personal else COLUMNS)
