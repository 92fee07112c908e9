"""Numbers and times as programs in many countries write them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from printsys.slicers.numerals import LONGEST_S, MOST, duration, number, numbers, quantities, signed, words


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1d 22h 20m 41s", 166_841),
        ("7m 13s", 433),
        ("20s", 20),
        ("2d", 172_800),
        ("0 hours 31 minutes", 1860),
        ("  7.94 minutes", 476),
        ("7,94 minutes", 476),
        ("806s", 806),
        ("0.000000s", None),
        ("#P_TIME#", None),
        ("", None),
        ("999999999d", None),
        ("1234567890123s", None),
        ("1,205.5s", None),
    ],
)
def test_durations(text: str, seconds: int | None) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("400.85, 0, 98.63", ["400.85", "0", "98.63"]),
        ("400,85, 0,00, 98,63", ["400.85", "0.00", "98.63"]),
        ("13,16", ["13.16"]),
        ("2657.17;0.00", ["2657.17", "0.00"]),
        ("[3.96, 3.53, 0.0]", ["3.96", "3.53", "0.0"]),
        ("1, 2, , , 0.00", ["1", "2", None, None, "0.00"]),
        ("", []),
    ],
)
def test_lists_of_figures_with_points_and_with_commas(text: str, values: list[str | None]) -> None:
    assert numbers(text) == [None if value is None else Decimal(value) for value in values]


@pytest.mark.parametrize(
    ("text", "unit", "values"),
    [
        ("1,205m", "m", ["1.205"]),
        ("1,205m, 0,5m", "m", ["1.205", "0.5"]),
        ("0.5m,0.6m", "m", ["0.5", "0.6"]),
        ("1482.1mm, 34.4mm (3.6cm3)", "mm", ["1482.1", "34.4"]),
        ("1482.1mm, 34.4mm (3,6 cm^3)", "cm3", ["3.6"]),
        ("14.7g", "g", ["14.7"]),
        ("4615.03mm3", "mm", []),
        ("123456789012345678901234m", "m", []),
        ("1,205.50m", "m", []),
        ("#F_AMNT#m", "m", []),
    ],
)
def test_a_quantity_begins_where_its_number_begins(text: str, unit: str, values: list[str]) -> None:
    # FAULTS M9: `1,205m` was read as 205 m.
    assert quantities(text, unit) == [Decimal(value) for value in values]


def test_a_place_on_the_plate_may_be_below_zero() -> None:
    assert (signed("-0,5"), signed("-12.25"), signed("x")) == (Decimal("-0.5"), Decimal("-12.25"), None)


@pytest.mark.parametrize("text", ["PLA;PETG", "PLA, PETG", '"PLA";"PETG"', "['PLA', 'PETG']"])
def test_lists_of_words_lose_their_brackets_and_quotes(text: str) -> None:
    assert words(text) == ["PLA", "PETG"]


@pytest.mark.parametrize("text", ["nan", "inf", "1e999", "-4", "2.14748e+15", "", "9" * 40, "1,205.50", "1.2.3"])
def test_what_is_no_sane_figure_is_none(text: str) -> None:
    assert number(text) is None


@given(st.text())
def test_no_text_makes_a_figure_out_of_bounds(text: str) -> None:
    value, seconds = number(text), duration(text)
    assert value is None or 0 <= value <= MOST
    assert seconds is None or 0 < seconds <= LONGEST_S
