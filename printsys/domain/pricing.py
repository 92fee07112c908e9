"""Computes a print's price and its rounded time, here and nowhere else (DESIGN 11)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from printsys.errors import InvalidInput

CENT = Decimal("0.01")
HALF_HOUR = Decimal("0.5")


class Rate(BaseModel):
    """Money for one gram, or one millilitre, of one method's material."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    amount: Decimal = Field(ge=0)
    unit: Literal["g", "ml"] = "g"


class PriceList(BaseModel):
    """What the lab charges from `valid_from` on, by method; `minimum` is charged for any job."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    valid_from: date
    minimum: Decimal = Field(ge=0)
    rates: dict[str, Rate]


class Quote(BaseModel):
    """A price and what it is made of, so that a page can explain it."""

    model_config = ConfigDict(frozen=True)
    cost: Decimal
    amount: Decimal
    unit: Literal["g", "ml"]
    rate: Decimal
    is_minimum: bool


def price_list_on(day: date, lists: Sequence[PriceList]) -> PriceList:
    """The list in force on `day`: the newest that had begun; before all of them, the oldest."""
    begun = [prices for prices in lists if prices.valid_from <= day]
    return max(begun, key=lambda p: p.valid_from) if begun else min(lists, key=lambda p: p.valid_from)


def quote(method: str, weight_g: Decimal | None, volume_ml: Decimal | None, prices: PriceList) -> Quote:
    """Price of `weight_g` grams (or `volume_ml` millilitres where the method is priced by volume).

    max(minimum, amount × rate), rounded half up to the cent. InvalidInput if the amount that the rate
    needs is missing, or the method has no rate.
    """
    rate = prices.rates.get(method)
    if rate is None:
        raise InvalidInput({"print_method": [f"There is no price for {method} in lab.toml."]})
    amount = weight_g if rate.unit == "g" else volume_ml
    if amount is None:
        field, amount_needed = (
            ("weight_g", "weight in grams") if rate.unit == "g" else ("volume_ml", "volume in milliliters")
        )
        raise InvalidInput({field: [f"Please give the {amount_needed}."]})
    raw = (amount * rate.amount).quantize(CENT, ROUND_HALF_UP)
    cost = max(raw, prices.minimum.quantize(CENT))
    return Quote(cost=cost, amount=amount, unit=rate.unit, rate=rate.amount, is_minimum=cost > raw)


def round_up_to_half_hour(hours: Decimal) -> Decimal:
    """3.1 → 3.5, 3.5 → 3.5, 3.6 → 4.0: printing time is promised in halves of an hour, rounded up."""
    return (hours / HALF_HOUR).to_integral_value(ROUND_CEILING) * HALF_HOUR
