"""A hostile or broken file ends its own process and leaves one clear sentence."""

from __future__ import annotations

import io
import os
import struct
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import trimesh

from printsys.errors import FileRefused, ModelTooHard, ModelUnreadable
from printsys.models3d import bounded
from printsys.models3d.samples import sample
from tests.corpus import CorpusFile, each, files

CORE = 'xmlns="http://schemas.microsoft.com/3dmanufacturing/core/2015/02"'
TRIANGLE = '<vertices><vertex x="0" y="0" z="0"/><vertex x="9" y="0" z="0"/><vertex x="0" y="9" z="5"/></vertices>'
MESH = f'<mesh>{TRIANGLE}<triangles><triangle v1="0" v2="1" v3="2"/></triangles></mesh>'


def package(resources: str, build: str, head: str = "", unit: str = "millimeter") -> bytes:
    model = f'<?xml version="1.0"?>{head}<model unit="{unit}" {CORE}><resources>{resources}</resources>'
    relation = "http://schemas.microsoft.com/3dmanufacturing/2013/01/3dmodel"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr(
            "_rels/.rels", f'<Relationships><Relationship Type="{relation}" Target="/3D/m.model"/></Relationships>'
        )
        archive.writestr("3D/m.model", f"{model}<build>{build}</build></model>")
    return out.getvalue()


def component(number: int, *part_numbers: int) -> str:
    parts = "".join(f'<component objectid="{part_number}"/>' for part_number in part_numbers)
    return f'<object id="{number}"><components>{parts}</components></object>'


def item(number: int) -> str:
    return f'<item objectid="{number}"/>'


OBJECT = f'<object id="1">{MESH}</object>'
DEEP = OBJECT + "".join(component(n, n - 1) for n in range(2, 100))
DOUBLING = OBJECT + "".join(component(n, n - 1, n - 1) for n in range(2, 31))
ENTITIES = '<!DOCTYPE m [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;">]>'
CYCLE = OBJECT + component(2, 1, 3) + component(3, 2)
CORNERLESS = OBJECT.replace('v3="2"', 'v3="200"')
HALF = b"solid a\nfacet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 1 0 0\nendsolid\n"
BOX = sample("die", "stl")

