"""ideaMaker G-code: totals in the last lines, after a block of base64; grams only by density (kg/m³) and diameter.

Nobody has published the format of its project (`.idea`): see closed.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from printsys.slicers import usage
from printsys.slicers.facts import Box, SlicerFacts
from printsys.slicers.gcode_comments import GcodeComments
from printsys.slicers.numerals import number, seconds, signed

TIME = ("Print Time", "REMAINING_TIME")


def read(comments: GcodeComments, program: str, version: str | None) -> SlicerFacts:
    lengths = [number(text) for text in _numbered(comments, "Material#{} Used")]
    materials = list(_numbered(comments, "Filament Type #{}"))
    densities = [number(text) for text in _numbered(comments, "Filament Density #{}")]
    used = usage.tools(
        lengths=lengths,
        materials=materials,
        densities=[density / 1000 if density else None for density in densities],
        diameters=[number(text) for text in _numbered(comments, "Filament Diameter #{}")],
    )
    dimensions = (comments.header("Dimension") or "").split()  # the plate's size, then each nozzle's
    time = next((time for key in TIME if (time := seconds(number(comments.header(key))))), None)
    corners = [signed(text) for text in (comments.header("Bounding Box") or "").split()]
    box = corners if len(corners) == 6 and None not in corners else None  # lowest and highest of each axis in turn
    return SlicerFacts(
        family="ideamaker",
        program=program,
        version=version,
        **usage.normal(time),
        tools=used,
        material=usage.material(used, materials[:1]),
        printer_model=comments.header("Printer Type"),
        nozzle_mm=number(dimensions[3]) if len(dimensions) > 3 else None,
        box=Box.model_validate({"low": box[0::2], "high": box[1::2]}) if box else None,
        **usage.totals(used),
    )


def _numbered(comments: GcodeComments, key: str) -> Iterator[str]:
    """The values of `key` for 1, 2, 3 … up to the first number without one."""
    for n in count(1):
        value = comments.header(key.format(n))
        if value is None:
            return
        yield value
