"""What people type into forms: understood as they mean it, or refused in one sentence beside its field."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from printsys.domain import inputs as f
from printsys.domain.inputs import validate
from printsys.domain.workflow import STEPS
from printsys.errors import InvalidInput
from tests.factories import FORM, USUAL_INPUT

APPROVED = {"print_file": ["part.gcode"]} | USUAL_INPUT["approve"]
USUAL: dict[type[f.ActionInput], dict[str, Any]] = {
    f.SubmitInput: FORM,
    f.ResubmitInput: FORM,
    f.ApproveInput: APPROVED,
    f.PickupInput: USUAL_INPUT["pickup"],
    f.ReplyInput: {"message": "Could it be blue?"},
    f.PayInput: USUAL_INPUT["pay"],
    f.RefundInput: USUAL_INPUT["refund"],
    f.WaiveInput: USUAL_INPUT["waive"],
    f.ReasonInput: USUAL_INPUT["confirm"],
    f.FailInput: USUAL_INPUT["fail"],
    f.PlatesInput: {"plate": ["part.gcode#1"], "state": "printed"},
    f.OverrideInput: {"status": "Pending"} | USUAL_INPUT["override"],
    f.ChooseFileInput: {"print_file": ["part.gcode"]},
    f.DeleteInput: {"confirm_id": "k7m29xq4"},
}
MODELS = sorted({step.needs for step in STEPS} | {f.SubmitInput}, key=lambda model: model.__name__)


def refused(model: type[f.ActionInput], values: dict[str, Any]) -> dict[str, list[str]]:
    with pytest.raises(InvalidInput) as error:
        validate(model, values)
    return error.value.fields


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_each_needed_field_that_is_missing_is_named_with_a_sentence(model: type[f.ActionInput]) -> None:
    needed = [name for name, field in model.model_fields.items() if field.is_required()]
    for left_out in needed:
        values = {name: value for name, value in USUAL[model].items() if name != left_out}
        assert refused(model, values) == {left_out: ["Please fill this in."]}
    if needed:
        assert set(refused(model, {})) == set(needed)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_what_is_not_asked_for_is_not_taken(model: type[f.ActionInput]) -> None:
    values = USUAL.get(model, {"comment": "too thin"}) | {"csrf_token": "x", "revision": "7", "__class__": "y"}
    assert set(validate(model, values).model_dump()) == set(model.model_fields)


LISTS = {"print_file", "reasons"}
typed = st.text() | st.none() | st.sampled_from(["1", "1e-3000", "-0", "NaN", "yes", "2026-03-31"])
ANYTHING = st.fixed_dictionaries(
    {}, optional={n: st.lists(st.text()) if n in LISTS else typed for m in MODELS for n in m.model_fields}
)


@settings(max_examples=50, deadline=None)
@given(values=ANYTHING)
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_anything_typed_is_understood_or_refused_in_sentences(
    model: type[f.ActionInput], values: dict[str, Any]
) -> None:
    try:
        validate(model, values)
    except InvalidInput as error:
        for name, sentences in error.fields.items():
            assert name in model.model_fields
            assert all(sentence.endswith((".", "!", "?")) for sentence in sentences)


# -- numbers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("42.7", "42.7"),
        (" 42.7 ", "42.7"),
        ("42,7", "42.7"),
        ("42.7 g", "42.7"),
        ("42.7g", "42.7"),
        ("042.70", "42.7"),
        ("0,125", "0.125"),
        ("100", "100"),
        ("12.3456", "12.346"),
        ("0.001", "0.001"),
    ],
)
def test_grams_are_taken_as_people_type_them(typed: str, meant: str) -> None:
    assert validate(f.ApproveInput, APPROVED | {"weight_g": typed}).weight_g == Decimal(meant)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("0", "must be more than 0"),
        ("-3", "must be more than 0"),
        ("0.0004", "must be more than 0"),
        ("1e-3000", "must be more than 0"),
        ("100001", "must be at most 100000"),
        ("NaN", "not a number"),
        ("Infinity", "not a number"),
        ("forty", "not a number"),
        ("1.234,5", "not a number"),
        ("1,234", "not a number"),  # 1234 to some and 1.234 to others: a price must not depend on the guess
    ],
)
def test_grams_that_cannot_be_are_refused(typed: str, words: str) -> None:
    problems = refused(f.ApproveInput, APPROVED | {"weight_g": typed})
    assert words in problems["weight_g"][0]


def test_an_empty_number_is_a_missing_one() -> None:
    assert validate(f.ApproveInput, APPROVED | {"weight_g": "", "volume_ml": "20"}).weight_g is None
    assert validate(f.PickupInput, USUAL_INPUT["pickup"] | {"weight_g": " "}).weight_g is None


@pytest.mark.parametrize(("typed", "meant"), [("$4.27", "4.27"), ("4,27", "4.27"), ("0", "0"), ("12", "12")])
def test_money_is_taken_as_people_type_it(typed: str, meant: str) -> None:
    assert validate(f.PickupInput, USUAL_INPUT["pickup"] | {"amount": typed}).amount == Decimal(meant)


@pytest.mark.parametrize("typed", ["-1", "4.275", "100001", "free", ""])
def test_money_that_cannot_be_is_refused(typed: str) -> None:
    assert list(refused(f.PickupInput, USUAL_INPUT["pickup"] | {"amount": typed})) == ["amount"]


@pytest.mark.parametrize("typed", ["1e-3000", "0.123456789"])
def test_no_number_is_kept_with_more_digits_than_a_scale_has(typed: str) -> None:
    lost = validate(f.FailInput, {"reason": "x", "fault": "lab", "wasted_g": typed})
    assert lost.wasted_g == round(Decimal(typed), 3)


# -- text -----------------------------------------------------------------------------------------------------------


def test_line_ends_are_of_one_kind_and_what_is_invisible_is_dropped() -> None:
    assert validate(f.NotesInput, {"notes": " one\r\ntwo\rthree\x00\x1b[31m\u202e \n"}).notes == "one\ntwo\nthree[31m"
    assert validate(f.SubmitInput, FORM | {"student_name": " Jane\r\nBcc: x\t Doe "}).student_name == (
        "Jane Bcc: x Doe"
    )


@pytest.mark.parametrize("name", ["José Ñandú", "李明", "محمد الأحمد", "Οδυσσέας", "O’Brien", "<script>", "🦆"])
def test_names_of_any_script_are_kept_as_they_are(name: str) -> None:
    assert validate(f.SubmitInput, FORM | {"student_name": name}).student_name == name


@pytest.mark.parametrize("name", ["", "   ", "\x00", "\u200b"])
def test_a_name_of_nothing_is_no_name(name: str) -> None:
    assert refused(f.SubmitInput, FORM | {"student_name": name}) == {"student_name": ["Please fill this in."]}


@pytest.mark.parametrize(
    "address",
    [
        "jane",
        "jane@",
        "@example.edu",
        "jane@example",
        "a b@example.edu",
        "jane@example.edu, bob@example.edu",
        "=?utf-8?q?a?=@example.edu",
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    assert "like jane@example.edu" in refused(f.SubmitInput, FORM | {"student_email": address})["student_email"][0]


@pytest.mark.parametrize(("typed", "meant"), [("yes", True), ("Yes ", True), ("no", False), ("on", True)])
def test_consent_is_a_yes_or_a_no(typed: str, meant: bool) -> None:
    assert validate(f.SubmitInput, FORM | {"minimum_charge_consent": typed}).minimum_charge_consent is meant


def test_an_unclear_consent_is_asked_again() -> None:
    problems = refused(f.SubmitInput, FORM | {"minimum_charge_consent": "perhaps"})
    assert problems == {"minimum_charge_consent": ["Please answer yes or no."]}


@pytest.mark.parametrize(("model", "values"), [(f.SubmitInput, FORM), (f.DetailsInput, {})], ids=["submit", "details"])
def test_a_due_date_is_a_date(model: type[f.ActionInput], values: dict[str, Any]) -> None:
    assert validate(model, values | {"due_date": ""}).model_dump()["due_date"] is None
    assert validate(model, values | {"due_date": "2026-03-31"}).model_dump()["due_date"] == "2026-03-31"
    for typed in ("tomorrow", "2026-02-30", "31.3.2026", "20260331", "2026-W14-2"):
        assert refused(model, values | {"due_date": typed}) == {"due_date": ["Please give a date like 2026-03-31."]}


def test_a_rejection_needs_a_reason_or_words() -> None:
    assert refused(f.RejectInput, {}) == {"reasons": ["Please tick a reason, or write one in your own words."]}
    assert validate(f.RejectInput, {"comment": "Too thin."}).reasons == []


@pytest.mark.parametrize(
    "name",
    [
        "Win at https://evil.example", "WWW.evil.example", "x://y", "Claim it at evil.com", "Go to Evil.COM, Jane",
        "evil.example/x", "free.money.io", "bit.ly/x", "grüße.org!",
    ],
)  # fmt: skip
def test_a_name_carries_no_link_into_the_labs_e_mails(name: str) -> None:
    """FAULTS S7."""
    fields = refused(f.SubmitInput, FORM | {"student_name": name})
    assert fields == {"student_name": ["Please give a name without a web address."]}


@pytest.mark.parametrize(
    "name",
    [
        "J.R. Smith", "O'Neil-Łoś", "Dr. med. X", "Dr.Jane Doe", "St.John Smith", "A.de Vries", "J.Li", "K.No",
        "Mr.Link", "J.Doe/M.Roe", "Jane Doe / John Roe", "R. Kumar B.Com", "Max M. Mustermann Jr.", "Jane Doe, Ph.D.",
        "Ann.Comstock", "李.小龙", "Jean-Luc d'Org", "X. Com", "Team 3/4",
    ],
)  # fmt: skip
def test_people_are_called_what_they_are_called(name: str) -> None:
    assert validate(f.SubmitInput, FORM | {"student_name": name}).student_name == name


@pytest.mark.parametrize("field", ["student_name", "student_email", "discipline", "class_number"])
def test_a_correction_leaves_no_detail_empty(field: str) -> None:
    assert list(refused(f.DetailsInput, {field: ""})) == [field]
    assert field not in validate(f.DetailsInput, {field: None}).model_dump(exclude_none=True)
