"""What a student reads about a model at once: its size, whether it will print, about what it may cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from printsys.assessment.model_findings import findings_for
from printsys.config.lab import Lab, Method, Printer
from printsys.domain.job import Discount
from printsys.domain.pricing import PricedRequest, PriceList, Quote, quote
from printsys.errors import FileRefused, InvalidInput, ModelTooHard, ModelUnreadable
from printsys.models3d import bounded
from printsys.models3d.estimate import weight_range_g
from printsys.models3d.findings import ModelFinding, blocks, fits, unreadable
from printsys.models3d.fit import Box
from printsys.models3d.inspect import ModelFacts
from printsys.models3d.paint import recolored

PATIENCE = bounded.Limits(seconds=20)
"""While a student waits; the worker may take longer."""
SUPPORT = 0.25
"""Of the model's own resin: its supports may take so much more."""


@dataclass(frozen=True)
class UploadCheck:
    """The facts and picture of some bytes, or why there are none (`trouble`).

    `is_unprintable`: because nobody could print them, not because the check took too long. `name`: what `trouble` calls
    the file.
    """

    facts: ModelFacts | None = None
    png: bytes | None = None
    trouble: str | None = None
    is_unprintable: bool = False
    name: str = ""


@dataclass(frozen=True)
class Wishes:
    """What the student wants of a model, as far as it is chosen: `printer` is an id."""

    method: str = ""
    printer: str = ""
    copies: int = 1
    color: str = ""
    own_material: bool = False
    class_number: str = ""
    discipline: str = ""

    @property
    def priced(self) -> PricedRequest:
        return PricedRequest(self.method, self.own_material, self.class_number, self.discipline)


@dataclass(frozen=True)
class CheckedModel:
    """A model as the form shows it. `quotes` are a guess for all `copies`, the least and the most that it may cost.
    `printers`: those of the method, each with whether the model fits it."""

    name: str
    sha256: str
    check: UploadCheck
    findings: list[ModelFinding] = field(default_factory=list)
    quotes: tuple[Quote, Quote] | None = None
    copies: int = 1
    is_pending: bool = False
    printers: tuple[tuple[Printer, bool], ...] = ()

    @property
    def price(self) -> tuple[Decimal, Decimal] | None:
        """From least to most, in the lab's money."""
        return (self.quotes[0].cost, self.quotes[1].cost) if self.quotes else None

    @property
    def discounts(self) -> tuple[Discount, ...]:
        """Of the most that it may cost."""
        return self.quotes[1].discounts if self.quotes else ()

    @property
    def fitting(self) -> list[Printer]:
        return [printer for printer, is_large_enough in self.printers if is_large_enough]

    @property
    def will_not_print(self) -> bool:
        return blocks(self.findings)


def check_file(
    path: Path,
    name: str,
    limits: bounded.Limits = bounded.USUAL,
    is_wanted: Callable[[], bool] = lambda: True,
    color: str | None = None,
    volumes: Sequence[Box] = (),
) -> UploadCheck:
    """Facts and picture (in the lab's `color`) of the file at `path`, whose owner calls it `name`. OSError: the disk's.
    `volumes`: of the printers that it may have to fit, in mm.

    bounded.Abandoned when `is_wanted()` turns false meanwhile."""
    try:
        examination = bounded.examine(path, limits, is_wanted, color, volumes)
    except (FileRefused, ModelUnreadable) as error:
        return UploadCheck(trouble=str(error).replace(path.name, name), is_unprintable=True, name=name)
    except ModelTooHard as error:
        return UploadCheck(trouble=str(error).replace(path.name, name), name=name)
    return UploadCheck(examination.facts, examination.png)


def judge(name: str, sha256: str, check: UploadCheck, lab: Lab, wishes: Wishes, prices: PriceList) -> CheckedModel:
    """What a check means for a student with these `wishes`, who may call the file otherwise than the one before."""
    if check.trouble and check.name:
        check = replace(check, trouble=check.trouble.replace(check.name, name), name=name)
    if check.facts is None:
        reasons = [unreadable(ModelUnreadable(check.trouble or ""))] if check.is_unprintable else []
        return CheckedModel(name, sha256, check, reasons)
    method = lab.method(wishes.method)
    printers = lab.printers_for(wishes.method) or lab.printers
    model_findings = findings_for(check.facts, lab, wishes.method, wishes.printer or None)
    is_priced = not blocks(model_findings)
    quotes = price_range(check.facts, method, prices, wishes) if method is not None and is_priced else None
    large_enough = tuple((printer, fits(check.facts, printer)) for printer in printers) if is_priced else ()
    if check.png is not None and wishes.color:
        check = replace(check, png=recolored(check.png, wishes.color))
    return CheckedModel(name, sha256, check, model_findings, quotes, wishes.copies, printers=large_enough)


def price_range(facts: ModelFacts, method: Method, prices: PriceList, wishes: Wishes) -> tuple[Quote, Quote] | None:
    """With the lab's first material of the method; resin prints are solid. None where the volume is unknown."""
    if facts.volume_cm3 <= 0:
        return None
    density = float(method.materials[0].density_g_cm3)
    solid = facts.volume_cm3 * density
    hollow = weight_range_g(facts.volume_cm3, facts.area_cm2, density)
    low, high = (wishes.copies * grams for grams in ((solid, solid * (1 + SUPPORT)) if method.solid else hollow))
    try:
        least, most = (
            quote(wishes.priced, _decimal(grams), _decimal(grams / density), prices) for grams in (low, high)
        )
    except InvalidInput:
        return None
    return least, most


def _decimal(number: float) -> Decimal:
    return Decimal(number).quantize(Decimal("0.1"), ROUND_HALF_UP)


def refusals(models: Sequence[CheckedModel]) -> list[str]:
    """Sentences for the models that nobody can print, each with what to do about it."""
    return [
        f"{model.name}: {finding.sentence} {finding.advice}"
        for model in models
        for finding in model.findings
        if finding.grade == "cannot print"
    ]
