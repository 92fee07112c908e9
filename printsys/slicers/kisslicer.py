"""KISSlicer 1 and 2: decimal minutes, and a table at the end whose other times are not the job's."""

from __future__ import annotations

import re
from decimal import Decimal

from printsys.slicers import usage
from printsys.slicers.ends import Ends
from printsys.slicers.facts import SlicerFacts
from printsys.slicers.numerals import duration, number

TIME = ("Estimated Build Time", "Calculated-during-export Build Time", "Estimated-in-GUI Build Time")
VERSION = re.compile(r"version (.{1,60})")
USED = re.compile(r"Ext #?(\d{1,2}) *= *([\d.,]{1,20}) mm(?: *\(([\d.,]{1,20}) cm\^3\))?")


def read(ends: Ends, program: str, _version: str | None) -> SlicerFacts:
    version = ends.search(VERSION)
    found = {int(m.group(1)): m for line in ends.lines if (m := USED.match(line))}
    material = ends.setting("material_name")
    used = usage.tools(
        lengths=[number(m.group(2)) for m in found.values()],
        volumes=[number(m.group(3)) for m in found.values()],
        materials=[material or ""],
        diameters=[number(ends.setting("fiber_dia_mm"))] * len(found),
        indexes=[n - 1 for n in found],
    )
    time = next((t for key in TIME if (t := duration(ends.header(key)))), None)
    nozzle = number(ends.setting("nozzle_dia_mm")) or Decimal(0)
    return SlicerFacts(
        family="kisslicer",
        program=program,
        version=version.group(1).strip() if version else None,
        **usage.normal(time),
        tools=used,
        material=usage.material(used, [material] if material else ()),
        printer_model=ends.setting("printer_name"),
        nozzle_mm=nozzle or None,
        layer_height_mm=number(ends.setting("layer_thickness_mm")),
        **usage.totals(used),
    )
