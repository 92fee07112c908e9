"""A page on which people turn a model: trimesh's three.js viewer, self-contained; it fetches nothing.

The page needs `script-src 'unsafe-inline'`, `style-src 'unsafe-inline'` and `connect-src data: blob:` (its loader
fetches a data: address), so it belongs in a sandboxed frame (`allow-scripts` alone).
"""

from __future__ import annotations

import html
import math
from pathlib import Path

import numpy as np
import trimesh
from trimesh.viewer.notebook import scene_to_html

from printsys.errors import ModelUnreadable
from printsys.models3d.mesh import Floats, Ints, Mesh, finite, load

MOST_TRIANGLES = 200_000
FINEST = 512
"""Cells along the longest side at the first try to simplify."""
COLOR = (104, 134, 164, 255)
TITLE = "<title>trimesh: threejs viewer</title>"


def page(path: Path) -> str:
    """HTML. FileRefused, ModelUnreadable or ModelTooHard for a file without anything to show."""
    mesh = load(path)
    if not len(mesh.faces) or not finite(mesh):
        raise ModelUnreadable(f"{path.name} has no surface that could be shown.")
    points, faces = simplified(mesh)
    return scene_to_html(_scene(points, faces)).replace(TITLE, f"<title>{html.escape(path.name)}</title>", 1)


def simplified(mesh: Mesh, most: int = MOST_TRIANGLES) -> tuple[Floats, Ints]:
    """At most `most` triangles: corners in the same cell of a grid become one, ever coarser until it is enough."""
    points, faces, cells = mesh.points, mesh.faces, FINEST
    while len(faces) > most:
        low = mesh.points.min(axis=0)
        step = float((mesh.points.max(axis=0) - low).max()) / cells or 1.0
        place = ((mesh.points - low) / step).astype(np.int64)
        key = (place[:, 0] * (cells + 1) + place[:, 1]) * (cells + 1) + place[:, 2]
        _, number, count = np.unique(key, return_inverse=True, return_counts=True)
        points = np.column_stack([np.bincount(number, mesh.points[:, axis]) / count for axis in range(3)])
        corners = np.sort(number[mesh.faces], axis=1)
        whole = (corners[:, 0] < corners[:, 1]) & (corners[:, 1] < corners[:, 2])
        faces = number[mesh.faces][whole]
        cells = cells * 2 // 3
    return points, faces


def _scene(points: Floats, faces: Ints) -> trimesh.Scene:
    """Centered, one unit large, from the thumbnail's angle, with both sides of the surface: a hole shows the inside.

    The viewer turns about y, prints stand along z.
    """
    low, high = points[faces].min(axis=(0, 1)), points[faces].max(axis=(0, 1))
    reach = float((high - low).max()) or 1.0
    x, y, z = ((points - (low + high) / 2) / reach).T
    mesh = trimesh.Trimesh(np.column_stack([x, z, -y]), faces, process=False)
    material = trimesh.visual.material.PBRMaterial(  # type: ignore[no-untyped-call]
        baseColorFactor=COLOR, metallicFactor=0.0, roughnessFactor=0.8, doubleSided=True
    )
    mesh.visual = trimesh.visual.TextureVisuals(material=material)  # type: ignore[no-untyped-call]
    scene = trimesh.Scene(mesh)
    scene.set_camera(angles=(math.radians(-28), math.radians(35), 0), distance=2.6, fov=(45, 45))
    return scene
