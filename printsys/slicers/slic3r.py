"""Slic3r: states filament and no time. One key comes several times: `filament used = 1629.9mm (3.9cm3)`, then `= 4.9g`.

So does Slic3r Prusa Edition. 1.2.9 puts the lengths of several extruders in one line, `= 1482.1mm, 34.4mm (3.6cm3)`.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TypeVar

from printsys.slicers import usage
from printsys.slicers.facts import SlicerFacts, Tool
from printsys.slicers.gcode_comments import GcodeComments
from printsys.slicers.numerals import number, quantities, settings, words

T = TypeVar("T")


def read(comments: GcodeComments, program: str, version: str | None) -> SlicerFacts:
    used = stated_tools(comments)
    totals = usage.totals(used)
    return SlicerFacts(
        family="slic3r",
        program=program,
        version=version,
        tools=used,
        material=usage.material(used),
        **usage.printer(comments.setting("printer_model"), comments.setting("printer_settings_id")),
        nozzle_mm=next(iter(settings(comments.setting("nozzle_diameter"))), None),
        layer_height_mm=number(comments.setting("layer_height")),
        **totals,
    )


def stated_tools(comments: GcodeComments) -> tuple[Tool, ...]:
    """A weight belongs to the length before it: a filament without a density has none."""
    lengths: list[Decimal | None] = []
    volumes: list[Decimal | None] = []
    weights: dict[int, Decimal | None] = {}
    for statement in comments.equals.get("filament used", []):
        lengths += quantities(statement, "mm")
        volumes += quantities(statement, "cm3")
        weights |= {len(lengths) - 1: weight for weight in quantities(statement, "g") if lengths}
    return usage.tools(
        lengths=lengths,
        volumes=volumes if len(volumes) == len(lengths) else (),
        weights=[weights.get(n) for n in range(len(lengths))],
        materials=_of_used(words(comments.setting("filament_type")), len(lengths)),
        densities=_of_used(settings(comments.setting("filament_density")), len(lengths)),
        diameters=_of_used(settings(comments.setting("filament_diameter")), len(lengths)),
    )


def _of_used(values: Sequence[T], used: int) -> Sequence[T]:
    """The file lists what is loaded, and the use of used extruders alone: of two different ones nobody knows which."""
    return values if len(values) == used else [*values[:1]] * used if len(set(values)) == 1 else ()
