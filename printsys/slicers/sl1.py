"""PrusaSlicer's `.sl1` and `.sl1s`: layer pictures and config.ini in a zip. `usedMaterial` is ml; grams are not stated.

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
    said = _pairs(package.read(CONFIG, MOST_CONFIG))
    program, _, version = said.get("prusaSlicerVersion", "").partition("-")
    time = seconds(number(said.get("printTime")))
    return SlicerFacts(
        family="sl1",
        program=program or "Slic3r PE",
        version=version or None,
        **usage.normal(time),
        resin_ml=number(said.get("usedMaterial")) or None,
        material=said.get("materialName") or None,
        printer_model=said.get("printerModel") or None,
        layer_height_mm=number(said.get("layerHeight")),
    )


def _pairs(text: bytes) -> dict[str, str]:
    parted = (line.partition("=") for line in text.decode("utf-8", "replace").splitlines())
    return {key.strip(): value.strip() for key, sign, value in parted if sign}
