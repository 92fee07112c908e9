"""Cura: `;TIME:814`, metres or mm³ of filament, never grams; Ultimaker's "Griffin" header has names of its own.

CuraEngine on the command line leaves placeholders (`;TIME:6666`, `;Filament used: 0m`); the time that has elapsed after
the last layer is true there. https://github.com/Ultimaker/CuraEngine/blob/main/src/gcodeExport.cpp
"""

from __future__ import annotations

import re
from decimal import Decimal

from printsys.slicers import usage
from printsys.slicers.ends import Ends
from printsys.slicers.facts import Box, SlicerFacts, Tool
from printsys.slicers.numerals import number, seconds

PLACEHOLDER = Decimal(6666)
USED = re.compile(r"([\d.]{1,20})\s?(m|mm3)(?![\w.])")
TRAIN = re.compile(r"EXTRUDER_TRAIN\.(\d{1,2})\.MATERIAL\.VOLUME_USED:(.{1,30})")
MOST_MM = Decimal(100_000)


def read(ends: Ends, program: str, version: str | None) -> SlicerFacts:
    used = _griffin_tools(ends) or _tools(ends.header("Filament used")) or _ulti_tools(ends)
    time = seconds(_time(ends))
    return SlicerFacts(
        family="cura",
        program=program,
        version=version,
        **usage.normal(time),
        tools=used,
        printer_model=ends.header("TARGET_MACHINE.NAME"),
        nozzle_mm=number(ends.header("EXTRUDER_TRAIN.0.NOZZLE.DIAMETER")),
        layer_height_mm=number(ends.header("Layer height")),
        box=_box(ends),
        **usage.totals(used),
    )


def _time(ends: Ends) -> Decimal | None:
    stated = number(ends.header("TIME")) or number(ends.header("PRINT.TIME"))
    if stated and stated != PLACEHOLDER:
        return stated
    elapsed = ends.colons.get("TIME_ELAPSED", [])
    return number(elapsed[-1]) if elapsed else None


def _tools(stated: str | None) -> tuple[Tool, ...]:
    figures = [(number(value) or Decimal(0), unit) for value, unit in USED.findall(stated or "")]
    return usage.tools(
        lengths=[value * 1000 if unit == "m" else None for value, unit in figures],
        volumes=[value / 1000 if unit == "mm3" else None for value, unit in figures],
    )


def _griffin_tools(ends: Ends) -> tuple[Tool, ...]:
    found = [match for line in ends.lines if (match := TRAIN.match(line))]
    volumes = [number(match.group(2)) for match in found]
    return usage.tools(
        volumes=[volume / 1000 if volume else None for volume in volumes],
        indexes=[int(match.group(1)) for match in found],
    )


def _ulti_tools(ends: Ends) -> tuple[Tool, ...]:
    """UltiGCode's mm³: `;MATERIAL:2911`, `;MATERIAL2:0`."""
    volumes = [number(ends.header(key)) for key in ("MATERIAL", "MATERIAL2")]
    return usage.tools(volumes=[v / 1000 if v and v != PLACEHOLDER else None for v in volumes])


def _box(ends: Ends) -> Box | None:
    """Placeholders are the ends of what an integer holds, far off any plate."""
    low, high = ([_signed(ends.header(f"{end}{axis}")) for axis in "XYZ"] for end in ("MIN", "MAX"))
    known = [figure for figure in (*low, *high) if figure is not None and abs(figure) <= MOST_MM]
    if len(known) < 6 or any(a >= b for a, b in zip(known[:3], known[3:], strict=True)):
        return None
    return Box.model_validate({"low": known[:3], "high": known[3:]})


def _signed(text: str | None) -> Decimal | None:
    value = number((text or "").lstrip("-"))
    return -value if value is not None and (text or "").startswith("-") else value
