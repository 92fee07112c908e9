"""3MF: objects, components, build items, and parts of the production extension, as Prusa's and Bambu's programs write.

Sources: 3MF core specification 1.3 (chapters 3 and 4) and production extension 1.1 (`p:path`). Read as a stream by
expat, which expands no entity of ours: a document type is refused.
Modifiers and blockers of slicers' projects are meshes, too: their own files say which, and they are left out.
"""

from __future__ import annotations

import posixpath
import xml.parsers.expat as expat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt

from printsys.errors import PrintSysError
from printsys.formats.safezip import Package

MAX_TRIANGLES = 20_000_000
MAX_DEPTH = 32
MAX_VISITS = 20_000
"""Of objects, each as often as it is used."""
REPEATED = "repeats its parts absurdly often"
MAX_CONFIG = 8 << 20
MM_PER_UNIT = {
    "micron": 0.001,
    "millimeter": 1.0,
    "centimeter": 10.0,
    "inch": 25.4,
    "foot": 304.8,
    "meter": 1000.0,
}
"""3MF core specification 1.3, chapter 3.4, ST_Unit."""
CORE = (
    "http://schemas.microsoft.com/3dmanufacturing/core/2015/02 ",
    "http://schemas.microsoft.com/3dmanufacturing/2013/01 ",
)
"""The slice and beam extensions have a `vertex` of their own, in namespaces of their own."""
MODEL_RELATION = "/3dmodel"
PRODUCTION = "http://schemas.microsoft.com/3dmanufacturing/production/2015/06 path"
PRINTED_TYPES = ("model", "surface", "solidsupport")
PRUSA_VOLUMES = "Metadata/Slic3r_PE_model.config"
BAMBU_PARTS = "Metadata/model_settings.config"

Matrix = npt.NDArray[np.float64]
Points = npt.NDArray[np.float64]
Faces = npt.NDArray[np.int64]
Key = tuple[str, str]
"""The part of the package, in lower case, and the object's id in it."""
Attributes = Mapping[str, str]


class ThreeMfRefused(PrintSysError):
    """What is wrong, as the rest of a sentence that begins with the file's name: `has a part that contains itself`."""


class ThreeMfTooMuch(ThreeMfRefused):
    """It may be a model, but one beyond all bounds."""


@dataclass(frozen=True)
class Use:
    """An object set somewhere: a component of another, or an item of what is to be built."""

    key: Key
    matrix: Matrix


@dataclass
class Solid:
    name: str = ""
    points: Points = field(default_factory=lambda: np.zeros((0, 3)))
    faces: Faces = field(default_factory=lambda: np.zeros((0, 3), np.int64))
    components: list[Use] = field(default_factory=list)
    printed: bool = True


@dataclass
class Model:
    """`items` are in `unit`; modifiers, blockers and supports are left out of them."""

    unit: str = "millimeter"
    objects: dict[Key, Solid] = field(default_factory=dict)
    items: list[Use] = field(default_factory=list)

    @property
    def mm_per_unit(self) -> float:
        return MM_PER_UNIT[self.unit]

    def placed(self, most_triangles: int = MAX_TRIANGLES) -> Iterator[tuple[int, Points, Faces]]:
        """Number of the item, points (in `unit`) and faces, of each mesh as it is to be built. ThreeMfRefused."""
        triangles, visits = 0, count()
        for number, item in enumerate(self.items):
            for solid, matrix in self._leaves(item, (), visits):
                triangles += len(solid.faces)
                if triangles > most_triangles:
                    raise ThreeMfTooMuch(REPEATED)
                mirrored = np.linalg.det(matrix[:3]) < 0
                yield number, solid.points @ matrix[:3] + matrix[3], solid.faces[:, ::-1] if mirrored else solid.faces

    def _leaves(self, use: Use, above: tuple[Key, ...], visits: Iterator[int]) -> Iterator[tuple[Solid, Matrix]]:
        if next(visits) > MAX_VISITS:
            raise ThreeMfTooMuch(REPEATED)
        if use.key in above:
            raise ThreeMfRefused("has a part that contains itself")
        if len(above) > MAX_DEPTH:
            raise ThreeMfTooMuch(f"nests its parts more than {MAX_DEPTH} deep")
        solid = self.objects.get(use.key)
        if solid is None:
            raise ThreeMfRefused("refers to a part that is not in it")
        if len(solid.faces) and solid.printed:
            yield solid, use.matrix
        for component in solid.components:
            yield from self._leaves(Use(component.key, _after(component.matrix, use.matrix)), (*above, use.key), visits)


