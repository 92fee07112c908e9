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
PATH = "{http://schemas.microsoft.com/3dmanufacturing/production/2015/06}path"
TOO_MUCH = "It holds far more than a plate can."
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
        left -= _part(package, part, part == start, model, left, leave_out)
        todo += [key[0] for parts in model.components.values() for key, _ in parts if key[0].casefold() not in done]
    return model


def _part(
    package: Package, part: str, is_start: bool, model: Model, left: int, leave_out: Mapping[str, list[tuple[int, int]]]
) -> int:
    """Adds one model part; the number of its triangles."""
    points, faces, came = array("d"), array("q"), 0
    components: list[tuple[Key, Points]] = []
    if package.size(part) > MOST_BYTES:
        raise ZipRefused(TOO_MUCH)
    with package.open(part) as source:
        for element in xmltext.stream(source, ("vertex", "triangle", "component", "object", "item", "model")):
            name = xmltext.local(element)
            if name == "vertex":
                points.extend((_float(element, "x"), _float(element, "y"), _float(element, "z")))
            elif name == "triangle":
                faces.extend((_int(element, "v1"), _int(element, "v2"), _int(element, "v3")))
                came += 1
            elif name == "component":
                components.append(_reference(element, part))
            elif name == "object":
                _object(model, element, (part, element.get("id", "")), points, faces, components, leave_out)
                points, faces, components = array("d"), array("q"), []
            elif name == "item" and is_start and element.get("printable") != "0":
                model.build.append(_reference(element, part))
            elif name == "model" and is_start:
                model.scale = MM.get(element.get("unit", "millimeter"), 1.0)
            if came > left or len(points) > 9 * MOST_TRIANGLES:
                raise ZipRefused(TOO_MUCH)
    return came


def _object(
    model: Model,
    element: object,
    key: Key,
    points: array[float],
    faces: array[int],
    components: list[tuple[Key, Points]],
    leave_out: Mapping[str, list[tuple[int, int]]],
) -> None:
    get = element.get  # type: ignore[attr-defined]
    model.names[key] = str(get("name", ""))[:200]
    if get("type", "model") in ("support", "solidsupport", "surface", "other"):
        model.unprintable.add(key)
    if components or not faces:
        model.components[key] = components
        return
    mesh = Mesh(np.array(points).reshape(-1, 3), np.array(faces, dtype=np.int64).reshape(-1, 3))
    if mesh.faces.max() >= len(mesh.points) or mesh.faces.min() < 0 or not np.isfinite(mesh.points).all():
        raise ZipRefused("Its mesh is damaged.")
    keep = np.ones(len(mesh.faces), dtype=bool)
    for first, last in leave_out.get(key[1], []):
        keep[first : last + 1] = False
    model.meshes[key] = Mesh(mesh.points, mesh.faces[keep])


def _reference(element: object, part: str) -> tuple[Key, Points]:
    get = element.get  # type: ignore[attr-defined]
    return (str(get(PATH) or part).lstrip("/"), str(get("objectid", ""))), _matrix(get("transform"))


def _matrix(text: str | None) -> Points:
    matrix = np.identity(4)
    if text:
        figures = [float(figure) for figure in text.split()[:13]]
        if len(figures) != 12 or not np.isfinite(figures).all():
            raise ZipRefused("Its mesh is damaged.")
        matrix[:, :3] = np.array(figures).reshape(4, 3)
    return matrix


def _float(element: object, name: str) -> float:
    return float(element.get(name, "nan"))  # type: ignore[attr-defined]


def _int(element: object, name: str) -> int:
    value = int(element.get(name, "-1"))  # type: ignore[attr-defined]
    return value if abs(value) < 1 << 40 else -1


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
