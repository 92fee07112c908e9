"""The meshes of a 3MF as they stand on the plate: box, volume and bodies, to be compared with another model.

3MF core specification 1.3 (chapters 3 and 4) and production extension 1.1 (`p:path`):
https://github.com/3MFConsortium. Row vectors: a point is multiplied by its 4 × 3 transform.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from printsys.safezip import Package, ZipRefused
from printsys.slicers import xmltext

Points = npt.NDArray[np.float64]
Faces = npt.NDArray[np.int64]

MM = {"micron": 0.001, "millimeter": 1.0, "centimeter": 10.0, "inch": 25.4, "foot": 304.8, "meter": 1000.0}
MOST_TRIANGLES = 3_000_000
MOST_PLACED = 12_000_000
MOST_INSTANCES = 2_000
DEEPEST = 12
MOST_BYTES = 1 << 30
TOO_MUCH = "It holds far more than a plate can."
DAMAGED = "Its mesh is damaged."
Key = tuple[str, str]


@dataclass
class Mesh:
    points: Points
    faces: Faces


@dataclass
class Item:
    """One thing on the plate: its key, and each mesh in it with where it stands."""

    key: Key
    meshes: list[tuple[Key, Points]]


@dataclass
class Model:
    meshes: dict[Key, Mesh] = field(default_factory=dict)
    components: dict[Key, list[tuple[Key, Points]]] = field(default_factory=dict)
    names: dict[Key, str] = field(default_factory=dict)
    unprintable: set[Key] = field(default_factory=set)
    build: list[tuple[Key, Points]] = field(default_factory=list)
    scale: float = 1.0

    def items(self) -> Iterator[Item]:
        """Meshes of support, or of an item that is not to be printed, are left out."""
        left = MOST_PLACED
        for key, matrix in self.build:
            meshes = [(mesh, at) for mesh, at in self._flat(key, matrix, DEEPEST) if mesh not in self.unprintable]
            left -= sum(len(self.meshes[mesh].faces) for mesh, _ in meshes)
            if left < 0 or len(meshes) > MOST_INSTANCES:
                raise ZipRefused(TOO_MUCH)
            yield Item(key, meshes)

    def _flat(self, key: Key, matrix: Points, depth: int) -> list[tuple[Key, Points]]:
        if key in self.meshes:
            return [(key, matrix)]
        if depth == 0:
            raise ZipRefused(TOO_MUCH)
        flat: list[tuple[Key, Points]] = []
        for part, at in self.components.get(key, []):
            flat += self._flat(part, at @ matrix, depth - 1)
            if len(flat) > MOST_INSTANCES:
                raise ZipRefused(TOO_MUCH)
        return flat


def load(package: Package, start: str, leave_out: Mapping[str, list[tuple[int, int]]]) -> Model:
    """`leave_out` names, by object id, triangles (first to last) that are no part of the thing: modifiers, blockers."""
    model = Model()
    todo, done = [start], set()
    left = MOST_TRIANGLES
    while todo:
        part = todo.pop()
        if part.casefold() in done:
            continue
        done.add(part.casefold())
        if package.size(part) > MOST_BYTES:
            raise ZipRefused(TOO_MUCH)
        with package.open(part) as source:
            reader = _Part(model, part, part == start, left, leave_out)
            xmltext.walk(source, reader.begin, reader.end)
            left = reader.left
        todo += [key[0] for parts in model.components.values() for key, _ in parts if key[0].casefold() not in done]
    return model


class _Part:
    """Adds one model part to the model, element by element. `left` is how many triangles may still come."""

    def __init__(
        self, model: Model, part: str, is_start: bool, left: int, leave_out: Mapping[str, list[tuple[int, int]]]
    ) -> None:
        self.model, self.part, self.is_start, self.left, self.leave_out = model, part, is_start, left, leave_out
        self._open({})

    def _open(self, attributes: Mapping[str, str]) -> None:
        self.about = attributes
        self.points, self.faces = array("d"), array("q")
        self.components: list[tuple[Key, Points]] = []

    def begin(self, name: str, get: dict[str, str]) -> None:
        if name == "vertex":
            self.points.extend((float(get["x"]), float(get["y"]), float(get["z"])))
        elif name == "triangle":
            self.faces.extend((int(get["v1"]), int(get["v2"]), int(get["v3"])))
            self.left -= 1
        elif name == "object":
            self._open(get)
        elif name == "component":
            self.components.append(_reference(get, self.part))
        elif name == "item" and self.is_start and get.get("printable") != "0":
            self.model.build.append(_reference(get, self.part))
        elif name == "model" and self.is_start:
            self.model.scale = MM.get(get.get("unit", "millimeter"), 1.0)
        if self.left < 0 or len(self.points) > 9 * MOST_TRIANGLES:
            raise ZipRefused(TOO_MUCH)

    def end(self, name: str) -> None:
        if name != "object":
            return
        key = (self.part, self.about.get("id", ""))
        self.model.names[key] = self.about.get("name", "")[:200]
        if self.about.get("type", "model") in ("support", "solidsupport", "surface", "other"):
            self.model.unprintable.add(key)
        if self.components or not self.faces:
            self.model.components[key] = self.components
        else:
            self.model.meshes[key] = _mesh(self.points, self.faces, self.leave_out.get(key[1], []))


def _mesh(points: array[float], faces: array[int], leave_out: list[tuple[int, int]]) -> Mesh:
    mesh = Mesh(np.array(points).reshape(-1, 3), np.array(faces, dtype=np.int64).reshape(-1, 3))
    if mesh.faces.max() >= len(mesh.points) or mesh.faces.min() < 0 or not np.isfinite(mesh.points).all():
        raise ZipRefused(DAMAGED)
    keep = np.ones(len(mesh.faces), dtype=bool)
    for first, last in leave_out:
        keep[first : last + 1] = False
    return Mesh(mesh.points, mesh.faces[keep])


def _reference(get: Mapping[str, str], part: str) -> tuple[Key, Points]:
    """`p:path`, whatever prefix the production extension has, names another part."""
    path = next((value for name, value in get.items() if name.endswith(":path")), part)
    return (path.lstrip("/"), get.get("objectid", "")), _matrix(get.get("transform"))


def _matrix(text: str | None) -> Points:
    matrix = np.identity(4)
    if text:
        figures = [float(figure) for figure in text.split()[:13]]
        if len(figures) != 12 or not np.isfinite(figures).all():
            raise ZipRefused(DAMAGED)
        matrix[:, :3] = np.array(figures).reshape(4, 3)
    return matrix


def placed(mesh: Mesh, matrix: Points, scale: float) -> Points:
    """The corners of its triangles in mm: (triangles, 3 corners, 3 axes)."""
    return ((mesh.points @ matrix[:3, :3] + matrix[3, :3]) * scale)[mesh.faces]


def volume_mm3(corners: Points) -> float:
    """By the divergence theorem, about the middle of the mesh so that far-off meshes keep their digits."""
    centred = corners - corners.reshape(-1, 3).mean(axis=0)
    return float(abs(np.einsum("ij,ij->i", centred[:, 0], np.cross(centred[:, 1], centred[:, 2])).sum()) / 6)


def bodies(mesh: Mesh) -> int:
    """Pieces that hang together; corners at the same place are the same, where a program wrote them apart."""
    count = _components(mesh.faces, len(mesh.points))
    if count <= 1:
        return count
    _, same = np.unique(mesh.points, axis=0, return_inverse=True)
    return _components(same.reshape(-1)[mesh.faces], len(mesh.points))


def _components(faces: Faces, count: int) -> int:
    """Each corner takes the lowest label of its triangles until nothing changes; labels are followed to their roots."""
    label = np.arange(count)
    while True:
        lowest = label[faces].min(axis=1)
        before = label.copy()
        for corner in range(3):
            np.minimum.at(label, label[faces[:, corner]], lowest)
            np.minimum.at(label, faces[:, corner], lowest)
        label = label[label]
        while not np.array_equal(label, label[label]):
            label = label[label]
        if np.array_equal(label, before):
            return len(np.unique(label[faces])) if len(faces) else 0
