"""ideaMaker G-code: totals in the last lines, after a block of base64; grams only by density (kg/m³) and diameter.

Its project (`.idea`) is a format of Raise3D's own that nobody has published: it is named, and nothing is read from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from itertools import count, takewhile

from printsys.slicers import usage
from printsys.slicers.ends import Ends
from printsys.slicers.facts import Box, SlicerFacts
from printsys.slicers.numerals import number, seconds

TIME = ("Print Time", "REMAINING_TIME")
BOX = re.compile(r"Bounding Box: *((?:-?[\d.]{1,12} *){6})$")


def read(ends: Ends, program: str, version: str | None) -> SlicerFacts:
    lengths = list(_each(ends, "Material#{} Used"))
    materials = _named(ends, "Filament Type #{}")
    densities = [density / 1000 if density else None for density in _each(ends, "Filament Density #{}")]
    used = usage.tools(
        lengths=lengths,
        materials=materials,
        densities=densities,
        diameters=list(_each(ends, "Filament Diameter #{}")),
    )
    time = next((found for key in TIME if (found := seconds(number(ends.header(key))))), None)
    return SlicerFacts(
        family="ideamaker",
        program=program,
        version=version,
        **usage.normal(time),
        tools=used,
        material=usage.material(used, materials[:1]),
        printer_model=ends.header("Printer Type"),
        layer_height_mm=None,
        nozzle_mm=_nozzle(ends),
        box=_box(ends),
        **usage.totals(used),
    )


def _each(ends: Ends, key: str) -> Iterator[Decimal | None]:
    numbered = (ends.header(key.format(n)) for n in count(1))
    yield from (number(value) for value in takewhile(lambda value: value is not None, numbered))


def _named(ends: Ends, key: str) -> list[str]:
    numbered = (ends.header(key.format(n)) for n in count(1))
    return [value for value in takewhile(lambda value: value is not None, numbered) if value]


def _nozzle(ends: Ends) -> Decimal | None:
    """`Dimension: 365.000 240.000 240.000 0.400 0.400`: the plate's size, then each nozzle's."""
    figures = (ends.header("Dimension") or "").split()
    return number(figures[3]) if len(figures) > 3 else None


def _box(ends: Ends) -> Box | None:
    """Lowest and highest of each axis in turn."""
    found = ends.search(BOX)
    figures = found.group(1).split() if found else []
    if len(figures) != 6 or not all(re.fullmatch(r"-?\d{1,6}(\.\d{1,6})?", figure) for figure in figures):
        return None
    return Box.model_validate({"low": figures[0::2], "high": figures[1::2]})
