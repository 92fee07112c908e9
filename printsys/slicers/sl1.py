"""PrusaSlicer's `.sl1` and `.sl1s`: layer pictures and config.ini in a zip. `usedMaterial` is ml; it states no grams.

https://github.com/prusa3d/PrusaSlicer/blob/master/src/libslic3r/Format/SL1.cpp
"""

from __future__ import annotations

from printsys.formats.safezip import Package
from printsys.slicers import usage
from printsys.slicers.facts import SlicerFacts
from printsys.slicers.numerals import number, seconds

CONFIG = "config.ini"
MOST_CONFIG = 1 << 20


def is_one(package: Package) -> bool:
    return CONFIG in package and b"usedMaterial" in package.head(CONFIG, MOST_CONFIG)


def read(package: Package) -> SlicerFacts:
    lines = package.read(CONFIG, MOST_CONFIG).decode("utf-8-sig", "replace").splitlines()
    pairs = (line.partition("=") for line in lines)
    config = {key.strip(): value.strip() for key, separator, value in pairs if separator}
    program, _, version = config.get("prusaSlicerVersion", "").partition("-")
    time = seconds(number(config.get("printTime")))
    return SlicerFacts(
        family="sl1",
        program=program or "Slic3r PE",
        version=version or None,
        **usage.normal(time),
        resin_ml=number(config.get("usedMaterial")) or None,
        material=config.get("materialName") or None,
        printer_model=config.get("printerModel") or None,
        layer_height_mm=number(config.get("layerHeight")),
    )
