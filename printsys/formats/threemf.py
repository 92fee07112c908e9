"""3MF: objects, components, build items, and parts of the production extension, as Prusa's and Bambu's programs write.

Sources: 3MF core specification 1.3 (chapters 3 and 4) and production extension 1.1 (`p:path`). expat reads each part as
a stream; we refuse a document type, so there are no entities to expand.
Modifiers and blockers of slicers' projects are meshes, too: the slicers' own files say which, and we skip those.
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
"""Of objects, each as often as the build contains it."""
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
    "http://schemas.microsoft.com/3dmanufacturing/core/2015/02",
    "http://schemas.microsoft.com/3dmanufacturing/2013/01",
)
"""The slice and beam extensions have a `vertex` of their own, in namespaces of their own."""
MODEL_RELATION = "/3dmodel"
UNBOUND_PREFIX = expat.errors.codes["unbound prefix"]
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
    """The text continues a sentence that begins with the file's name: `has a part that contains itself`."""


class _UnboundPrefix(ThreeMfRefused):
    """XML with a prefix that nothing declares."""


class ThreeMfTooMuch(ThreeMfRefused):
    """Perhaps a model, but one beyond all bounds."""


@dataclass(frozen=True)
class Placement:
    """An object and where it stands: a component of another object, or an item of the build."""

    key: Key
    matrix: Matrix


@dataclass
class Solid:
    name: str = ""
    points: Points = field(default_factory=lambda: np.zeros((0, 3)))
    faces: Faces = field(default_factory=lambda: np.zeros((0, 3), np.int64))
    components: list[Placement] = field(default_factory=list)
    type: str = "model"
    printed: bool = True


@dataclass
class Model:
    """`items` are in `unit`, without modifiers, blockers and supports."""

    unit: str = "millimeter"
    objects: dict[Key, Solid] = field(default_factory=dict)
    items: list[Placement] = field(default_factory=list)

    @property
    def mm_per_unit(self) -> float:
        return MM_PER_UNIT[self.unit]

    def leaves(self, most_triangles: int = MAX_TRIANGLES) -> Iterator[tuple[int, Solid, Matrix]]:
        """Number of the item, and each mesh in it with its place on the plate (in `unit`). ThreeMfRefused."""
        triangles, visits = 0, count()
        for number, item in enumerate(self.items):
            for solid, matrix in self._leaves(item, (), visits):
                triangles += len(solid.faces)
                if triangles > most_triangles:
                    raise ThreeMfTooMuch(REPEATED)
                yield number, solid, matrix

    def placed(self, most_triangles: int = MAX_TRIANGLES) -> Iterator[tuple[int, Points, Faces]]:
        """Number of the item, points (in `unit`) and faces of each mesh, as it stands on the plate. ThreeMfRefused."""
        for number, solid, matrix in self.leaves(most_triangles):
            mirrored = np.linalg.det(matrix[:3]) < 0
            yield number, solid.points @ matrix[:3] + matrix[3], solid.faces[:, ::-1] if mirrored else solid.faces

    def _leaves(
        self, placement: Placement, above: tuple[Key, ...], visits: Iterator[int]
    ) -> Iterator[tuple[Solid, Matrix]]:
        """The meshes in `placement`. `above`: the objects around it; `visits` counts through the whole build."""
        if next(visits) > MAX_VISITS:
            raise ThreeMfTooMuch(REPEATED)
        if placement.key in above:
            raise ThreeMfRefused("has a part that contains itself")
        if len(above) > MAX_DEPTH:
            raise ThreeMfTooMuch(f"nests its parts more than {MAX_DEPTH} deep")
        solid = self.objects.get(placement.key)
        if solid is None:
            raise ThreeMfRefused("refers to a part that is not in it")
        if len(solid.faces) and solid.printed:
            yield solid, placement.matrix
        for component in solid.components:
            matrix = component.matrix @ placement.matrix[:3]
            matrix[3] += placement.matrix[3]
            yield from self._leaves(Placement(component.key, matrix), (*above, placement.key), visits)


def read(package: Package, most_triangles: int = MAX_TRIANGLES) -> Model:
    """ThreeMfRefused; ZipRefused where the package is damaged."""
    return _ThreeMfReader(package, most_triangles).read()


