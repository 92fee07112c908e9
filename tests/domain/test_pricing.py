"""What a print costs and how long it is promised to take."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from printsys.domain.pricing import PriceList, Rate, price_list_on, quote, round_up_to_half_hour
from printsys.errors import InvalidInput

PRICES = PriceList(
    valid_from=date(2020, 1, 1),
    minimum=Decimal("3.00"),
    rates={"Filament": Rate(amount=Decimal("0.10")), "Resin": Rate(amount=Decimal("0.20"))},
)
BY_VOLUME = PriceList(
    valid_from=date(2020, 1, 1),
    minimum=Decimal("3.00"),
    rates={"Resin": Rate(amount=Decimal("0.25"), unit="ml")},
)
grams = st.decimals(min_value="0.001", max_value="100000", places=3)


@pytest.mark.parametrize(
    ("method", "weight", "cost", "is_minimum"),
    [
        ("Filament", "42.7", "4.27", False),
        ("Filament", "30", "3.00", False),
        ("Filament", "29.9", "3.00", True),
        ("Filament", "0.1", "3.00", True),
        ("Filament", "42.75", "4.28", False),  # half a cent goes up
        ("Filament", "42.749", "4.27", False),
        ("Filament", "1000", "100.00", False),
        ("Resin", "42.7", "8.54", False),
        ("Resin", "15", "3.00", False),
        ("Resin", "14.9", "3.00", True),
    ],
)
def test_a_price_is_weight_by_rate_and_at_least_the_minimum(
    method: str, weight: str, cost: str, is_minimum: bool
) -> None:
    price = quote(method, Decimal(weight), None, PRICES)
    assert str(price.cost) == cost
    assert price.is_minimum is is_minimum
    assert (price.amount, price.unit) == (Decimal(weight), "g")


@given(weight=grams)
def test_no_price_is_below_the_minimum_or_off_by_more_than_half_a_cent(weight: Decimal) -> None:
    price = quote("Filament", weight, None, PRICES)
    assert price.cost == round(price.cost, 2)
    exact = max(Decimal("3.00"), weight / 10)
    assert abs(price.cost - exact) <= Decimal("0.005")


@given(first=grams, second=grams)
def test_more_material_never_costs_less(first: Decimal, second: Decimal) -> None:
    lighter, heavier = sorted([first, second])
    assert quote("Resin", lighter, None, PRICES).cost <= quote("Resin", heavier, None, PRICES).cost


def test_a_method_may_be_priced_by_volume() -> None:
    price = quote("Resin", Decimal("1"), Decimal("20.4"), BY_VOLUME)
    assert (str(price.cost), price.unit, price.amount) == ("5.10", "ml", Decimal("20.4"))


@pytest.mark.parametrize(
    ("prices", "method", "weight", "volume", "field"),
    [
        (PRICES, "Filament", None, Decimal(5), "weight_g"),
        (BY_VOLUME, "Resin", Decimal(5), None, "volume_ml"),
        (PRICES, "Laser", Decimal(5), Decimal(5), "print_method"),
    ],
)
def test_a_missing_amount_or_rate_is_said_beside_its_field(
    prices: PriceList, method: str, weight: Decimal | None, volume: Decimal | None, field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        quote(method, weight, volume, prices)
    assert list(refused.value.fields) == [field]


def test_the_price_list_in_force_is_the_newest_that_has_begun() -> None:
    lists = [PRICES.model_copy(update={"valid_from": date(year, 9, 1)}) for year in (2027, 2025, 2026)]
    chosen = {
        day: price_list_on(day, lists).valid_from.year
        for day in (date(2024, 1, 1), date(2025, 9, 1), date(2026, 8, 31), date(2026, 9, 1), date(2030, 1, 1))
    }
    assert list(chosen.values()) == [2025, 2025, 2025, 2026, 2027]


@pytest.mark.parametrize(
    ("hours", "promised"),
    [("0.01", "0.5"), ("0.5", "0.5"), ("0.51", "1.0"), ("3.1", "3.5"), ("3.4", "3.5"), ("3.5", "3.5"), ("3.6", "4.0")],
)
def test_hours_are_promised_in_halves_rounded_up(hours: str, promised: str) -> None:
    assert str(round_up_to_half_hour(Decimal(hours))) == promised


@given(hours=st.decimals(min_value="0.001", max_value="2000", places=3))
def test_promised_hours_are_enough_and_less_than_half_an_hour_too_many(hours: Decimal) -> None:
    promised = round_up_to_half_hour(hours)
    assert hours <= promised < hours + Decimal("0.5")
    assert (promised * 2) % 1 == 0
    assert round_up_to_half_hour(promised) == promised
