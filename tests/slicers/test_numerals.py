"""Numbers and times as programs in many countries write them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from printsys.slicers.numerals import LONGEST_S, MOST, duration, number, numbers


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
        ("1, 2, , , 0.00", ["1", "2", None, None, "0.00"]),
        ("", []),
    ],
)
def test_lists_of_figures_with_points_and_with_commas(text: str, values: list[str | None]) -> None:
    assert numbers(text) == [None if value is None else Decimal(value) for value in values]


@pytest.mark.parametrize("text", ["nan", "inf", "1e999", "-4", "2.14748e+15", "", "9" * 40])
def test_what_is_no_sane_figure_is_none(text: str) -> None:
    assert number(text) is None


@given(st.text())
def test_no_text_makes_a_figure_out_of_bounds(text: str) -> None:
    value, seconds = number(text), duration(text)
    assert value is None or 0 <= value <= MOST
    assert seconds is None or 0 < seconds <= LONGEST_S
