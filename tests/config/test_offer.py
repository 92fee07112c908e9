from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from printsys.config import ROOT, load_lab
from printsys.config.offer import offer_problems, require_offered
from printsys.errors import InvalidInput

LAB = load_lab(ROOT / "lab.toml")
OFFERED = {
    "print_method": "Filament",
    "color": "True Red",
    "printer": "prusa-mk4s",
    "discipline": "Architecture",
    "copies": 1,
    "minimum_charge_consent": True,
}


def test_what_the_lab_has_is_no_problem() -> None:
    assert offer_problems(LAB, OFFERED) == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("print_method", "Sculpture"),
        ("color", "Ultraviolet"),
        ("printer", "formlabs-form3"),
        ("discipline", "Alchemy"),
        ("copies", LAB.submission.max_copies + 1),
        ("copies", str(LAB.submission.max_copies + 1)),
        ("minimum_charge_consent", "no"),
        ("minimum_charge_consent", False),
    ],
)
def test_what_the_lab_does_not_have_is_named_beside_its_field(name: str, value: Any) -> None:
    assert list(offer_problems(LAB, OFFERED | {name: value})) == [name]
    with pytest.raises(InvalidInput):
        require_offered(LAB, OFFERED | {name: value})


def test_a_color_belongs_to_its_method() -> None:
    assert list(offer_problems(LAB, OFFERED | {"print_method": "Resin"})) == ["color", "printer"]


@pytest.mark.parametrize("empty", ["", None])
def test_a_field_left_empty_is_no_problem_of_the_offer(empty: str | None) -> None:
    assert offer_problems(LAB, dict.fromkeys(OFFERED, empty)) == {}


def test_a_day_that_is_over_is_refused_in_a_new_request_alone() -> None:
    today = date(2026, 3, 31)
    yesterday = OFFERED | {"due_date": "2026-03-30"}
    assert list(offer_problems(LAB, yesterday, today)) == ["due_date"]
    assert offer_problems(LAB, yesterday) == {}
    for day in ("2026-03-31", "2026-04-01", "", None, "soon"):
        assert offer_problems(LAB, OFFERED | {"due_date": day}, today) == {}


def test_today_is_the_day_at_the_lab() -> None:
    assert LAB.about.timezone == "America/Chicago"
    assert LAB.today(datetime(2026, 4, 1, 4, 59, tzinfo=UTC)) == date(2026, 3, 31)
    assert LAB.today(datetime(2026, 4, 1, 5, 0, tzinfo=UTC)) == date(2026, 4, 1)


@pytest.mark.parametrize("copies", ["many", "-3", "1.5"])
def test_what_is_no_number_of_copies_is_for_the_input_to_say(copies: str) -> None:
    assert offer_problems(LAB, OFFERED | {"copies": copies}) == {}
