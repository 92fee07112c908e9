"""Computes a print's price and its rounded time, here and nowhere else (DESIGN 11)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from fnmatch import fnmatchcase
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from printsys.domain.job import DISCOUNTS, Discount, Document, Job
from printsys.errors import InvalidInput

CENT = Decimal("0.01")
HALF_HOUR = Decimal("0.5")


class Rate(BaseModel):
    """Money for one gram, or one millilitre, of one method's material."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    amount: Decimal = Field(ge=0)
    unit: Literal["g", "ml"] = "g"


@dataclass(frozen=True)
class PricedRequest:
    """What of a request decides its price, besides the amount of material."""

    method: str
    own_material: bool = False
    class_number: str = ""
    discipline: str = ""

    @classmethod
    def of(cls, job: Job) -> PricedRequest:
        student, request = job.student, job.request
        own_material = request.own_material is True
        return cls(request.method, own_material, student.class_number or "", student.discipline or "")


DECIDING = frozenset({"own_material", "class_number", "discipline"})
"""Keys of a request by which price rules apply."""


class PriceRule(BaseModel):
    """A discount for each request of which all that the rule names is true.

    `class_numbers` may end in `*`; capitals, blanks and signs do not count. `below_minimum`: it may take a price below
    the minimum.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: Annotated[str, Field(min_length=1, max_length=60)]
    percent: Decimal = Field(gt=0, le=100)
    own_material: bool = False
    class_numbers: list[str] = []
    disciplines: list[str] = []
    methods: list[str] = []
    below_minimum: bool = False

    def applies_to(self, request: PricedRequest) -> bool:
        return (
            (request.own_material or not self.own_material)
            and (not self.methods or request.method in self.methods)
            and (not self.disciplines or request.discipline in self.disciplines)
            and (not self.class_numbers or self._has_class(request.class_number))
        )

    def _has_class(self, class_number: str) -> bool:
        return any(fnmatchcase(_letters(class_number), _letters(pattern)) for pattern in self.class_numbers)


def _letters(text: str) -> str:
    """`arch4000` of “ARCH 4000” and “Arch-4000”."""
    return "".join(c for c in text.casefold() if c.isalnum() or c == "*")


class PriceList(BaseModel):
    """What the lab charges from `valid_from` on, by method; `minimum` is charged for any job."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    valid_from: date
    minimum: Decimal = Field(ge=0)
    rates: dict[str, Rate]
    rules: list[PriceRule] = []

    @property
    def asks_for_own_material(self) -> bool:
        return any(rule.own_material for rule in self.rules)


class Quote(BaseModel):
    """A price and what it is made of, so that a page can explain it. `cost` is what the `discounts` leave.

    `is_minimum`: the minimum, as without it the price would be lower.
    """

    model_config = ConfigDict(frozen=True)
    cost: Decimal
    amount: Decimal
    unit: Literal["g", "ml"]
    rate: Decimal
    is_minimum: bool
    discounts: tuple[Discount, ...] = ()


def price_list_on(day: date, lists: Sequence[PriceList]) -> PriceList:
    """The list in force on `day`: the newest that had begun; before all of them, the oldest."""
    begun = [prices for prices in lists if prices.valid_from <= day]
    return max(begun, key=lambda p: p.valid_from) if begun else min(lists, key=lambda p: p.valid_from)


def quote(request: PricedRequest, weight_g: Decimal | None, volume_ml: Decimal | None, prices: PriceList) -> Quote:
    """Price of `weight_g` grams (or `volume_ml` millilitres where the method is priced by volume).

    max(minimum, amount × rate), rounded half up to the cent, less the discounts. InvalidInput if the amount that the
    rate needs is missing, or the method has no rate.
    """
    rate = prices.rates.get(request.method)
    if rate is None:
        raise InvalidInput({"print_method": [f"There is no price for {request.method} in lab.toml."]})
    amount = weight_g if rate.unit == "g" else volume_ml
    if amount is None:
        field, amount_needed = (
            ("weight_g", "weight in grams") if rate.unit == "g" else ("volume_ml", "volume in milliliters")
        )
        raise InvalidInput({field: [f"Please give the {amount_needed}."]})
    raw = (amount * rate.amount).quantize(CENT, ROUND_HALF_UP)
    minimum = prices.minimum.quantize(CENT)
    cost, is_minimum, discounts = max(raw, minimum), raw < minimum, []
    for rule in prices.rules:
        if not rule.applies_to(request):
            continue
        wanted = (cost * rule.percent / 100).quantize(CENT, ROUND_HALF_UP)
        possible = cost if rule.below_minimum else max(cost - minimum, Decimal(0))
        off = min(wanted, possible)
        is_minimum = (is_minimum and not off) or off < wanted
        if off:
            cost -= off
            discounts.append(Discount(name=rule.name, amount=off))
    return Quote(
        cost=cost,
        amount=amount,
        unit=rate.unit,
        rate=rate.amount,
        is_minimum=is_minimum,
        discounts=tuple(discounts),
    )


def money(value: Decimal | str | None) -> str:
    """`$1,234.50`; empty for None."""
    return "" if value is None else f"${Decimal(value):,.2f}"


def recorded_discounts(job: Job, discounts: Sequence[Discount]) -> Document:
    """The key of an estimate; null where an earlier estimate has some that no longer hold."""
    earlier = (job.estimate.model_extra or {}) if job.estimate is not None else {}
    listed = [discount.model_dump(mode="json") for discount in discounts] or None
    return {DISCOUNTS: listed} if listed or DISCOUNTS in earlier else {}


def round_up_to_half_hour(hours: Decimal) -> Decimal:
    """3.1 → 3.5, 3.5 → 3.5, 3.6 → 4.0: printing time is promised in halves of an hour, rounded up."""
    return (hours / HALF_HOUR).to_integral_value(ROUND_CEILING) * HALF_HOUR
