"""PrusaSlicer, SuperSlicer and their descendants: `; key = value`, statistics before the configuration.

The job's time is the one in normal mode; the silent mode's and the first layer's stand beside it.
https://github.com/prusa3d/PrusaSlicer/blob/master/src/libslic3r/GCode.cpp
"""

from __future__ import annotations

import re

from printsys.slicers import slic3r, usage
from printsys.slicers.facts import SlicerFacts
from printsys.slicers.gcode_comments import GcodeComments
from printsys.slicers.numerals import duration, number, numbers, settings, words

TIME = re.compile(r"estimated printing time \((\w{1,20}) mode\) = (.{1,60})")


def read(comments: GcodeComments, program: str, version: str | None) -> SlicerFacts:
    get = comments.setting
    materials = words(get("filament_type"))
    used = usage.tools(
        lengths=numbers(get("filament used [mm]")),
        volumes=numbers(get("filament used [cm3]")),
        weights=numbers(get("filament used [g]")),
        materials=materials,
        densities=settings(get("filament_density")),
        diameters=settings(get("filament_diameter")),
    )
    used = used or slic3r.stated_tools(comments)
    by_mode = times(comments)
    totals = usage.totals(used)
    stated_total = number(get("total filament used [g]")) or None
    totals["grams"] = totals["grams"] or (stated_total if not used else None)
    return SlicerFacts(
        family="prusa",
        program=program,
        version=version,
        time_s=by_mode.get("normal"),
        times=by_mode,
        tools=used,
        material=usage.material(used, materials),
        **usage.printer(get("printer_model"), get("printer_settings_id")),
        nozzle_mm=next(iter(settings(get("nozzle_diameter"))), None),
        layer_height_mm=number(get("layer_height")),
        warnings=usage.disagreement(stated_total, totals["grams"]),
        **totals,
    )


def times(comments: GcodeComments) -> dict[str, int]:
    """Seconds by mode."""
    matches = (match for line in comments.lines if (match := TIME.match(line)))
    by_mode = {match.group(1): duration(match.group(2)) for match in matches}
    return {mode: time for mode, time in by_mode.items() if time is not None}
