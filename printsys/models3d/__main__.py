"""`python -m printsys.models3d inspect|thumbnail|examine|viewer|convert FILE [COLOR|TARGET]`: one task of bounded.py.

Its answer is JSON."""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from printsys.errors import FileRefused, ModelTooHard, ModelUnreadable

Answer = dict[str, Any]
PIXELS = 512


def inspect(path: Path) -> Answer:
    from printsys.models3d.inspect import inspect

    return {"facts": inspect(path).model_dump(mode="json")}


def thumbnail(path: Path, color: str = "") -> Answer:
    from printsys.models3d.thumbnail import draw

    return {"png": base64.b64encode(draw(path, color=color)).decode()}


def examine(path: Path, color: str = "", *volumes: str) -> Answer:
    """Facts and, where there is anything to draw, a picture, from one reading of the file. `volumes`: `250x210x220`."""
    from printsys.models3d.inspect import on_picture, study_mesh
    from printsys.models3d.mesh import load
    from printsys.models3d.thumbnail import Scene

    mesh = load(path)
    facts, open_edges = study_mesh(mesh, [_box(volume) for volume in volumes])
    png = None
    if facts.triangles and facts.finite:
        scene = Scene(mesh.triangles)
        png = base64.b64encode(scene.png(PIXELS, color, open_edges)).decode()
        facts = on_picture(facts, scene.places)
    return {"facts": facts.model_dump(mode="json"), "png": png}


def _box(text: str) -> tuple[float, float, float]:
    width, depth, height = map(float, text.split("x"))
    return width, depth, height


def viewer(path: Path) -> Answer:
    from printsys.models3d.viewer import page

    return {"html": page(path)}


def convert(path: Path, target: str) -> Answer:
    """Writes the model to `target` as binary STL."""
    from printsys.models3d.mesh import load
    from printsys.models3d.stl import write

    write(load(path), Path(target))
    return {}


TASKS: dict[str, Callable[..., Answer]] = {
    task.__name__: task for task in (inspect, thumbnail, examine, viewer, convert)
}


def main(task: str, name: str, *arguments: str) -> Answer:
    try:
        return TASKS[task](Path(name), *arguments)
    except (FileRefused, ModelUnreadable, ModelTooHard) as error:
        return {"error": type(error).__name__, "sentence": str(error)}
    except MemoryError:
        return {"error": "ModelTooHard", "sentence": f"{Path(name).name} needs too much memory. Please simplify it."}


if __name__ == "__main__":
    if hasattr(os, "nice"):
        os.nice(10)  # pages and uploads come first; on Windows the parent sets the priority
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no answer
    with answers:
        answers.write(json.dumps(main(*sys.argv[1:])))
