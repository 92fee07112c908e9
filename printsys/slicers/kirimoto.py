"""Kiri:Moto: `; --- filament used: 225.03 mm ---` and `; --- print time: 806s ---` at the end."""

from __future__ import annotations

import re

from printsys.slicers import usage
from printsys.slicers.facts import SlicerFacts
from printsys.slicers.gcode_comments import GcodeComments
from printsys.slicers.numerals import duration, number

USED = re.compile(r"--- filament used: ([\d.,]{1,20}) ?mm")
TIME = re.compile(r"--- print time: ([\d.,dhms ]{1,40})")


def read(comments: GcodeComments, program: str, version: str | None) -> SlicerFacts:
    length, stated = comments.search(USED), comments.search(TIME)
    used = usage.tools(lengths=[number(length.group(1))] if length else ())
    time = duration(stated.group(1)) if stated else None
    return SlicerFacts(
        family="kirimoto",
        program=program,
        version=version,
        **usage.normal(time),
        tools=used,
        printer_model=comments.header("Target"),
        layer_height_mm=number(comments.setting("sliceHeight")),
        **usage.totals(used),
    )
