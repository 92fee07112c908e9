"""A box as a STEP file (ISO 10303-21, AP203), written by hand: no program that writes STEP is needed."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

Corner = tuple[float, float, float]


@dataclass
class StepLines:
    lines: list[str] = field(default_factory=list)

    def add(self, text: str) -> str:
        self.lines.append(f"#{len(self.lines) + 1}={text};")
        return f"#{len(self.lines)}"

    def point(self, at: Corner) -> str:
        return self.add("CARTESIAN_POINT('',({:.6f},{:.6f},{:.6f}))".format(*at))

    def direction(self, along: Corner) -> str:
        return self.add("DIRECTION('',({:.6f},{:.6f},{:.6f}))".format(*along))


MILLIMETERS = "SI_UNIT(.MILLI.,.METRE.)"


def step_box(size: Corner, unit: str = MILLIMETERS) -> bytes:
    """With its corner at the origin."""
    lines = StepLines()
    shape = representation(lines, [box_solid(lines, size)], length_unit(lines, unit))
    product(lines, shape)
    return step_file(lines)


def box_solid(lines: StepLines, size: Corner) -> str:
    vertices = {bits: lines.add(f"VERTEX_POINT('',{lines.point(_corner(bits, size))})") for bits in BITS}
    pairs = [pair for pair in itertools.combinations(BITS, 2) if _differ(*pair) == 1]
    edges = {pair: _edge(lines, pair, size, vertices) for pair in pairs}
    faces = [_face(lines, axis, high, size, edges) for axis in range(3) for high in (0, 1)]
    return solid(lines, faces)


def solid(lines: StepLines, faces: Sequence[str]) -> str:
    shell = lines.add(f"CLOSED_SHELL('',({','.join(faces)}))")
    return lines.add(f"MANIFOLD_SOLID_BREP('solid',{shell})")


Bits = tuple[int, int, int]
BITS: list[Bits] = [(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)]


def _corner(bits: Bits, size: Corner) -> Corner:
    return bits[0] * size[0], bits[1] * size[1], bits[2] * size[2]


def _differ(a: Bits, b: Bits) -> int:
    return sum(x != y for x, y in zip(a, b, strict=True))


def _edge(lines: StepLines, pair: tuple[Bits, Bits], size: Corner, vertices: dict[Bits, str]) -> str:
    start, stop = pair
    along = (float(stop[0] - start[0]), float(stop[1] - start[1]), float(stop[2] - start[2]))
    vector = lines.add(f"VECTOR('',{lines.direction(along)},1.)")
    begin = lines.point(_corner(start, size))
    curve = lines.add(f"LINE('',{begin},{vector})")
    return lines.add(f"EDGE_CURVE('',{vertices[start]},{vertices[stop]},{curve},.T.)")


def _face(lines: StepLines, axis: int, high: int, size: Corner, edges: dict[tuple[Bits, Bits], str]) -> str:
    u, v = (axis + 1) % 3, (axis + 2) % 3
    ring = []
    for at_u, at_v in ((0, 0), (1, 0), (1, 1), (0, 1)):
        bits = [0, 0, 0]
        bits[axis], bits[u], bits[v] = high, at_u, at_v
        ring.append((bits[0], bits[1], bits[2]))
    if not high:
        ring.reverse()
    oriented = []
    for start, stop in zip(ring, [*ring[1:], ring[0]], strict=True):
        is_forward = (start, stop) in edges
        edge = edges[(start, stop) if is_forward else (stop, start)]
        oriented.append(lines.add(f"ORIENTED_EDGE('',*,*,{edge},{'.T.' if is_forward else '.F.'})"))
    loop = lines.add(f"EDGE_LOOP('',({','.join(oriented)}))")
    bound = lines.add(f"FACE_OUTER_BOUND('',{loop},.T.)")
    outward, flat = [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]
    outward[axis], flat[u] = (1.0 if high else -1.0), 1.0
    place = lines.point(_corner(ring[0], size))
    normal = lines.direction((outward[0], outward[1], outward[2]))
    axes = lines.add(f"AXIS2_PLACEMENT_3D('',{place},{normal},{lines.direction((flat[0], flat[1], flat[2]))})")
    plane = lines.add(f"PLANE('',{axes})")
    return lines.add(f"ADVANCED_FACE('',({bound}),{plane},.T.)")


def length_unit(lines: StepLines, unit: str = MILLIMETERS) -> str:
    return lines.add(f"(LENGTH_UNIT() NAMED_UNIT(*) {unit})")


def placement(
    lines: StepLines, at: Corner = (0, 0, 0), upwards: Corner = (0, 0, 1), to_the_right: Corner = (1, 0, 0)
) -> str:
    return lines.add(
        f"AXIS2_PLACEMENT_3D('',{lines.point(at)},{lines.direction(upwards)},{lines.direction(to_the_right)})"
    )


def representation(
    lines: StepLines, items: Sequence[str], length: str, kind: str = "ADVANCED_BREP_SHAPE_REPRESENTATION"
) -> str:
    """Of solids, or of the placements of an assembly."""
    angle = lines.add("(NAMED_UNIT(*) PLANE_ANGLE_UNIT() SI_UNIT($,.RADIAN.))")
    solid_angle = lines.add("(NAMED_UNIT(*) SI_UNIT($,.STERADIAN.) SOLID_ANGLE_UNIT())")
    accuracy = lines.add(f"UNCERTAINTY_MEASURE_WITH_UNIT(LENGTH_MEASURE(1.E-07),{length},'distance_accuracy_value','')")
    context = lines.add(
        f"(GEOMETRIC_REPRESENTATION_CONTEXT(3) GLOBAL_UNCERTAINTY_ASSIGNED_CONTEXT(({accuracy}))"
        f" GLOBAL_UNIT_ASSIGNED_CONTEXT(({length},{angle},{solid_angle})) REPRESENTATION_CONTEXT('',''))"
    )
    return lines.add(f"{kind}('',({','.join([placement(lines), *items])}),{context})")


def product(lines: StepLines, shape: str, name: str = "box") -> str:
    """The product's definition."""
    application = lines.add("APPLICATION_CONTEXT('configuration controlled 3d designs of mechanical parts')")
    product_context = lines.add(f"PRODUCT_CONTEXT('',{application},'mechanical')")
    item = lines.add(f"PRODUCT('{name}','{name}','',({product_context}))")
    formation = lines.add(f"PRODUCT_DEFINITION_FORMATION('','',{item})")
    definition_context = lines.add(f"PRODUCT_DEFINITION_CONTEXT('part definition',{application},'design')")
    definition = lines.add(f"PRODUCT_DEFINITION('design','',{formation},{definition_context})")
    definition_shape = lines.add(f"PRODUCT_DEFINITION_SHAPE('','',{definition})")
    lines.add(f"SHAPE_DEFINITION_REPRESENTATION({definition_shape},{shape})")
    return definition


def step_file(lines: StepLines) -> bytes:
    head = (
        "ISO-10303-21;\nHEADER;\nFILE_DESCRIPTION((''),'2;1');\n"
        "FILE_NAME('box','2026-03-02T16:20:11',(''),(''),'','','');\nFILE_SCHEMA(('CONFIG_CONTROL_DESIGN'));\nENDSEC;\nDATA;\n"
    )
    return (head + "\n".join(lines.lines) + "\nENDSEC;\nEND-ISO-10303-21;\n").encode("ascii")
