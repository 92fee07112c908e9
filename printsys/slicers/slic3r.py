"""Slic3r: states filament and no time. One key comes several times: `filament used = 1629.9mm (3.9cm3)`, then `= 4.9g`.

1.2.9 puts the lengths of several extruders in one line, `= 1482.1mm, 34.4mm (3.6cm3)`.
"""

from __future__ import annotations

import re
from decimal import Decimal

from printsys.slicers import usage
from printsys.slicers.facts import SlicerFacts
from printsys.slicers.gcode_comments import GcodeComments
from printsys.slicers.numerals import number, settings, words

LENGTH = re.compile(r"([\d.,]{1,20}?)\s?mm\b")
VOLUME = re.compile(r"\(([\d.,]{1,20})\s?cm3\)")
WEIGHT = re.compile(r"([\d.,]{1,20})\s?g\b")


def read(comments: GcodeComments, program: str, version: str | None) -> SlicerFacts:
    statements = comments.equals.get("filament used", [])
    lengths = _all(LENGTH, statements)
    volumes = _all(VOLUME, statements)
    used = usage.tools(
        lengths=lengths,
        volumes=volumes if len(volumes) == len(lengths) else (),
        weights=_all(WEIGHT, statements),
        materials=words(comments.setting("filament_type")),
        densities=settings(comments.setting("filament_density")),
        diameters=settings(comments.setting("filament_diameter")),
    )
    totals = usage.totals(used)
    return SlicerFacts(
        family="slic3r",
        program=program,
        version=version,
        tools=used,
        material=usage.material(used),
        printer_model=comments.setting("printer_model") or comments.setting("printer_settings_id"),
        nozzle_mm=next(iter(settings(comments.setting("nozzle_diameter"))), None),
        layer_height_mm=number(comments.setting("layer_height")),
        **totals,
    )


def _all(pattern: re.Pattern[str], statements: list[str]) -> list[Decimal | None]:
    return [number(figure) for statement in statements for figure in pattern.findall(statement)]
