"""Cura: `;TIME:814`, metres or mm³ of filament; Ultimaker's "Griffin" header has names of its own.

Grams and material are there only where a printer's start G-code writes them, as lists: `;Filament weight = [3.9, 0.0]`.

CuraEngine on the command line leaves placeholders (`;TIME:6666`, `;Filament used: 0m`); there the time elapsed after
the last layer is right. https://github.com/Ultimaker/CuraEngine/blob/main/src/gcodeExport.cpp
"""

from __future__ import annotations

import re
from decimal import Decimal

from printsys.slicers import usage
from printsys.slicers.facts import Box, SlicerFacts, Tool
from printsys.slicers.gcode_comments import GcodeComments
from printsys.slicers.numerals import number, numbers, quantities, seconds, signed, words

PLACEHOLDER = Decimal(6666)
TRAIN = re.compile(r"EXTRUDER_TRAIN\.(\d{1,2})\.MATERIAL\.VOLUME_USED:(.{1,30})")
MOST_MM = Decimal(100_000)


def read(comments: GcodeComments, program: str, version: str | None) -> SlicerFacts:
    used = _griffin_tools(comments) or _tools(comments) or _ultigcode_tools(comments)
    time = number(comments.header("TIME")) or number(comments.header("PRINT.TIME"))
    if not time or time == PLACEHOLDER:
        elapsed = comments.colons.get("TIME_ELAPSED", [])
        time = number(elapsed[-1]) if elapsed else None
    return SlicerFacts(
        family="cura",
        program=program,
        version=version,
        **usage.normal(seconds(time)),
        tools=used,
        material=usage.material(used),
        printer_model=comments.header("TARGET_MACHINE.NAME"),
        nozzle_mm=number(comments.header("EXTRUDER_TRAIN.0.NOZZLE.DIAMETER") or comments.setting("Nozzle diameter")),
        layer_height_mm=number(comments.header("Layer height")),
        box=_box(comments),
        **usage.totals(used),
    )


def _tools(comments: GcodeComments) -> tuple[Tool, ...]:
    stated = comments.header("Filament used")
    metres, cubic_mm = quantities(stated, "m"), quantities(stated, "mm3")
    weights = [round(grams, 2) if grams else None for grams in numbers(comments.setting("Filament weight"))]
    materials = words(comments.setting("Filament type"))
    tools = max(len(metres), len(cubic_mm))
    return usage.tools(
        lengths=[length * 1000 if length else None for length in metres],
        volumes=[volume / 1000 if volume else None for volume in cubic_mm],
        weights=weights if len(weights) == tools else (),
        materials=materials if len(materials) == tools else (),
    )


def _griffin_tools(comments: GcodeComments) -> tuple[Tool, ...]:
    matches = [match for line in comments.lines if (match := TRAIN.match(line))]
    volumes = [number(match.group(2)) for match in matches]
    return usage.tools(
        volumes=[volume / 1000 if volume else None for volume in volumes],
        indexes=[int(match.group(1)) for match in matches],
    )


def _ultigcode_tools(comments: GcodeComments) -> tuple[Tool, ...]:
    """UltiGCode's mm³: `;MATERIAL:2911`, `;MATERIAL2:0`."""
    volumes = [number(comments.header(key)) for key in ("MATERIAL", "MATERIAL2")]
    return usage.tools(volumes=[v / 1000 if v and v != PLACEHOLDER else None for v in volumes])


def _box(comments: GcodeComments) -> Box | None:
    """Placeholders are the largest and smallest integers, far off any plate."""
    low, high = ([signed(comments.header(f"{end}{axis}")) for axis in "XYZ"] for end in ("MIN", "MAX"))
    corners = [figure for figure in (*low, *high) if figure is not None and abs(figure) <= MOST_MM]
    if len(corners) < 6 or any(a >= b for a, b in zip(corners[:3], corners[3:], strict=True)):
        return None
    return Box.model_validate({"low": corners[:3], "high": corners[3:]})
