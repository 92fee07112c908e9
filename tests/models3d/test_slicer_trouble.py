"""The real PrusaSlicer opens every model that we call printable, or the copy that we write of it.

FAULTS M4, M10, M12.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from printsys.errors import FileRefused, ModelTooHard, ModelUnreadable
from printsys.models3d import bounded
from printsys.models3d.findings import ModelFinding, blocks, findings
from printsys.models3d.inspect import ModelFacts, inspect
from tests.corpus import CORPUS
from tests.factories import STL as CUBE_TEXT
from tests.models3d.prusaslicer import SlicerInfo, info

FOLDERS = ("stl", "obj", "3mf-model", "malformed", "reported")
MODELS = sorted(
    path.relative_to(CORPUS).as_posix()
    for folder in FOLDERS
    for path in (CORPUS / folder).glob("*")
    if path.suffix.lower() in (".stl", ".obj", ".3mf")
)


def looked_at(path: Path) -> tuple[ModelFacts, list[ModelFinding]] | None:
    """None for a file that we refuse."""
    try:
        facts = inspect(path)
    except (FileRefused, ModelUnreadable, ModelTooHard):
        return None
    return facts, findings(facts, [])


@pytest.mark.needs("corpus")
@pytest.mark.needs("prusa-slicer")
@pytest.mark.parametrize("name", MODELS or ["no-corpus"])
def test_what_we_call_printable_opens_in_prusaslicer(name: str, tmp_path: Path) -> None:
    look = looked_at(CORPUS / name)
    if look is None or blocks(look[1]):
        return
    facts, sentences = look
    path = CORPUS / name
    if facts.is_converted:
        path = tmp_path / "converted.stl"
        bounded.convert(CORPUS / name, path)
    opened = info(path)
    if opened is None:
        codes = {finding.code for finding in sentences}
        assert codes & {"slicer-trouble", "holes"}, "it would be said to look printable"
        assert not any("send it as it is" in finding.advice for finding in sentences)
    elif b"Slic3r_PE_model.config" not in path.read_bytes():
        assert_is_as(opened, facts)


def assert_is_as(opened: SlicerInfo, facts: ModelFacts) -> None:
    if len(opened.sizes_mm) == 1:
        assert opened.sizes_mm[0] == pytest.approx(facts.size_mm, rel=1e-3, abs=2e-3)
    if facts.watertight and facts.volume_cm3:
        assert opened.volume_cm3 == pytest.approx(facts.volume_cm3, rel=1e-2)


BOX = """v 0 0 0
v 9 0 0
v 9 8 0
v 0 8 0
v 0 0 7
v 9 0 7
v 9 8 7
v 0 8 7
f 4 3 2 1
f 5 6 7 8
f 1 2 6 5
f 2 3 7 6
f 3 4 8 7
f 4 1 5 8
"""
WAYS = {
    "plain.stl": CUBE_TEXT,
    "crlf.stl": CUBE_TEXT.replace(b"\n", b"\r\n"),
    "cr.stl": CUBE_TEXT.replace(b"\n", b"\r"),
    "capitals.stl": CUBE_TEXT.upper(),
    "title.stl": CUBE_TEXT.replace(b"solid", b"Solid"),
    "capital_vertex.stl": CUBE_TEXT.replace(b"vertex", b"VERTEX"),
    "capital_loop.stl": CUBE_TEXT.replace(b"outer loop", b"Outer Loop"),
    "tabs.stl": CUBE_TEXT.replace(b" ", b"\t"),
    "bom.stl": b"\xef\xbb\xbf" + CUBE_TEXT,
    "comment.stl": CUBE_TEXT.replace(b"endfacet", b"endfacet ; next", 1),
    "short.stl": CUBE_TEXT.replace(b"endloop", b"", 1),
    "blank_lines.stl": CUBE_TEXT.replace(b"\n", b"\n\n"),
    "two_solids.stl": CUBE_TEXT + CUBE_TEXT,
    "exponents.stl": CUBE_TEXT.replace(b"0 ", b"0.0E+00 "),
    "plain.obj": BOX.encode(),
    "crlf.obj": BOX.replace("\n", "\r\n").encode(),
    "cr.obj": BOX.replace("\n", "\r").encode(),
    "continued.obj": BOX.replace("4 3 2 1", "4 3 \\\n2 1").encode(),
    "tabs.obj": BOX.replace(" ", "\t").encode(),
    "colors.obj": re.sub(r"^(v .*)$", r"\1 0.5 0.5 0.5", BOX, flags=re.MULTILINE).encode(),
    "weights.obj": re.sub(r"^(v .*)$", r"\1 1.0", BOX, flags=re.MULTILINE).encode(),
    "backwards.obj": re.sub(
        r"^f (.*)$", lambda match: "f " + " ".join(str(int(n) - 9) for n in match[1].split()), BOX, flags=re.MULTILINE
    ).encode(),
    "bom.obj": b"\xef\xbb\xbf" + BOX.encode(),
    "indented.obj": re.sub(r"^", "  ", BOX, flags=re.MULTILINE).encode(),
    "unended.obj": BOX.encode().rstrip(),
    "faces_first.obj": ("".join(sorted(BOX.splitlines(keepends=True)))).encode(),
    "half.obj": BOX.replace("f 5 6 7 8", "f 5 6 7\nf 5 7 8\nf 5 5").encode(),
    "comment.obj": BOX.replace("f 5 6 7 8", "f 5 6 7 8 # the top").encode(),
}
"""Ways to write the same model that programs have, or could have."""


@pytest.mark.needs("prusa-slicer")
@pytest.mark.parametrize("name", sorted(WAYS))
def test_every_way_to_write_a_model_opens_in_prusaslicer_or_is_written_anew(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(WAYS[name])
    look = looked_at(path)
    if look is None:
        return
    facts, _ = look
    opened = info(path)
    assert facts.is_converted or (opened is not None and opened.triangles == facts.triangles)
    if facts.is_converted:
        bounded.convert(path, tmp_path / "converted.stl")
        opened = info(tmp_path / "converted.stl")
    assert opened is not None and opened.triangles == facts.triangles
    assert_is_as(opened, facts)
