"""Bambu Studio and OrcaSlicer G-code, and what descends from them.

Bambu's header parts key and value by a colon, and its "total filament volume [cm^3]" is in mm³. OrcaSlicer writes
Prusa's lines. https://github.com/bambulab/BambuStudio/blob/master/src/libslic3r/GCode/GCodeProcessor.cpp
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal

from printsys.slicers import prusa, usage
from printsys.slicers.facts import SlicerFacts, Tool
from printsys.slicers.gcode_comments import GcodeComments
from printsys.slicers.numerals import duration, number, settings, words

TOTAL_TIME = re.compile(r"(?:model printing time: .{1,60}; )?total estimated time: (.{1,60})")
USUAL_AREA = Decimal("2.405")


def read(comments: GcodeComments, program: str, version: str | None) -> SlicerFacts:
    facts = prusa.read(comments, program, version)
    stated = comments.search(TOTAL_TIME)
    time = duration(stated.group(1)) if stated else None
    changed: dict[str, object] = {"family": "bambu"}
    if time is not None:
        changed |= {"time_s": time, "times": {**facts.times, "normal": time}}
    used = header_tools(comments)
    if used:
        totals = usage.totals(used)
        total_g = number(comments.setting("total filament used [g]"))
        warnings = usage.disagreement(total_g, totals["grams"])
        changed |= {"tools": used, "material": usage.material(used), "warnings": warnings, **totals}
    return facts.model_copy(update=changed)


def header_tools(comments: GcodeComments) -> tuple[Tool, ...]:
    """Lists in the header are of the used filaments, whose numbers (from 1) `filament` names."""
    lengths = settings(comments.header("total filament length [mm]"))
    diameters = settings(comments.header("filament_diameter"))
    indexes = [int(n) - 1 for n in settings(comments.header("filament")) if n]
    if len(indexes) != len(lengths):
        indexes = list(range(len(lengths)))
    volumes = settings(comments.header("total filament volume [cm^3]"))
    materials = words(comments.setting("filament_type"))
    return usage.tools(
        lengths=lengths,
        # Whatever the label says, a volume near length × cross-section in mm³ is one in mm³.
        volumes=[
            volume / 1000 if volume and length and volume > length * USUAL_AREA / 30 else volume
            for volume, length in zip(volumes, lengths, strict=False)
        ],
        weights=settings(comments.header("total filament weight [g]")),
        densities=_of_used(settings(comments.header("filament_density")), indexes),
        diameters=_of_used(diameters, indexes),
        materials=[materials[n] if n < len(materials) else "" for n in indexes],
        indexes=indexes,
    )


def _of_used(values: Sequence[Decimal | None], indexes: Sequence[int]) -> list[Decimal | None]:
    """Some versions list a figure for each filament that is loaded, some for each that is used."""
    if len(values) == len(indexes):
        return list(values)
    return [values[n] if n < len(values) else None for n in indexes]