class _ThreeMfReader:
    def __init__(self, package: Package, most_triangles: int) -> None:
        self.package, self.triangles_left = package, most_triangles
        self.model = Model()
        self.read_parts: set[str] = set()

    def read(self) -> Model:
        start = self._start_part()
        self._read_part(start, is_start=True)
        while unread := self._unread_parts():
            for part in unread:
                self._read_part(part)
        self._exclude_unprinted(start)
        return self.model

    def _unread_parts(self) -> list[str]:
        """Parts with an object that the build contains, as far as read."""
        components = (component for solid in self.model.objects.values() for component in solid.components)
        return sorted({placement.key[0] for placement in (*self.model.items, *components)} - self.read_parts)

    def _start_part(self) -> str:
        """The model that `_rels/.rels` names, else the first part with the extension of one."""
        targets: list[str] = []

        def relation(tag: str, attributes: Attributes) -> None:
            if tag.endswith("Relationship") and attributes.get("Type", "").endswith(MODEL_RELATION):
                targets.append(_part_name("", attributes.get("Target", "")))

        if "_rels/.rels" in self.package:
            self._parse("_rels/.rels", relation)
        models = sorted(name.casefold() for name in self.package.names if name.casefold().endswith(".model"))
        start = next((part for part in [*targets, *models] if part in self.package), None)
        if start is None:
            raise ThreeMfRefused("refers to a part that is not in it")
        return start

    def _read_part(self, part: str, is_start: bool = False) -> None:
        if part not in self.package:
            raise ThreeMfRefused("refers to a part that is not in it")
        self.read_parts.add(part)
        known_items = len(self.model.items)
        handler = _ModelPart(part, self.model, is_start, self.triangles_left)
        try:
            self._parse(part, handler.begin, handler.end)
        except _UnboundPrefix:  # some programs use prefixes that they never declare, and all slicers read them
            del self.model.items[known_items:]
            handler = _ModelPart(part, self.model, is_start, self.triangles_left)
            self._parse(part, handler.begin, handler.end, is_lenient=True)
        self.triangles_left = handler.triangles_left

    def _parse(
        self,
        part: str,
        begin: Callable[[str, Attributes], None],
        end: Callable[[str], None] | None = None,
        is_lenient: bool = False,
    ) -> None:
        """`is_lenient`: an undeclared prefix is a namespace of its own, not damage."""
        parser = expat.ParserCreate(namespace_separator=None if is_lenient else " ")
        names = _Names(begin, end) if is_lenient else None
        parser.StartElementHandler = names.begin if names else begin
        parser.EndElementHandler = names.end if names else end
        parser.StartDoctypeDeclHandler = _refuse_doctype
        with self.package.open(part) as stream:
            try:
                parser.ParseFile(stream)
            except expat.ExpatError as error:
                if error.code == UNBOUND_PREFIX:
                    raise _UnboundPrefix("holds XML that is damaged") from error
                raise ThreeMfRefused("holds XML that is damaged") from error
            except (KeyError, ValueError, OverflowError) as error:
                raise ThreeMfRefused("lacks numbers where it needs them, or has others") from error

    def _exclude_unprinted(self, start: str) -> None:
        """Modifiers, blockers and negative volumes print nothing. Without a readable list they count as bodies."""
        prusa, bambu = _PrusaVolumes(), _BambuParts()
        for name, handler in ((PRUSA_VOLUMES, prusa), (BAMBU_PARTS, bambu)):
            if name in self.package and self.package.size(name) <= MAX_CONFIG:
                try:
                    self._parse(name, handler.begin)
                except ThreeMfRefused:
                    return
        for key, solid in self.model.objects.items():
            solid.printed = solid.printed and key[1] not in bambu.excluded
            if key[0] == start and len(solid.faces) and (ranges := prusa.excluded.get(key[1])):
                keep = np.ones(len(solid.faces), dtype=bool)
                for first, last in ranges:
                    keep[max(0, first) : last + 1] = False
                # Without the corners that no other triangle has.
                used, faces = np.unique(solid.faces[keep], return_inverse=True)
                solid.points, solid.faces = solid.points[used], faces.reshape(-1, 3)


class _Names:
    """Resolves the namespaces that a part declares, and takes an undeclared prefix for a namespace."""

    def __init__(self, begin: Callable[[str, Attributes], None], end: Callable[[str], None] | None) -> None:
        self._begin, self._end = begin, end
        self._namespaces = {"": CORE[0]}

    def begin(self, tag: str, attributes: Attributes) -> None:
        for name, value in attributes.items():
            if name.startswith("xmlns"):
                self._namespaces[name[6:]] = value
        self._begin(
            self._resolved(tag),
            {self._resolved(name) if ":" in name else name: value for name, value in attributes.items()},
        )

    def end(self, tag: str) -> None:
        if self._end is not None:
            self._end(self._resolved(tag))

    def _resolved(self, name: str) -> str:
        prefix, _, local = name.rpartition(":")
        return f"{self._namespaces.get(prefix, prefix)} {local}"


