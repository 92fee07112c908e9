"""Islands (issue 14): where a print would begin in the air, and what is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh

from printsys.models3d import bounded, islands
from printsys.models3d.findings import findings
from printsys.models3d.inspect import ModelFacts, Place, inspect, measure
from printsys.models3d.islands import MOST_JUDGED
from printsys.models3d.mesh import Mesh
from printsys.models3d.samples import SAMPLES, sample
from tests.factories import LAB
from tests.models3d.test_thickness import Vector, box, joined
from tests.present import present


def facts_of(*bodies: trimesh.Trimesh, pieces: list[int] | None = None) -> ModelFacts:
    """`pieces`: the piece of each body; all one, if not given."""
    mesh = joined(*bodies)
    numbers = [
        np.full(len(body.faces), number) for body, number in zip(bodies, pieces or [0] * len(bodies), strict=True)
    ]
    return measure(Mesh("STL", np.asarray(mesh.vertices), np.asarray(mesh.faces), np.concatenate(numbers)))


def assert_island(*bodies: trimesh.Trimesh, depth: float, at: Vector, within: float = 0.1) -> None:
    """The deepest one."""
    island = present(facts_of(*bodies).island)
    assert island.mm == pytest.approx(depth) and island.at == pytest.approx(at, abs=within)


def union(*bodies: trimesh.Trimesh) -> trimesh.Trimesh:
    """One body."""
    mesh = trimesh.boolean.union(list(bodies), engine="manifold")
    assert isinstance(mesh, trimesh.Trimesh)
    return mesh


def difference(mesh: trimesh.Trimesh, *taken: trimesh.Trimesh) -> trimesh.Trimesh:
    rest = trimesh.boolean.difference([mesh, *taken], engine="manifold")
    assert isinstance(rest, trimesh.Trimesh)
    return rest


def slab(low: Vector, high: Vector) -> trimesh.Trimesh:
    mesh: trimesh.Trimesh = trimesh.creation.box(bounds=[low, high])
    return mesh


def ball(radius: float, middle: Vector) -> trimesh.Trimesh:
    mesh: trimesh.Trimesh = trimesh.creation.icosphere(3, radius)
    mesh.apply_translation(middle)
    return mesh


def drop(radius: float, length: float, top: Vector) -> trimesh.Trimesh:
    """A cone that hangs from `top`, its tip downwards."""
    mesh: trimesh.Trimesh = trimesh.creation.cone(radius, length)
    mesh.vertices = mesh.vertices * np.array([1, -1, -1]) + np.array(top)
    return mesh


def rod(radius: float, start: Vector, end: Vector) -> trimesh.Trimesh:
    mesh: trimesh.Trimesh = trimesh.creation.cylinder(radius, segment=[start, end])
    return mesh


LEGS = (slab((0, 0, 0), (10, 10, 30)), slab((50, 0, 0), (60, 10, 30)))
ROOF = slab((0, 0, 29), (60, 10, 35))
ARCH = union(*LEGS, ROOF)
PLATE = slab((0, 0, 0), (40, 40, 5))
GOOD = {
    "a box": [box((20, 20, 20))],
    "a ball": [ball(10, (0, 0, 10))],
    "a lying cylinder": [rod(5, (0, 0, 0), (30, 0, 0))],
    "a bridge": [ARCH],
    "a T": [union(slab((20, 0, 0), (30, 10, 30)), slab((0, 0, 30), (50, 10, 35)))],
    "a ramp in the air": [union(slab((0, 0, 0), (10, 10, 30)), drop(12, 20, (5, 5, 30)))],
    "a cup": [difference(rod(20, (0, 0, 0), (0, 0, 40)), rod(15, (0, 0, 10), (0, 0, 50)))],
    "a cavity": [difference(box((30, 30, 30)), box((10, 10, 10)))],
    "a round cavity": [difference(box((30, 30, 30)), ball(8, (0, 0, 0)))],
    "a bump of half a millimeter below a bridge": [union(ARCH, slab((28, 2, 28.5), (32, 8, 30)))],
    "a letter on a plate": [PLATE, slab((10, 10, 5), (12, 30, 7))],
    "a letter that reaches into its plate": [PLATE, slab((10, 10, 4.5), (12, 30, 7))],
    "a tile that overhangs its plate": [PLATE, slab((30, 10, 5), (70, 30, 7))],
    "a tile on a post in its middle": [slab((18, 18, 0), (22, 22, 5)), slab((0, 0, 5), (40, 40, 7))],
    "a wide plate on slim posts": [
        *(slab((x, y, 0), (x + 3, y + 3, 9.5)) for x in (4, 191) for y in (4, 191)),
        slab((0, 0, 9), (200, 200, 12)),
    ],
    "a plate between clips that reach below it": [
        *(slab((x, 80, 0), (x + 5, 90, 8)) for x in (-3, 198)),
        slab((0, 0, 2), (200, 200, 5)),
    ],
    "an arm against a side": [slab((0, 0, 0), (10, 10, 40)), slab((10, 2, 20), (20, 8, 26))],
    "a rod through a wall": [slab((0, 0, 0), (4, 30, 40)), rod(3, (-18, 15, 20), (22, 15, 20))],
    "a ball in a block": [box((30, 30, 30)), ball(5, (0, 0, 0))],
}


@pytest.mark.parametrize("name", sorted(GOOD))
def test_what_hangs_on_walls_or_stands_on_something_is_no_island(name: str) -> None:
    assert facts_of(*GOOD[name]).islands == 0


@pytest.mark.parametrize("name", SAMPLES)
def test_a_good_model_has_no_island(name: str, tmp_path: Path) -> None:
    """The phone stand has one, its bend: as it is drawn it touches the plate with the end of its leg alone."""
    path = tmp_path / "good.stl"
    path.write_bytes(sample(name, "stl"))
    assert inspect(path).islands == (1 if name == "phone_stand" else 0)


def test_a_drop_that_hangs_from_a_bridge_is_an_island_where_it_begins() -> None:
    assert_island(union(ARCH, drop(4, 15, (30, 5, 30))), depth=14, at=(30, 5, 15))


def test_a_level_island_is_marked_in_its_middle() -> None:
    hook = slab((20, 2, 10), (40, 8, 30))
    assert_island(union(ARCH, hook), depth=19, at=(30, 5, 10), within=3)


def test_a_leg_that_is_too_short_is_an_island() -> None:
    table = union(*LEGS, ROOF, slab((25, 0, 2), (35, 10, 30)))
    assert_island(table, depth=27, at=(30, 5, 2), within=5)


def test_a_drop_in_a_cavity_is_an_island() -> None:
    hollow = difference(box((20, 20, 20)), drop(4, 10, (0, 0, 10)))
    assert_island(difference(box((40, 40, 40)), hollow), depth=10, at=(0, 0, 0))


def test_a_body_in_the_air_is_an_island_as_high_as_it_is() -> None:
    assert_island(PLATE, slab((10, 10, 8), (20, 20, 18)), depth=10, at=(15, 15, 8), within=4)


def test_a_body_beside_another_that_does_not_touch_it_is_an_island() -> None:
    assert_island(slab((0, 0, 0), (10, 10, 40)), slab((10.3, 2, 20), (20, 8, 26)), depth=6, at=(15, 5, 20), within=5)


def test_each_piece_of_a_project_stands_on_the_plate_by_itself() -> None:
    bodies = (PLATE, slab((50, 0, 8), (60, 10, 18)))
    assert facts_of(*bodies, pieces=[0, 1]).islands == 0
    assert facts_of(*bodies).islands == 1


def test_islands_are_counted_and_the_deepest_is_shown() -> None:
    drops = [slab((15 + 10 * n, 2, 25 - 3 * n), (18 + 10 * n, 8, 30)) for n in range(3)]
    facts = facts_of(union(ARCH, *drops))
    assert facts.islands == 3 and present(facts.island).at == pytest.approx((36.5, 5, 19), abs=3)
    grid = [slab((3 * x, 3 * y, 9), (3 * x + 1, 3 * y + 1, 12)) for x in range(12) for y in range(12)]
    assert facts_of(PLATE, *grid).islands == MOST_JUDGED


def test_a_surface_inside_out_has_the_same_islands() -> None:
    mesh = union(ARCH, slab((20, 2, 10), (40, 8, 30)))
    mesh.invert()
    facts = facts_of(mesh)
    assert facts.inverted and facts.islands == 1


def test_an_open_surface_is_not_judged() -> None:
    mesh = joined(PLATE, slab((10, 10, 8), (20, 20, 18)))
    open_mesh = Mesh("STL", np.asarray(mesh.vertices), np.asarray(mesh.faces)[1:], np.zeros(23, int))
    assert measure(open_mesh).islands == 0


def test_a_surface_that_is_too_rough_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each valley would pass for a body of its own."""
    rough = union(ARCH, *(drop(2, 10 + n, (15 + 10 * n, 5, 30)) for n in range(3)))
    assert facts_of(rough).islands == 3
    monkeypatch.setattr(islands, "MOST_PASSES", 1)
    assert facts_of(rough).islands == 0


