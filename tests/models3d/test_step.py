"""STEP files as CAD programs write them: round faces, holes, several solids, assemblies, inches."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from printsys.models3d.inspect import inspect
from tests.models3d.prusaslicer import info
from tests.models3d.step_box import (
    MILLIMETERS,
    Corner,
    StepLines,
    box_solid,
    length_unit,
    placement,
    product,
    representation,
    solid,
    step_box,
    step_file,
)

INCH = "inch"


def unit_of(lines: StepLines, unit: str) -> str:
    """An inch is what Fusion and SolidWorks call it: a conversion of millimeters."""
    if unit != INCH:
        return length_unit(lines, unit)
    factor = lines.add(f"LENGTH_MEASURE_WITH_UNIT(LENGTH_MEASURE(25.4),{length_unit(lines)})")
    exponents = lines.add("DIMENSIONAL_EXPONENTS(1.,0.,0.,0.,0.,0.,0.)")
    return lines.add(f"(CONVERSION_BASED_UNIT('INCH',{factor}) LENGTH_UNIT() NAMED_UNIT({exponents}))")


class Circles:
    """Two circles about the z axis of `middle`, one above the other, and the seam between them."""

    def __init__(self, lines: StepLines, middle: Corner, radius: float, height: float) -> None:
        x, y, z = middle
        self.lines, self.middle, self.radius, self.top = lines, middle, radius, (x, y, z + height)
        ends = [lines.add(f"VERTEX_POINT('',{lines.point((x + radius, y, z + up))})") for up in (0, height)]
        rings = [lines.add(f"CIRCLE('',{placement(lines, at)},{radius:.6f})") for at in (middle, self.top)]
        self.below, self.above = (
            lines.add(f"EDGE_CURVE('',{end},{end},{ring},.T.)") for end, ring in zip(ends, rings, strict=True)
        )
        upwards = lines.add(f"VECTOR('',{lines.direction((0, 0, 1))},1.)")
        line = lines.add(f"LINE('',{lines.point((x + radius, y, z))},{upwards})")
        self.seam = lines.add(f"EDGE_CURVE('',{ends[0]},{ends[1]},{line},.T.)")

    def loop(self, *edges: tuple[str, bool]) -> str:
        oriented = [self.lines.add(f"ORIENTED_EDGE('',*,*,{edge},{flag(forward)})") for edge, forward in edges]
        return self.lines.add(f"EDGE_LOOP('',({','.join(oriented)}))")

    def wall(self, faces_outwards: bool) -> str:
        around = [(self.below, True), (self.seam, True), (self.above, False), (self.seam, False)]
        if not faces_outwards:
            around = [(edge, not forward) for edge, forward in reversed(around)]
        bound = self.lines.add(f"FACE_OUTER_BOUND('',{self.loop(*around)},.T.)")
        surface = self.lines.add(f"CYLINDRICAL_SURFACE('',{placement(self.lines, self.middle)},{self.radius:.6f})")
        return self.lines.add(f"ADVANCED_FACE('',({bound}),{surface},{flag(faces_outwards)})")

    def lids(self, around: Circles | None = None) -> list[str]:
        """The level faces between this ring and a narrower one in it, `around` which they lie."""
        faces = []
        for at, edge, inner, is_top in (
            (self.middle, self.below, around.below if around else None, False),
            (self.top, self.above, around.above if around else None, True),
        ):
            outline = self.lines.add(f"FACE_OUTER_BOUND('',{self.loop((edge, is_top))},.T.)")
            bounds = [outline]
            if inner is not None:
                bounds.append(self.lines.add(f"FACE_BOUND('',{self.loop((inner, not is_top))},.T.)"))
            normal: Corner = (0, 0, 1 if is_top else -1)
            plane = self.lines.add(f"PLANE('',{placement(self.lines, at, normal)})")
            faces.append(self.lines.add(f"ADVANCED_FACE('',({','.join(bounds)}),{plane},.T.)"))
        return faces


def flag(is_true: bool) -> str:
    return ".T." if is_true else ".F."


def cylinder(lines: StepLines, radius: float, height: float, middle: Corner = (0, 0, 0)) -> str:
    circles = Circles(lines, middle, radius, height)
    return solid(lines, [circles.wall(True), *circles.lids()])


def washer(lines: StepLines, outer: float, inner: float, height: float) -> str:
    """A disk with a hole through it."""
    rim, hole = (Circles(lines, (0, 0, 0), radius, height) for radius in (outer, inner))
    return solid(lines, [rim.wall(True), hole.wall(False), *rim.lids(hole)])


def written(*solids: Callable[[StepLines], str], unit: str = MILLIMETERS) -> bytes:
    lines = StepLines()
    shape = representation(lines, [write(lines) for write in solids], unit_of(lines, unit))
    product(lines, shape)
    return step_file(lines)


def assembly(size: Corner, places: list[tuple[Corner, Corner, Corner]], unit: str = MILLIMETERS) -> bytes:
    """One box several times: each at a place, with its z axis and its x axis along two directions."""
    lines = StepLines()
    length = unit_of(lines, unit)
    own = placement(lines)
    part_shape = representation(lines, [own, box_solid(lines, size)], length)
    part = product(lines, part_shape, "part")
    placements = [placement(lines, *place) for place in places]
    whole_shape = representation(lines, placements, length, "SHAPE_REPRESENTATION")
    whole = product(lines, whole_shape, "assembly")
    for number, at in enumerate(placements):
        transformation = lines.add(f"ITEM_DEFINED_TRANSFORMATION('','',{own},{at})")
        relationship = lines.add(
            f"(REPRESENTATION_RELATIONSHIP('','',{part_shape},{whole_shape})"
            f" REPRESENTATION_RELATIONSHIP_WITH_TRANSFORMATION({transformation}) SHAPE_REPRESENTATION_RELATIONSHIP())"
        )
        usage = lines.add(f"NEXT_ASSEMBLY_USAGE_OCCURRENCE('{number}','part','',{whole},{part},$)")
        placed = lines.add(f"PRODUCT_DEFINITION_SHAPE('','',{usage})")
        lines.add(f"CONTEXT_DEPENDENT_SHAPE_REPRESENTATION({relationship},{placed})")
    return step_file(lines)


TWO_PLACES: list[tuple[Corner, Corner, Corner]] = [
    ((0, 0, 0), (0, 0, 1), (1, 0, 0)),
    ((100, 0, 0), (0, 0, 1), (0, 1, 0)),  # turned about z
]
HARD: dict[str, tuple[bytes, Corner, float, int]] = {
    "a cylinder": (written(lambda lines: cylinder(lines, 10, 30)), (20, 20, 30), math.pi * 100 * 30, 1),
    "a cylinder in inches": (
        written(lambda lines: cylinder(lines, 0.5, 2), unit=INCH),
        (25.4, 25.4, 50.8),
        math.pi * 0.25 * 2 * 25.4**3,
        1,
    ),
    "a hole": (written(lambda lines: washer(lines, 20, 15, 8)), (40, 40, 8), math.pi * (400 - 225) * 8, 1),
    "two solids": (
        written(
            lambda lines: cylinder(lines, 10, 30),
            lambda lines: cylinder(lines, 5, 10, (40, 0, 0)),
            lambda lines: box_solid(lines, (4, 4, 4)),
        ),
        (55, 20, 30),
        math.pi * (3000 + 250) + 64,
        3,
    ),
    "a box in inches": (
        written(lambda lines: box_solid(lines, (1, 2, 3)), unit=INCH),
        (25.4, 50.8, 76.2),
        98322.384,
        1,
    ),
    "an assembly": (assembly((10, 20, 30), TWO_PLACES), (100, 20, 30), 12000, 2),
    "an assembly in inches": (
        assembly((1, 2, 3), [((0, 0, 0), (0, 0, 1), (1, 0, 0)), ((4, 0, 0), (0, 0, 1), (1, 0, 0))], INCH),
        (127, 50.8, 76.2),
        2 * 98322.384,
        2,
    ),
    "centimeters": (step_box((1, 2, 3), "SI_UNIT(.CENTI.,.METRE.)"), (10, 20, 30), 6000, 1),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(HARD))
def test_sizes_and_volumes_are_those_that_were_drawn(name: str, tmp_path: Path) -> None:
    """Round faces become flat ones within COARSENESS_MM: a little smaller."""
    data, size, volume, bodies = HARD[name]
    path = tmp_path / "part.step"
    path.write_bytes(data)
    facts = inspect(path)
    assert facts.size_mm == pytest.approx(size, abs=0.11)
    assert facts.volume_cm3 == pytest.approx(volume / 1000, rel=0.02)
    assert (facts.bodies, facts.watertight, facts.turned_edges, facts.inverted) == (bodies, True, 0, False)


@pytest.mark.needs("prusa-slicer")
@pytest.mark.parametrize("name", ["a cylinder", "a hole", "an assembly", "a cylinder in inches"])
def test_prusaslicer_sees_the_same(name: str, tmp_path: Path) -> None:
    path = tmp_path / "part.step"
    path.write_bytes(HARD[name][0])
    opened, facts = info(path), inspect(path)
    assert opened is not None and opened.sizes_mm[0] == pytest.approx(facts.size_mm, abs=0.11)
