"""Simplify3D 4 and 5: settings as `name,value` first, a "Build Summary" at the end, minutes at the finest."""

from __future__ import annotations

import re

from printsys.slicers import usage
from printsys.slicers.ends import Ends
from printsys.slicers.facts import SlicerFacts
from printsys.slicers.numerals import duration, number

WEIGHT = ("Plastic weight", "Material Weight", "Material weight")
LENGTH = ("Filament length", "Material Length", "Material length")
VOLUME = ("Plastic volume", "Material Volume", "Material volume")
TIME = ("Build time", "Build Time")


def read(ends: Ends, program: str, version: str | None) -> SlicerFacts:
    volume = number(_first(ends, VOLUME))
    grams = number(_first(ends, WEIGHT)) or None
    material = _named(ends, "printMaterial")
    used = usage.tools(
        lengths=[number(_first(ends, LENGTH))],
        volumes=[volume / 1000 if volume else None],
        weights=[grams],
        materials=[material or ""],
        densities=[number(_named(ends, "filamentDensities"))],
        diameters=[number(_named(ends, "filamentDiameters"))],
    )
    time = duration(_first(ends, TIME))
    return SlicerFacts(
        family="simplify3d",
        program=program,
        version=version,
        **usage.normal(time),
        tools=used,
        material=material,
        printer_model=_named(ends, "profileName"),
        nozzle_mm=number((_named(ends, "extruderDiameter") or "").split(",")[0]),
        layer_height_mm=number(_named(ends, "layerHeight")),
        **usage.totals(used),
    )


def _first(ends: Ends, keys: tuple[str, ...]) -> str | None:
    return next((value for key in keys if (value := ends.header(key))), None)


def _named(ends: Ends, key: str) -> str | None:
    found = ends.search(re.compile(rf"{key},(.{{1,200}})"))
    return found.group(1).strip() if found else None