def read(package: Package, most_triangles: int = MAX_TRIANGLES) -> Model:
    """ThreeMfRefused; ZipRefused where the package is damaged."""
    return _ThreeMfReader(package, most_triangles).read()


def _after(inner: Matrix, outer: Matrix) -> Matrix:
    """Rows of 4 × 3, points as rows: first `inner`, then `outer`."""
    turned = inner @ outer[:3]
    turned[3] += outer[3]
    return turned


class _ThreeMfReader:
    def __init__(self, package: Package, most_triangles: int) -> None:
        self.package, self.left = package, most_triangles
        self.model = Model()
        self.read_parts: set[str] = set()

    def read(self) -> Model:
        start = self._start()
        self._part(start, is_start=True)
        waiting = self._needed()
        while waiting:
            for part in waiting:
                self._part(part)
            waiting = self._needed()
        self._leave_out(start)
        return self.model

    def _needed(self) -> list[str]:
        """Parts that are referred to and not read yet."""
        uses = [*self.model.items, *(use for solid in self.model.objects.values() for use in solid.components)]
        return sorted({use.key[0] for use in uses} - self.read_parts)

    def _start(self) -> str:
        """The model that `_rels/.rels` names, else the first part that ends as one does."""
        found: list[str] = []

        def relation(tag: str, attributes: Attributes) -> None:
            if tag.endswith("Relationship") and attributes.get("Type", "").endswith(MODEL_RELATION):
                found.append(_part_name("", attributes.get("Target", "")))

        if "_rels/.rels" in self.package:
            self._parse("_rels/.rels", relation)
        models = sorted(name.casefold() for name in self.package.names if name.casefold().endswith(".model"))
        start = next((part for part in [*found, *models] if part in self.package), None)
        if start is None:
            raise ThreeMfRefused("refers to a part that is not in it")
        return start

    def _part(self, part: str, is_start: bool = False) -> None:
        if part not in self.package:
            raise ThreeMfRefused("refers to a part that is not in it")
        self.read_parts.add(part)
        handler = _ModelPart(part, self.model, is_start, self.left)
        self._parse(part, handler.begin, handler.end)
        self.left = handler.left

    def _parse(
        self, part: str, begin: Callable[[str, Attributes], None], end: Callable[[str], None] | None = None
    ) -> None:
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.StartElementHandler = begin
        parser.EndElementHandler = end
        parser.StartDoctypeDeclHandler = _refuse_doctype
        with self.package.open(part) as stream:
            try:
                parser.ParseFile(stream)
            except expat.ExpatError as error:
                raise ThreeMfRefused("holds XML that is damaged") from error
            except (KeyError, ValueError, OverflowError) as error:
                raise ThreeMfRefused("lacks numbers where it needs them, or has others") from error

    # -- what slicers tell beside the model -------------------------------------------------------------------------

    def _leave_out(self, start: str) -> None:
        """Modifiers, blockers and negative volumes print nothing. Where that cannot be read, they count as bodies."""
        prusa, bambu = _PrusaVolumes(), _BambuParts()
        for name, handler in ((PRUSA_VOLUMES, prusa), (BAMBU_PARTS, bambu)):
            if name in self.package and self.package.size(name) <= MAX_CONFIG:
                try:
                    self._parse(name, handler.begin)
                except ThreeMfRefused:
                    return
        for key, solid in self.model.objects.items():
            solid.printed = solid.printed and key[1] not in bambu.left_out
            if key[0] == start and len(solid.faces) and (ranges := prusa.left_out.get(key[1])):
                _cut(solid, ranges)


def _refuse_doctype(*_: object) -> None:
    raise ThreeMfRefused("holds XML that we do not open (a document type)")


def _part_name(base: str, target: str) -> str:
    return posixpath.normpath(posixpath.join("/", base, unquote(target))).lstrip("/").casefold()