# -- what the student reads -----------------------------------------------------------------------------------------


def sentences(of: ModelFacts) -> list[str]:
    return [
        f"{finding.grade}: {finding.sentence}" for finding in findings(of, LAB.printers) if finding.code == "island"
    ]


def facts(islands: int, **others: object) -> ModelFacts:
    place = Place(mm=5, at=(1, 2, 3), on_picture=(0.25, 0.5))
    size = {"format": "OBJ", "triangles": 12, "size_mm": (50.0, 40.0, 30.0), "watertight": True, "bodies": 1}
    return ModelFacts.model_validate(size | {"islands": islands, "island": place} | others)


def test_the_finding_says_where_and_stops_nobody() -> None:
    near = "near x 1, y 2, z 3 mm"
    assert sentences(facts(1)) == [f"worth knowing: One part of it begins in the air, as the model stands ({near})."]
    assert "3 parts of it begin in the air, as the model stands (the largest near" in sentences(facts(3))[0]
    assert sentences(facts(MOST_JUDGED))[0].startswith(f"worth knowing: At least {MOST_JUDGED} parts of it begin")
    (finding,) = findings(facts(1), LAB.printers)
    assert finding.at == (0.25, 0.5)
    assert finding.advice == "We turn it or print supports under it; the surface is rougher there."
    advice = [f.advice for f in findings(facts(1, bodies=2), LAB.printers) if f.code == "island"]
    assert advice[0].endswith("A part that touches no other comes out loose.")


def test_nothing_is_said_of_a_model_in_a_suspected_unit() -> None:
    assert sentences(facts(1, size_mm=(2.0, 1.0, 1.0))) == []


def test_the_place_is_marked_on_the_picture(tmp_path: Path) -> None:
    path = tmp_path / "drop.stl"
    union(ARCH, drop(4, 15, (30, 5, 30))).export(path)
    island = present(bounded.examine(path).facts.island)
    across, down = present(island.on_picture)
    assert 0.3 < across < 0.7 and 0.3 < down < 0.8
