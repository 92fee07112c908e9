"""What is measured means something: triangles agree about the outside first, and where they cannot nothing is said."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import pytest
import trimesh

from printsys.assessment.upload_check import Wishes, price_range
from printsys.config import ROOT, load_lab
from printsys.models3d.inspect import ModelFacts, measure
from printsys.models3d.mesh import Mesh
from printsys.models3d.orientation import turned


def facts_of(*parts: trimesh.Trimesh, drop: int = 0, turn: Sequence[int] = (), again: Sequence[int] = ()) -> ModelFacts:
    """Of one file with all `parts`: without its first `drop` triangles, with some turned over, some there twice."""
    whole: Any = trimesh.util.concatenate(list(parts))
    faces = np.array(whole.faces)[drop:]
    for number in turn:
        faces[number] = faces[number][::-1]
    faces = np.vstack([faces, faces[list(again)]])
    return measure(Mesh("test", np.array(whole.vertices), faces, np.zeros(len(faces), np.int32)))


def box(side: float = 20, at: float = 0, inwards: bool = False) -> trimesh.Trimesh:
    cube: trimesh.Trimesh = trimesh.creation.box((side, side, side))
    cube.apply_translation((at, at, at))
    if inwards:
        cube.invert()
    return cube


def ball(radius: float = 10, subdivisions: int = 3) -> trimesh.Trimesh:
    sphere: trimesh.Trimesh = trimesh.creation.icosphere(subdivisions=subdivisions, radius=radius)
    return sphere


@pytest.mark.parametrize("seed", range(5))
def test_mixed_triangles_have_the_volume_of_the_body_that_they_close(seed: int) -> None:
    """FAULTS M2: a cube of 20 mm with some of its triangles turned over was 2.667 cm³, and priced so."""
    sphere = ball()
    count = len(sphere.faces)
    facts = facts_of(sphere, turn=np.random.default_rng(seed).choice(count, count // 3, replace=False).tolist())
    assert facts.turned_edges > 0 and facts.watertight
    assert facts.volume_cm3 == pytest.approx(sphere.volume / 1000, rel=1e-6)


def test_a_body_inside_out_among_others_takes_nothing_away() -> None:
    facts = facts_of(box(20), box(20, at=50, inwards=True))
    assert (facts.volume_cm3, facts.bodies) == (16.0, 2)


def test_a_cavity_is_no_body_and_takes_its_volume_away() -> None:
    """FAULTS M10."""
    facts = facts_of(box(20), box(10, inwards=True))
    assert (facts.volume_cm3, facts.bodies, facts.inverted) == (7.0, 1, False)
    assert facts_of(box(20), box(10)).bodies == 2, "this one faces outwards: two bodies, one in the other"


def test_a_facet_that_is_there_twice_is_no_hole() -> None:
    """FAULTS M10."""
    facts = facts_of(box(20), again=[3, 3, 7])
    assert (facts.volume_cm3, facts.watertight, facts.turned_edges) == (8.0, True, 0)


def test_of_small_holes_the_volume_hardly_depends() -> None:
    sphere = ball(subdivisions=4)
    facts = facts_of(sphere, drop=1)
    assert facts.open_edges == 3 and facts.volume_cm3 == pytest.approx(sphere.volume / 1000, rel=0.02)


@pytest.mark.parametrize("drop", [1, 2, 6])
def test_where_half_a_side_is_missing_there_is_no_volume(drop: int) -> None:
    """FAULTS M2: no price is guessed from it, and nothing compared with it."""
    assert facts_of(box(20), drop=drop).volume_cm3 == 0


@pytest.mark.parametrize("shape", [box(20), trimesh.creation.cylinder(10, 40)], ids=["box", "tube"])
def test_open_at_both_ends_there_is_no_volume(shape: trimesh.Trimesh) -> None:
    """Whatever closes one end weighs as much as what closes the other, the other way."""
    walls: Any = shape.copy()
    walls.update_faces(np.abs(walls.face_normals[:, 2]) < 0.5)
    assert facts_of(walls).open_edges > 0
    assert facts_of(walls).volume_cm3 == 0


def test_cracks_between_triangles_that_do_not_meet_cost_no_volume() -> None:
    """A side with one corner more on the edge than its neighbor has there."""
    whole: Any = box(20)
    a, b, c = whole.faces[0]
    middle = len(whole.vertices)
    points = np.vstack([whole.vertices, (whole.vertices[a] + whole.vertices[b]) / 2])
    cracked = trimesh.Trimesh(points, np.vstack([whole.faces[1:], [(a, middle, c), (middle, b, c)]]), process=False)
    assert facts_of(cracked).open_edges == 3
    assert facts_of(cracked).volume_cm3 == 8.0


def test_holes_and_mixed_triangles_together_have_no_volume() -> None:
    assert facts_of(ball(subdivisions=4), drop=1, turn=[100]).volume_cm3 == 0


def test_a_surface_with_one_side_cannot_be_made_to_agree() -> None:
    """A Möbius strip of ten pieces."""
    faces = []
    for piece in range(10):
        a, b, c, d = 2 * piece, 2 * piece + 1, 2 * piece + 2, 2 * piece + 3
        if piece == 9:
            c, d = 1, 0
        faces += [(a, b, c), (b, d, c)]
    assert turned(np.array(faces))[2] is False


def test_turning_is_right_for_every_shell() -> None:
    two: Any = trimesh.util.concatenate([ball(), box(20, at=100)])
    faces = np.array(two.faces)
    rng = np.random.default_rng(7)
    flipped = rng.random(len(faces)) < 0.5
    faces[flipped] = faces[flipped][:, ::-1]
    welded = np.array(two.faces)
    welded[flipped] = welded[flipped][:, ::-1]
    flip, shell, agree = turned(welded)
    assert agree and len(np.unique(shell)) == 2
    for number in np.unique(shell):
        of_shell = shell == number
        assert len({bool(f ^ g) for f, g in zip(flip[of_shell], flipped[of_shell], strict=True)}) == 1


def test_no_price_is_guessed_without_a_volume() -> None:
    lab = load_lab(ROOT / "lab.toml")
    prices, wishes = lab.price_list_on(date(2026, 3, 2)), Wishes(lab.methods[0].name)
    assert price_range(facts_of(box(20), drop=1), lab.methods[0], prices, wishes) is None
    assert price_range(facts_of(box(20)), lab.methods[0], prices, wishes) is not None
