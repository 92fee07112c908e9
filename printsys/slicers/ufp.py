"""Cura's `.ufp`: an OPC package with the G-code as /3D/model.gcode and a picture. https://github.com/Ultimaker/libCharon"""

from __future__ import annotations

from printsys.formats.safezip import Package
from printsys.slicers import gcode, gcode_comments
from printsys.slicers.facts import SlicerFacts


def gcode_part(package: Package) -> str | None:
    """The first G-code of a package that is no Bambu one."""
    return next((name for name in package.names if name.casefold().endswith(".gcode")), None)


def read(package: Package) -> SlicerFacts:
    """Cura states everything at the beginning; nothing further is unpacked."""
    part = gcode_part(package)
    if part is None:
        return SlicerFacts(warnings=("There is no G-code in this package.",))
    with package.open(part) as stream:
        return gcode.read(gcode_comments.of_start(stream))
