"""Simplify3D 4 and 5: settings as `name,value` first, a "Build Summary" at the end, minutes at the finest."""

from __future__ import annotations

import re

from printsys.slicers import usage
from printsys.slicers.facts import SlicerFacts
from printsys.slicers.gcode_comments import GcodeComments
from printsys.slicers.numerals import duration, number, settings

WEIGHT = ("Plastic weight", "Material Weight", "Material weight")
LENGTH = ("Filament length", "Material Length", "Material length")
VOLUME = ("Plastic volume", "Material Volume", "Material volume")
TIME = ("Build time", "Build Time")


def read(comments: GcodeComments, program: str, version: str | None) -> SlicerFacts:
    volume = number(_first(comments, VOLUME))
    grams = number(_first(comments, WEIGHT)) or None
    material = _setting(comments, "printMaterial")
    used = usage.tools(
        lengths=[number(_first(comments, LENGTH))],
        volumes=[volume / 1000 if volume else None],
        weights=[grams],
        materials=[material or ""],
        densities=settings(_setting(comments, "filamentDensities"))[:1],
        diameters=settings(_setting(comments, "filamentDiameters"))[:1],
    )
    time = duration(_first(comments, TIME))
    return SlicerFacts(
        family="simplify3d",
        program=program,
        version=version,
        **usage.normal(time),
        tools=used,
        material=material,
        **usage.printer(None, _setting(comments, "profileName")),
        nozzle_mm=next(iter(settings(_setting(comments, "extruderDiameter"))), None),
        layer_height_mm=number(_setting(comments, "layerHeight")),
        **usage.totals(used),
    )


def _first(comments: GcodeComments, keys: tuple[str, ...]) -> str | None:
    return next((value for key in keys if (value := comments.header(key))), None)


def _setting(comments: GcodeComments, key: str) -> str | None:
    match = comments.search(re.compile(rf"{key},(.{{1,200}})"))
    return match.group(1).strip() if match else None