def _refuse_doctype(*_: object) -> None:
    raise ThreeMfRefused("holds XML that we do not open (a document type)")


def _part_name(base: str, target: str) -> str:
    return posixpath.normpath(posixpath.join("/", base, unquote(target))).lstrip("/").casefold()


class _ModelPart:
    """One XML part. Only the start part states the unit and the items of the build."""

    def __init__(self, part: str, model: Model, is_start: bool, triangles_left: int) -> None:
        self.part, self.model, self.is_start, self.triangles_left = part, model, is_start, triangles_left
        self.solid: Solid | None = None
        self.points: list[float] = []
        self.corners: list[int] = []
        self.core = {*CORE}
        """Namespaces of the elements that are read. Cura swaps the core's with its own: the root's counts, too."""

    def begin(self, tag: str, attributes: Attributes) -> None:
        namespace, _, tag = tag.rpartition(" ")
        if self.solid is None and tag == "model":
            self.core.add(namespace)
        if namespace not in self.core:
            return
        if tag == "vertex":
            self.points += float(attributes["x"]), float(attributes["y"]), float(attributes["z"])
        elif tag == "triangle":
            self.corners += int(attributes["v1"]), int(attributes["v2"]), int(attributes["v3"])
            self.triangles_left -= 1
            if self.triangles_left < 0:
                raise ThreeMfTooMuch("has far more triangles than any printer shows")
        elif tag == "component" and self.solid is not None:
            self.solid.components.append(self._placement(attributes))
        elif tag == "object":
            kind = attributes.get("type", "model")
            self.solid = Solid(name=attributes.get("name", "")[:200], type=kind, printed=kind in PRINTED_TYPES)
            self.model.objects[(self.part, attributes["id"])] = self.solid
        elif tag == "item" and self.is_start and attributes.get("printable") != "0":
            self.model.items.append(self._placement(attributes))
        elif tag == "model" and self.is_start:
            unit = attributes.get("unit", "millimeter")
            if unit not in MM_PER_UNIT:
                raise ThreeMfRefused(f"is measured in “{unit[:20]}”, which is no unit of 3MF")
            self.model.unit = unit

    def end(self, tag: str) -> None:
        namespace, _, tag = tag.rpartition(" ")
        if tag == "mesh" and namespace in self.core and self.solid is not None:
            points = self.solid.points = np.array(self.points, np.float64).reshape(-1, 3)
            faces = self.solid.faces = np.array(self.corners, np.int64).reshape(-1, 3)
            self.points, self.corners = [], []
            if len(faces) and not 0 <= faces.min() <= faces.max() < len(points):
                raise ThreeMfRefused("has triangles whose corners do not exist")

    def _placement(self, attributes: Attributes) -> Placement:
        """`transform` is twelve numbers by rows; the fourth row moves (3MF core, chapter 3.3)."""
        target = attributes.get(PRODUCTION)
        part = self.part if target is None else _part_name(posixpath.dirname(self.part), target)
        words = attributes.get("transform", "1 0 0 0 1 0 0 0 1 0 0 0").split()
        return Placement((part, attributes["objectid"]), np.array(list(map(float, words)), np.float64).reshape(4, 3))


class _PrusaVolumes:
    """By object id, the triangles (first to last) of volumes that are not `ModelPart`."""

    def __init__(self) -> None:
        self.excluded: dict[str, list[tuple[int, int]]] = {}
        self.object_id, self.range = "", (0, -1)

    def begin(self, tag: str, attributes: Attributes) -> None:
        if tag == "object":
            self.object_id = attributes["id"]
        elif tag == "volume":
            self.range = int(attributes["firstid"]), int(attributes["lastid"])
        elif tag == "metadata" and attributes.get("key") == "volume_type" and attributes.get("value") != "ModelPart":
            self.excluded.setdefault(self.object_id, []).append(self.range)


class _BambuParts:
    """Ids of the objects that are not a `normal_part`."""

    def __init__(self) -> None:
        self.excluded: set[str] = set()

    def begin(self, tag: str, attributes: Attributes) -> None:
        if tag == "part" and attributes.get("subtype", "normal_part") != "normal_part":
            self.excluded.add(attributes["id"])
