"""Damage in any place of a file ends in facts or in one of three errors, never in another."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from printsys.errors import FileRefused, ModelTooHard, ModelUnreadable
from printsys.models3d.findings import findings
from printsys.models3d.inspect import ModelFacts, measure
from printsys.models3d.mesh import load
from printsys.models3d.samples import sample
from printsys.models3d.thumbnail import render
from tests.models3d.test_polygons import WRITTEN, L, prism

PIECES = st.binary(min_size=1, max_size=12) | st.sampled_from(
    [
        b"nan",
        b"3e38",
        b"-1",
        b"1e400",
        b"99999999999999999999",
        b"f 1 1 1\n",
        b"f\n",
        b"v\n",
        b"<",
        b'"',
        b"\0",
        b"\xff\xfe",
    ]
)
DAMAGE = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 30), PIECES), min_size=1, max_size=4)


def damaged(content: bytes, damage: list[tuple[float, int, bytes]]) -> bytes:
    for place, drop, piece in damage:
        at = int(place * len(content))
        content = content[:at] + piece + content[at + drop :]
    return content


def repacked(package: bytes, damage: list[tuple[float, int, bytes]]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(package)) as before, zipfile.ZipFile(out, "w") as after:
        for part in before.namelist():
            content = before.read(part)
            after.writestr(part, damaged(content, damage) if part.endswith(".model") else content)
    return out.getvalue()


def examine(path: Path) -> None:
    try:
        mesh = load(path)
    except (FileRefused, ModelUnreadable, ModelTooHard):
        return
    facts = measure(mesh)
    assert ModelFacts.model_validate_json(facts.model_dump_json()) == facts
    findings(facts, [])
    if facts.triangles and facts.finite:
        render(mesh.triangles, 32)


@pytest.mark.parametrize("kind", ["stl", "obj", "3mf"])
@settings(max_examples=40)
@given(damage=DAMAGE)
def test_damage_breaks_nothing(
    kind: str, damage: list[tuple[float, int, bytes]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole = sample("die" if kind == "stl" else "name_plate", kind)
    path = tmp_path_factory.getbasetemp() / f"damaged.{kind}"
    path.write_bytes(repacked(whole, damage) if kind == "3mf" else damaged(whole, damage))
    examine(path)


@settings(max_examples=40)
@given(damage=DAMAGE)
def test_damage_to_a_text_stl_breaks_nothing(
    damage: list[tuple[float, int, bytes]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    facet = b"facet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 1.5 0 -2e3\nvertex 0 1 0\nendloop\nendfacet\n"
    path = tmp_path_factory.getbasetemp() / "damaged-text.stl"
    path.write_bytes(damaged(b"solid a\n" + facet * 20 + b"endsolid a\n", damage))
    examine(path)


@pytest.mark.parametrize("name", ["a.off", "big.ply", "little.ply", "text.ply"])
@settings(max_examples=40)
@given(damage=DAMAGE)
def test_damage_to_polygons_breaks_nothing(
    name: str, damage: list[tuple[float, int, bytes]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / f"damaged-{name}"
    path.write_bytes(damaged(WRITTEN[name](*prism(L)), damage))
    examine(path)
