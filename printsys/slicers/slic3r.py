"""Slic3r: states filament and no time. One key comes several times: `filament used = 1629.9mm (3.9cm3)`, then `= 4.9g`.

1.2.9 puts the lengths of several extruders in one line, `= 1482.1mm, 34.4mm (3.6cm3)`.
"""

from __future__ import annotations

import re
from decimal import Decimal

from printsys.slicers import usage
from printsys.slicers.ends import Ends
from printsys.slicers.facts import SlicerFacts
from printsys.slicers.numerals import number, settings, words

LENGTH = re.compile(r"([\d.,]{1,20}?)\s?mm\b")
VOLUME = re.compile(r"\(([\d.,]{1,20})\s?cm3\)")
WEIGHT = re.compile(r"([\d.,]{1,20})\s?g\b")


def read(ends: Ends, program: str, version: str | None) -> SlicerFacts:
    statements = ends.equals.get("filament used", [])
    lengths = _all(LENGTH, statements)
    volumes = _all(VOLUME, statements)
    used = usage.tools(
        lengths=lengths,
        volumes=volumes if len(volumes) == len(lengths) else (),
        weights=_all(WEIGHT, statements),
        materials=words(ends.setting("filament_type")),
        densities=settings(ends.setting("filament_density")),
        diameters=settings(ends.setting("filament_diameter")),
    )
    totals = usage.totals(used)
    return SlicerFacts(
        family="slic3r",
        program=program,
        version=version,
        tools=used,
        material=usage.material(used),
        printer_model=ends.setting("printer_model") or ends.setting("printer_settings_id"),
        nozzle_mm=next(iter(settings(ends.setting("nozzle_diameter"))), None),
        layer_height_mm=number(ends.setting("layer_height")),
        **totals,
    )


def _all(pattern: re.Pattern[str], statements: list[str]) -> list[Decimal | None]:
    return [number(found) for statement in statements for found in pattern.findall(statement)]