def _cut(solid: Solid, ranges: list[tuple[int, int]]) -> None:
    """Take these triangles out, and the corners that no other has."""
    keep = np.ones(len(solid.faces), dtype=bool)
    for first, last in ranges:
        keep[max(0, first) : last + 1] = False
    used, faces = np.unique(solid.faces[keep], return_inverse=True)
    solid.points, solid.faces = solid.points[used], faces.reshape(-1, 3)


class _ModelPart:
    """One XML part. Only the part that the package starts with says what is built and in which unit."""

    def __init__(self, part: str, model: Model, is_start: bool, left: int) -> None:
        self.part, self.model, self.is_start, self.left = part, model, is_start, left
        self.solid: Solid | None = None
        self.points: list[float] = []
        self.corners: list[int] = []

    def begin(self, tag: str, attributes: Attributes) -> None:
        if not tag.startswith(CORE):
            return
        tag = tag.rpartition(" ")[2]
        if tag == "vertex":
            self.points += float(attributes["x"]), float(attributes["y"]), float(attributes["z"])
        elif tag == "triangle":
            self.corners += int(attributes["v1"]), int(attributes["v2"]), int(attributes["v3"])
            self._count()
        elif tag == "component" and self.solid is not None:
            self.solid.components.append(self._use(attributes))
        elif tag == "object":
            printed = attributes.get("type", "model") in PRINTED_TYPES
            self.solid = Solid(name=attributes.get("name", "")[:200], printed=printed)
            self.model.objects[(self.part, attributes["id"])] = self.solid
        elif tag == "item" and self.is_start and attributes.get("printable") != "0":
            self.model.items.append(self._use(attributes))
        elif tag == "model" and self.is_start:
            self._unit(attributes.get("unit", "millimeter"))

    def end(self, tag: str) -> None:
        if tag.startswith(CORE) and tag.endswith(" mesh") and self.solid is not None:
            points = self.solid.points = np.array(self.points, np.float64).reshape(-1, 3)
            faces = self.solid.faces = np.array(self.corners, np.int64).reshape(-1, 3)
            self.points, self.corners = [], []
            if len(faces) and not 0 <= faces.min() <= faces.max() < len(points):
                raise ThreeMfRefused("has triangles whose corners do not exist")

    def _count(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise ThreeMfTooMuch("has far more triangles than any printer shows")

    def _use(self, attributes: Attributes) -> Use:
        target = attributes.get(PRODUCTION)
        part = self.part if target is None else _part_name(posixpath.dirname(self.part), target)
        return Use((part, attributes["objectid"]), _matrix(attributes.get("transform")))

    def _unit(self, unit: str) -> None:
        if unit not in MM_PER_UNIT:
            raise ThreeMfRefused(f"is measured in “{unit[:20]}”, which is no unit of 3MF")
        self.model.unit = unit


def _matrix(text: str | None) -> Matrix:
    """Twelve numbers by rows; the fourth row moves (3MF core, chapter 3.3)."""
    if text is None:
        return np.vstack([np.eye(3), np.zeros(3)])
    return np.array([float(word) for word in text.split()], np.float64).reshape(4, 3)


class _PrusaVolumes:
    """By object id, the triangles (first to last) of volumes that are not `ModelPart`."""

    def __init__(self) -> None:
        self.left_out: dict[str, list[tuple[int, int]]] = {}
        self.object_id, self.range = "", (0, -1)

    def begin(self, tag: str, attributes: Attributes) -> None:
        if tag == "object":
            self.object_id = attributes["id"]
        elif tag == "volume":
            self.range = int(attributes["firstid"]), int(attributes["lastid"])
        elif tag == "metadata" and attributes.get("key") == "volume_type" and attributes.get("value") != "ModelPart":
            self.left_out.setdefault(self.object_id, []).append(self.range)


class _BambuParts:
    """Ids of the objects that are not a `normal_part`."""

    def __init__(self) -> None:
        self.left_out: set[str] = set()

    def begin(self, tag: str, attributes: Attributes) -> None:
        if tag == "part" and attributes.get("subtype", "normal_part") != "normal_part":
            self.left_out.add(attributes["id"])