HOSTILE: dict[str, tuple[str, bytes, type[Exception], str]] = {
    "empty": ("a.stl", b"", FileRefused, "is empty"),
    "a billion triangles promised": ("a.stl", bytes(80) + struct.pack("<I", 10**9) + bytes(500), FileRefused, "a.stl"),
    "cut short": ("a.stl", BOX[: len(BOX) // 2], FileRefused, "a.stl"),
    "a 3MF named STL": ("a.stl", package(OBJECT, item(1)), FileRefused, "3MF"),
    "an STL named 3MF": ("a.3mf", BOX, FileRefused, "not a 3MF"),
    "a zip bomb": ("a.3mf", package(OBJECT + " " * 30_000_000, item(1)), FileRefused, "unpacks to far more"),
    "entities": ("a.3mf", package(OBJECT, item(1), head=ENTITIES), FileRefused, "document type"),
    "a cycle of parts": ("a.3mf", package(CYCLE, item(3)), ModelUnreadable, "contains itself"),
    "parts nested too deep": ("a.3mf", package(DEEP, item(99)), ModelTooHard, "nests"),
    "parts that double": ("a.3mf", package(DOUBLING, item(30)), ModelTooHard, "absurdly often"),
    "a part that is missing": ("a.3mf", package(OBJECT, item(7)), ModelUnreadable, "not in it"),
    "a corner that is missing": ("a.3mf", package(CORNERLESS, item(1)), ModelUnreadable, "do not exist"),
    "no numbers": ("a.3mf", package(OBJECT.replace('x="9"', 'x="nine"'), item(1)), ModelUnreadable, "lacks numbers"),
    "no such unit": ("a.3mf", package(OBJECT, item(1), unit="parsec"), ModelUnreadable, "parsec"),
    "damaged XML": ("a.3mf", package(OBJECT + "<object", item(1)), ModelUnreadable, "damaged"),
    "words for numbers": ("a.obj", b"v 0 0 0\nv 1 0 zero\nv 0 1 0\nf 1 2 3\n", ModelUnreadable, "not numbers"),
    "a face far beyond": ("a.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9" + b"9" * 30, ModelUnreadable, "do not exist"),
    "a face without its corner": ("a.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n", ModelUnreadable, "do not exist"),
    "half a triangle": ("a.stl", HALF, ModelUnreadable, "cut short"),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_file_gets_one_sentence(case: str, tmp_path: Path) -> None:
    name, content, error, words = HOSTILE[case]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(error, match=words) as caught:
        bounded.inspect(path)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


@pytest.mark.needs("corpus")
@pytest.mark.parametrize("file", each(files("malformed")))
def test_a_malformed_file_is_examined_or_refused_but_breaks_nothing(file: CorpusFile) -> None:
    sentence = ""
    try:
        examination = bounded.examine(file.path)
        assert (examination.png is not None) == (examination.facts.triangles > 0)
    except (FileRefused, ModelUnreadable) as error:
        sentence = str(error)
    assert not sentence or file.path.name in sentence


def test_a_corner_that_is_no_number_is_a_fact_and_has_no_picture(tmp_path: Path) -> None:
    path = tmp_path / "nan.obj"
    path.write_bytes(b"v 0 0 0\nv nan 0 0\nv 0 1 0\nf 1 2 3\n")
    examination = bounded.examine(path)
    assert examination.png is None and not examination.facts.finite
    with pytest.raises(ModelUnreadable, match="not numbers"):
        bounded.draw(path)


@pytest.fixture
def heavy(tmp_path: Path) -> Path:
    path = tmp_path / "heavy.stl"
    trimesh.creation.icosphere(subdivisions=8).export(path)
    return path


def test_what_a_killed_process_unpacked_goes_with_it(
    heavy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    archive = tmp_path / "heavy.zip"
    with zipfile.ZipFile(archive, "w") as package:
        package.write(heavy, "heavy.stl")
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    unpacked: list[Path] = []

    def is_wanted() -> bool:
        unpacked.extend(scratch.rglob("model.stl"))
        return not unpacked

    with pytest.raises(bounded.Abandoned):
        bounded.run("inspect", archive, is_wanted=is_wanted)
    assert unpacked and not any(scratch.iterdir())


@pytest.mark.parametrize(
    ("limits", "words"), [(bounded.Limits(seconds=0.05), "took longer"), (bounded.Limits(megabytes=20), "of memory")]
)
def test_a_limit_ends_the_process_and_nothing_stays(
    heavy: Path, limits: bounded.Limits, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = {*tmp_path.iterdir()}
    with pytest.raises(ModelTooHard, match=words):
        bounded.inspect(heavy, limits)
    assert {*tmp_path.iterdir()} == before
    assert not [
        process for process in psutil.process_iter(["cmdline"]) if str(heavy) in (process.info["cmdline"] or ())
    ]


def test_a_crash_of_the_process_is_reported_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.stl"
    path.write_bytes(BOX)
    (tmp_path / "numpy.py").write_text("raise RuntimeError('no arithmetic today')", "utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ModelTooHard, match="ended unexpectedly") as caught:
        bounded.draw(path)
    assert "no arithmetic today" in caught.value.__notes__[0]


def test_a_file_that_is_gone_is_not_the_models_fault(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        bounded.inspect(tmp_path / "gone.stl")


@pytest.mark.parametrize("kind", ["stl", "obj", "3mf"])
def test_facts_and_picture_come_together(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"Gehäuse №1.{kind}"
    path.write_bytes(sample("gear", kind))
    examination = bounded.examine(path)
    assert examination.facts == bounded.inspect(path) and examination.facts.watertight
    assert examination.png == bounded.draw(path)


@pytest.mark.skipif(not hasattr(os, "getpriority"), reason="this system has priorities of another kind")
def test_the_process_gives_way_to_pages(heavy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    priorities: list[int] = []

    def memory(pid: int, measure: Callable[[int], int] = bounded._memory) -> int:
        priorities.append(psutil.Process(pid).nice())
        return measure(pid)

    monkeypatch.setattr(bounded, "_memory", memory)
    bounded.inspect(heavy)
    assert max(priorities) > psutil.Process().nice()
