"""What a print costs and how long it is promised to take."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from printsys.domain.pricing import (
    PricedRequest,
    PriceList,
    PriceRule,
    Rate,
    price_list_on,
    quote,
    round_up_to_half_hour,
)
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
    price = quote(PricedRequest(method), Decimal(weight), None, PRICES)
    assert str(price.cost) == cost
    assert price.is_minimum is is_minimum
    assert (price.amount, price.unit) == (Decimal(weight), "g")


@given(weight=grams)
def test_no_price_is_below_the_minimum_or_off_by_more_than_half_a_cent(weight: Decimal) -> None:
    price = quote(PricedRequest("Filament"), weight, None, PRICES)
    assert price.cost == round(price.cost, 2)
    exact = max(Decimal("3.00"), weight / 10)
    assert abs(price.cost - exact) <= Decimal("0.005")


@given(first=grams, second=grams)
def test_more_material_never_costs_less(first: Decimal, second: Decimal) -> None:
    lighter, heavier = sorted([first, second])
    assert (
        quote(PricedRequest("Resin"), lighter, None, PRICES).cost
        <= quote(PricedRequest("Resin"), heavier, None, PRICES).cost
    )


def test_a_method_may_be_priced_by_volume() -> None:
    price = quote(PricedRequest("Resin"), Decimal("1"), Decimal("20.4"), BY_VOLUME)
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
        quote(PricedRequest(method), weight, volume, prices)
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


# -- discounts --------------------------------------------------------------------------------------------------------

OWN = PriceRule(name="Own material", percent=Decimal(50), own_material=True)
CLASS = PriceRule(name="Studio class", percent=Decimal(20), class_numbers=["ARCH 4000", "ART*"])
FREE = PriceRule(name="Paid by the department", percent=Decimal(100), class_numbers=["ENG 1"], below_minimum=True)


def with_rules(*rules: PriceRule) -> PriceList:
    return PRICES.model_copy(update={"rules": list(rules)})


def taken_off(request: PricedRequest, grams: str, *rules: PriceRule) -> tuple[str, list[tuple[str, str]], bool]:
    price = quote(request, Decimal(grams), None, with_rules(*rules))
    return str(price.cost), [(each.name, str(each.amount)) for each in price.discounts], price.is_minimum


def test_rules_take_off_by_name_one_after_the_other() -> None:
    both = PricedRequest("Filament", own_material=True, class_number="arch-4000")
    names = [("Own material", "5.00"), ("Studio class", "1.00")]
    assert taken_off(both, "100", OWN, CLASS) == ("4.00", names, False)
    assert taken_off(PricedRequest("Filament", class_number="ARCH 4001"), "100", OWN, CLASS) == ("10.00", [], False)
    assert taken_off(PricedRequest("Filament", class_number="Art 12"), "100", OWN, CLASS)[1] == [
        ("Studio class", "2.00")
    ]


def test_a_discount_ends_at_the_minimum_unless_its_rule_says_otherwise() -> None:
    own = PricedRequest("Filament", own_material=True)
    assert taken_off(own, "40", OWN) == ("3.00", [("Own material", "1.00")], True)
    assert taken_off(own, "20", OWN) == ("3.00", [], True)
    assert taken_off(PricedRequest("Filament", class_number="ENG 1"), "20", FREE) == (
        "0.00",
        [("Paid by the department", "3.00")],
        False,
    )


def test_all_that_a_rule_names_must_be_true() -> None:
    rule = PriceRule(name="Art in resin", percent=Decimal(10), methods=["Resin"], disciplines=["Art"])
    for method, discipline, applies in (("Resin", "Art", True), ("Filament", "Art", False), ("Resin", "Other", False)):
        assert rule.applies_to(PricedRequest(method, discipline=discipline)) is applies


rules = st.lists(
    st.builds(
        PriceRule,
        name=st.just("A rule"),
        percent=st.decimals(min_value="0.1", max_value="100", places=1),
        own_material=st.booleans(),
        below_minimum=st.booleans(),
    ),
    max_size=4,
)


@given(weight=grams, rules=rules, own_material=st.booleans())
def test_what_is_charged_and_what_is_taken_off_are_the_price_without_rules(
    weight: Decimal, rules: list[PriceRule], own_material: bool
) -> None:
    price = quote(PricedRequest("Filament", own_material), weight, None, with_rules(*rules))
    full = quote(PricedRequest("Filament"), weight, None, PRICES)
    assert price.cost + sum(each.amount for each in price.discounts) == full.cost
    assert all(each.amount > 0 for each in price.discounts) and price.cost >= 0
    assert price.cost >= PRICES.minimum or any(rule.below_minimum for rule in rules)
