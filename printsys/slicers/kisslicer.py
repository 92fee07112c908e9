"""KISSlicer 1 and 2: decimal minutes, and a table at the end whose other times are not the job's."""

from __future__ import annotations

import re
from decimal import Decimal

from printsys.slicers import usage
from printsys.slicers.facts import SlicerFacts
from printsys.slicers.gcode_comments import GcodeComments
from printsys.slicers.numerals import duration, number

TIME = ("Estimated Build Time", "Calculated-during-export Build Time", "Estimated-in-GUI Build Time")
VERSION = re.compile(r"version (.{1,60})")
USED = re.compile(r"Ext #?(\d{1,2}) *= *([\d.,]{1,20}) mm(?: *\(([\d.,]{1,20}) cm\^3\))?")


def read(comments: GcodeComments, program: str, _version: str | None) -> SlicerFacts:
    version = comments.search(VERSION)
    extruders = {int(match.group(1)): match for line in comments.lines if (match := USED.match(line))}
    material = comments.setting("material_name")
    used = usage.tools(
        lengths=[number(match.group(2)) for match in extruders.values()],
        volumes=[number(match.group(3)) for match in extruders.values()],
        materials=[material or ""],
        diameters=[number(comments.setting("fiber_dia_mm"))] * len(extruders),
        indexes=[n - 1 for n in extruders],
    )
    time = next((time for key in TIME if (time := duration(comments.header(key)))), None)
    nozzle = number(comments.setting("nozzle_dia_mm")) or Decimal(0)
    return SlicerFacts(
        family="kisslicer",
        program=program,
        version=version.group(1).strip() if version else None,
        **usage.normal(time),
        tools=used,
        material=usage.material(used, [material] if material else ()),
        **usage.printer(None, comments.setting("printer_name")),
        nozzle_mm=nozzle or None,
        layer_height_mm=number(comments.setting("layer_thickness_mm")),
        **usage.totals(used),
    )
