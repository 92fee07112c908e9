"""Our figures of the collection's models beside PrusaSlicer's (`--info`) and trimesh's. Prints Markdown.

    python bench/model_agreement.py        (inside .venv; needs ../shared/corpus and prusa-slicer)

Sizes within 0.02 mm or 0.1 %, volumes of closed models within 0.5 % agree; counts agree when they are the same.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import trimesh  # noqa: E402

from printsys.errors import FileRefused, ModelUnreadable  # noqa: E402
from printsys.models3d.inspect import ModelFacts, inspect  # noqa: E402

CORPUS = ROOT.parent / "shared" / "corpus"
FOLDERS = ("3mf-model", "obj", "stl", "reported")
MODELS = {".3mf", ".obj", ".stl"}
FIELDS = ("size", "volume", "triangles", "open edges", "closed")
Figures = dict[str, Any]
UNREAD = (
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    NotImplementedError,
    SyntaxError,
    StopIteration,
    BadZipFile,
)
"""What trimesh's readers raise for a file that they do not understand; lxml's errors are SyntaxErrors."""


def ours(path: Path) -> ModelFacts | None:
    try:
        facts = inspect(path)
    except (FileRefused, ModelUnreadable):
        return None
    return facts if facts.triangles and facts.finite else None


def figures_of(facts: ModelFacts) -> Figures:
    """Facets without area are none to other programs."""
    return {
        "size": sorted(facts.size_mm),
        "volume": facts.volume_cm3 if facts.watertight and not facts.turned_edges else None,
        "triangles": facts.triangles - facts.degenerate,
        "open edges": facts.open_edges,
        "closed": facts.watertight,
    }


def prusaslicer(path: Path) -> list[Figures] | None:
    """Of each of the file's objects; None where it opens none."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, f"model{path.suffix.lower()}")
        copy.write_bytes(path.read_bytes())
        command = ["prusa-slicer", "--info", str(copy)]
        text = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False).stdout
    return [_stated(part) for part in re.split(r"^\[.*\]$", text, flags=re.MULTILINE) if "size_x" in part] or None


def _stated(text: str) -> Figures:
    values = dict(re.findall(r"^(\w+) = +(\S+)$", text, re.MULTILINE))
    return {
        "size": sorted(float(values[f"size_{axis}"]) for axis in "xyz"),
        "volume": float(values["volume"]) / 1000,
        "triangles": int(values["number_of_facets"]),
        "open edges": int(values.get("open_edges", 0)),
        "closed": values["manifold"] == "yes",
    }


def by_trimesh(path: Path) -> Figures | None:
    """None where it cannot read the file, or finds no mesh in it."""
    try:
        mesh: Any = trimesh.load(path, force="mesh")
        sides = sorted(float(side) for side in mesh.extents)
    except UNREAD as error:
        print(f"trimesh: {path.name}: {type(error).__name__}", file=sys.stderr)
        return None
    mesh.merge_vertices()
    return {
        "size": sides,
        "volume": abs(float(mesh.volume)) / 1000,
        "triangles": int(mesh.nondegenerate_faces().sum()),
        "closed": bool(mesh.is_watertight),
    }


def compared(own: Figures, other: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    for field in FIELDS:
        if own[field] is None or field not in other or (field == "volume" and not other["closed"]):
            continue
        mine, theirs = own[field], other[field]
        if field == "size":
            pairs = zip(mine, theirs, strict=True)
            yield field, all(abs(a - b) <= max(0.02, 0.001 * abs(a)) for a, b in pairs)
        elif field == "volume":
            yield field, abs(mine - theirs) <= 0.005 * max(mine, theirs) + 1e-6
        else:
            yield field, mine == theirs


def main() -> None:
    agree = {program: {field: Counter[bool]() for field in FIELDS} for program in ("PrusaSlicer", "trimesh")}
    unread = Counter[str]()
    notes = []
    models = 0
    for path in sorted(path for folder in FOLDERS for path in (CORPUS / folder).iterdir()):
        facts = ours(path) if path.suffix.lower() in MODELS else None
        if facts is None:
            continue
        models += 1
        objects = prusaslicer(path)
        others = {"PrusaSlicer": objects[0] if objects and len(objects) == 1 else None, "trimesh": by_trimesh(path)}
        for program, other in others.items():
            if other is None:
                unread[program] += 1
                continue
            for field, is_same in compared(figures_of(facts), other):
                agree[program][field][is_same] += 1
                if not is_same:
                    notes.append(f"* {path.name}: {field} {figures_of(facts)[field]}, {program} {other[field]}")
    print(f"{models} models. Not read, or not as one object: {dict(unread)}\n")
    print(f"| agree / differ | {' | '.join(FIELDS)} |\n|---|{'---|' * len(FIELDS)}")
    for program, counts in agree.items():
        cells = (f"{counts[field][True]} / {counts[field][False]}" if counts[field] else "–" for field in FIELDS)
        print(f"| {program} | {' | '.join(cells)} |")
    print("\n" + "\n".join(notes))


if __name__ == "__main__":
    main()
