"""Kiri:Moto: `; --- filament used: 225.03 mm ---` and `; --- print time: 806s ---` at the end."""

from __future__ import annotations

import re

from printsys.slicers import usage
from printsys.slicers.ends import Ends
from printsys.slicers.facts import SlicerFacts
from printsys.slicers.numerals import duration, number

USED = re.compile(r"--- filament used: ([\d.,]{1,20}) ?mm")
TIME = re.compile(r"--- print time: ([\d.,dhms ]{1,40})")


def read(ends: Ends, program: str, version: str | None) -> SlicerFacts:
    length, stated = ends.search(USED), ends.search(TIME)
    used = usage.tools(lengths=[number(length.group(1))] if length else ())
    time = duration(stated.group(1)) if stated else None
    return SlicerFacts(
        family="kirimoto",
        program=program,
        version=version,
        **usage.normal(time),
        tools=used,
        printer_model=ends.header("Target"),
        layer_height_mm=number(ends.setting("sliceHeight")),
        **usage.totals(used),
    )
