"""From the lists that slicers state, one figure per tool, to tools and totals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, TypeVar

from printsys.slicers.facts import Tool

T = TypeVar("T")
MOST_TOOLS = 64
ROUNDING_G = Decimal("0.1")
"""So far apart may a total and a sum be: some programs round each to one digit."""


def tools(
    lengths: Sequence[Decimal | None] = (),
    volumes: Sequence[Decimal | None] = (),
    weights: Sequence[Decimal | None] = (),
    materials: Sequence[str] = (),
    densities: Sequence[Decimal | None] = (),
    diameters: Sequence[Decimal | None] = (),
    indexes: Sequence[int] = (),
) -> tuple[Tool, ...]:
    """The tools that the print uses. The lists differ in length; an unused tool is 0, 0.00 or absent."""
    count = min(max(len(lengths), len(volumes), len(weights)), MOST_TOOLS)
    every = (
        Tool(
            index=_at(indexes, n) if n < len(indexes) else n,
            length_mm=_at(lengths, n) or None,
            volume_cm3=_at(volumes, n) or None,
            weight_g=_at(weights, n) or None,
            material=_at(materials, n) or None,
            density_g_cm3=_at(densities, n) or None,
            diameter_mm=_at(diameters, n) or None,
        )
        for n in range(count)
    )
    return tuple(tool for tool in every if tool.is_used)


def totals(used: Iterable[Tool]) -> dict[str, Any]:
    """`length_mm`, `volume_cm3` and `grams`, each only where every used tool states it."""
    used = list(used)
    return {
        "length_mm": total(tool.length_mm for tool in used),
        "volume_cm3": total(tool.volume_cm3 for tool in used),
        "grams": total(tool.weight_g for tool in used),
    }


def disagreement(total_g: Decimal | None, sum_g: Decimal | None) -> tuple[str, ...]:
    """A warning where the total that a file states is not the sum of what it states of each filament."""
    if not total_g or not sum_g or abs(total_g - sum_g) <= max(ROUNDING_G, max(total_g, sum_g) / 100):
        return ()
    stated = f"The file states {total_g:f} g in all, but {sum_g:f} g for its filaments together"
    return (f"{stated}: please check the weight.",)


def normal(time_s: int | None) -> dict[str, Any]:
    """`time_s` and `times` of a program that states one time."""
    return {"time_s": time_s, "times": {"normal": time_s} if time_s else {}}


def total(values: Iterable[Decimal | None]) -> Decimal | None:
    """None unless every one of them is known and not 0."""
    figures = [value or Decimal(0) for value in values]
    return sum(figures, Decimal(0)) if figures and all(figures) else None


def printer(model: str | None, profile: str | None) -> dict[str, Any]:
    """`printer_model` and whether it is only the name of a profile."""
    return {"printer_model": model or profile or None, "printer_is_profile": bool(profile and not model)}


def material(used: Sequence[Tool], loaded: Sequence[str] = ()) -> str | None:
    """Of the used tools; in a file that does not say which those are, all that it names."""
    named = [tool.material for tool in used] if used else list(loaded)
    return ", ".join(dict.fromkeys(name for name in named if name)) or None


def _at(values: Sequence[T], n: int) -> Any:
    return values[n] if n < len(values) else None
