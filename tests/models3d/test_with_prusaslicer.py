"""The guess at the weight and the comparison, against the real PrusaSlicer."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import trimesh

from printsys.models3d.compare import compare
from printsys.models3d.estimate import weight_range_g
from printsys.models3d.inspect import inspect
from printsys.models3d.samples import SAMPLES, sample

pytestmark = pytest.mark.needs("prusa-slicer")
PLA = 1.24


def prusaslicer(*arguments: str) -> None:
    done = subprocess.run(["prusa-slicer", *arguments], capture_output=True, encoding="utf-8", timeout=300, check=False)
    assert done.returncode == 0, done.stderr


def saved(folder: Path, name: str) -> Path:
    path = folder / f"{name}.stl"
    path.write_bytes(sample(name, "stl"))
    return path


@pytest.mark.parametrize("name", SAMPLES)
def test_the_sliced_weight_lies_in_the_guessed_range(name: str, tmp_path: Path) -> None:
    model, gcode = saved(tmp_path, name), tmp_path / "out.gcode"
    prusaslicer("-g", "--filament-density", str(PLA), str(model), "-o", str(gcode))
    stated = re.search(r"filament used \[g\] = ([\d.]+)", gcode.read_text("utf-8"))
    facts = inspect(model)
    low, high = weight_range_g(facts.volume_cm3, facts.area_cm2, PLA)
    assert stated and low <= float(stated.group(1)) <= high


def test_a_tube_that_is_open_at_both_ends_is_printed_full(tmp_path: Path) -> None:
    """So nobody is told to send one as it is."""
    full = trimesh.creation.cylinder(radius=10, height=20, sections=64)
    tube = full.submesh([abs(full.face_normals[:, 2]) < 0.5], append=True)
    used_mm = []
    for name, mesh in (("full", full), ("tube", tube)):
        (tmp_path / f"{name}.stl").write_bytes(mesh.export(file_type="stl"))
        prusaslicer("-g", str(tmp_path / f"{name}.stl"), "-o", str(tmp_path / f"{name}.gcode"))
        stated = re.search(r"filament used \[mm\] = ([\d.]+)", (tmp_path / f"{name}.gcode").read_text("utf-8"))
        assert stated
        used_mm.append(float(stated.group(1)))
    assert used_mm[1] == pytest.approx(used_mm[0], rel=0.01)
    facts = inspect(tmp_path / "tube.stl")
    assert facts.open_edges
    assert facts.volume_cm3 == 0


@pytest.mark.parametrize(
    ("options", "differences"),
    [
        ((), []),
        (("--scale", "50%"), ["scaled to 50 % of the student's model (34 × 34 × 6 mm instead of 67.9 × 67.9 × 12 mm)"]),
        (("--duplicate", "3"), ["It holds 3 copies of the model."]),
        (("--rotate-x", "90"), ["turned on another side"]),
        (("--rotate-y", "30"), ["turned at an angle"]),
    ],
)
def test_a_project_it_writes_is_compared(options: tuple[str, ...], differences: list[str], tmp_path: Path) -> None:
    model, project = saved(tmp_path, "bracelet"), tmp_path / "out.3mf"
    prusaslicer("--export-3mf", *options, str(model), "-o", str(project))
    sentences = compare(inspect(model), inspect(project))
    assert len(sentences) == len(differences), sentences
    assert all(words in sentence for words, sentence in zip(differences, sentences, strict=True)), sentences
