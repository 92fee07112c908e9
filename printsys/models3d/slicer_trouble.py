"""Why slicers refuse or misplace a file whose mesh is whole. Each answer continues a sentence that begins with the
file's name; None where they open it as it is.

Measured with PrusaSlicer 2.5 (`prusa-slicer --info`), tests/models3d/test_with_prusaslicer.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np

from printsys.formats.safezip import Package
from printsys.formats.threemf import Matrix, Model

MOST_CORNERS = 4
"""Of a face of an OBJ that PrusaSlicer reads."""
SLANT = 1e-5
HEAD = 1 << 16
"""Bytes in which a part's first object begins."""
FACET = re.compile(
    rb"facet\s+normal(?:\s+\S+){3}\s+outer\s+loop\s+(?:vertex(?:\s+\S+){3}\s+){3}endloop\s+endfacet(?=\s)"
)
CAPITALS = re.compile(rb"(?:^|[\r\n])[ \t]*(?:SOLID|FACET|ENDSOLID|Solid|Facet|EndSolid)\b")


def of_text_stl(text: bytes, triangles: int) -> str | None:
    if b"\n" not in text:
        return "is a text STL with the line ends of old Macs"
    if text.startswith(b"\xef\xbb\xbf"):
        return "is a text STL with a byte-order mark"
    if CAPITALS.search(text):
        return "is a text STL in capital letters"
    facets = sum(1 for _ in FACET.finditer(text))
    return None if facets == triangles else "is a text STL with words that slicers do not expect"


def of_binary_stl(stated: int, triangles: int) -> str | None:
    return None if stated == triangles else "is a binary STL that states a wrong number of triangles"


def of_obj(text: bytes, polygons: Iterable[Sequence[int]], has_short_faces: bool) -> str | None:
    """`polygons`: the faces of more than three corners; `has_short_faces`: there are some of fewer."""
    if has_short_faces:
        return "has faces of fewer than 3 corners"
    if any(len(polygon) > MOST_CORNERS for polygon in polygons):
        return f"has faces of more than {MOST_CORNERS} corners"
    if b"\\\n" in text or b"\\\r" in text:
        return "breaks its lines in the middle"
    if b"\n" not in text:
        return "has the line ends of old Macs"
    return (
        None
        if text.rstrip(b" \t").endswith((b"\n", b"\r"))
        else "does not end its last line, so that its last face gets lost"
    )


def of_3mf(model: Model, package: Package) -> str | None:
    """`model` is what `package` holds, its placements whole."""
    keys = _reached(model)
    if any(not part.endswith(".model") for part, _ in keys):
        return "gives its model an unusual name inside the 3MF"
    # A part with slices alone does no harm.
    parts = [name for name in package.names if name.casefold().endswith(".model")]
    if len(parts) > 1 and sum(b"object" in package.head(part, HEAD) for part in parts) > 1:
        return "keeps its model in several parts of the 3MF"
    if any(model.objects[key].type != "model" for key in keys):
        return "holds objects that are no ordinary models (surfaces or supports)"
    placements = [matrix for _, _, matrix in model.leaves()]
    if model.unit != "millimeter" and any((matrix[3] != placements[0][3]).any() for matrix in placements):
        return f"is measured in the unit {model.unit} and puts its parts into place by transforms"
    if any(_is_slanted(matrix) for matrix in placements):
        return "puts a part into place by a transform that slants it"
    return None


def _reached(model: Model) -> set[tuple[str, str]]:
    """Every object that the build contains. The model's placements are known to be whole."""
    reached: set[tuple[str, str]] = set()
    waiting = [item.key for item in model.items]
    while waiting:
        key = waiting.pop()
        if key not in reached:
            reached.add(key)
            waiting += [component.key for component in model.objects[key].components]
    return reached


def _is_slanted(matrix: Matrix) -> bool:
    """Whether it is more than a turn, a mirror image and a scale along each axis: slicers keep no more than those."""
    products = matrix[:3] @ matrix[:3].T
    off_axis = products - np.diag(np.diag(products))
    return bool(np.abs(off_axis).max() > SLANT * np.abs(products).max())
