"""3MF: objects, components, build items, and parts of the production extension, as Prusa's and Bambu's programs write.

Sources: 3MF core specification 1.3 (chapters 3 and 4) and production extension 1.1 (`p:path`). Read as a stream by
expat, which expands no entity of ours: a document type is refused.
"""

from __future__ import annotations

import posixpath
import xml.parsers.expat as expat
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt

from printsys.errors import ModelTooHard, ModelUnreadable
from printsys.models3d.mesh import MAX_TRIANGLES, MM_PER_UNIT

MAX_DEPTH = 32
MAX_PLACED = 10_000
CORE = (
    "http://schemas.microsoft.com/3dmanufacturing/core/2015/02 ",
    "http://schemas.microsoft.com/3dmanufacturing/2013/01 ",
)
"""The slice and beam extensions have a `vertex` of their own, in namespaces of their own."""
MODEL_RELATION = "/3dmodel"
PRODUCTION = "http://schemas.microsoft.com/3dmanufacturing/production/2015/06 path"

Matrix = npt.NDArray[np.float64]
Key = tuple[str, str]
Attributes = Mapping[str, str]


@dataclass(frozen=True)
class Use:
    """An object set somewhere: a component of another, or an item of what is to be built."""

    key: Key
    matrix: Matrix


@dataclass
class Solid:
    points: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 3)))
    faces: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 3), np.int64))
    components: list[Use] = field(default_factory=list)
    printed: bool = True


@dataclass
class Package:
    unit: str = "millimeter"
    objects: dict[Key, Solid] = field(default_factory=dict)
    items: list[Use] = field(default_factory=list)

    def placed(self, name: str) -> Iterator[tuple[int, npt.NDArray[np.float64], npt.NDArray[np.int64]]]:
        """Number of the item, points (in `unit`) and faces, of each mesh as it is to be built."""
        count = triangles = 0
        for number, item in enumerate(self.items):
            for solid, matrix in self._leaves(name, item, ()):
                count += 1
                triangles += len(solid.faces)
                if count > MAX_PLACED or triangles > MAX_TRIANGLES:
                    raise ModelTooHard(f"{name} repeats its parts absurdly often. Please export it again, simplified.")
                mirrored = np.linalg.det(matrix[:3]) < 0
                yield number, solid.points @ matrix[:3] + matrix[3], solid.faces[:, ::-1] if mirrored else solid.faces

    def _leaves(self, name: str, use: Use, above: tuple[Key, ...]) -> Iterator[tuple[Solid, Matrix]]:
        if use.key in above:
            raise ModelUnreadable(f"{name} has a part that contains itself. Please export it again.")
        if len(above) > MAX_DEPTH:
            raise ModelTooHard(
                f"{name} nests its parts more than {MAX_DEPTH} deep. Please export it again, simplified."
            )
        solid = self.objects.get(use.key)
        if solid is None:
            raise ModelUnreadable(f"{name} refers to a part that is not in it. Please export it again.")
        if len(solid.faces) and solid.printed:
            yield solid, use.matrix
        for component in solid.components:
            inner = Use(component.key, _after(component.matrix, use.matrix))
            yield from self._leaves(name, inner, (*above, use.key))


def read_package(path: Path) -> Package:
    """The package of a file that sniff.check_model has passed. ModelUnreadable with a sentence."""
    try:
        with zipfile.ZipFile(path) as archive:
            return _Reader(path.name, archive).read()
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ModelUnreadable(f"{path.name} is damaged or cut short. Please export it again.") from error


def _after(inner: Matrix, outer: Matrix) -> Matrix:
    """Rows of 4 × 3, points as rows: first `inner`, then `outer`."""
    turned = inner @ outer[:3]
    turned[3] += outer[3]
    return turned


class _Reader:
    def __init__(self, name: str, archive: zipfile.ZipFile) -> None:
        self.name, self.archive = name, archive
        self.parts = {info.filename.lstrip("/").casefold(): info for info in archive.infolist()}
        self.package = Package()
        self.read_parts: set[str] = set()

    def read(self) -> Package:
        start = self._start()
        self._part(start, is_start=True)
        waiting = self._needed()
        while waiting:
            for part in waiting:
                self._part(part)
            waiting = self._needed()
        return self.package

    def _needed(self) -> list[str]:
        """Parts that are referred to and not read yet."""
        uses = [*self.package.items, *(use for solid in self.package.objects.values() for use in solid.components)]
        return sorted({use.key[0] for use in uses} - self.read_parts)

    def _start(self) -> str:
        """The model that `_rels/.rels` names, else the first part that ends as one does."""
        found: list[str] = []

        def relation(tag: str, attributes: Attributes) -> None:
            if tag.endswith("Relationship") and attributes.get("Type", "").endswith(MODEL_RELATION):
                found.append(_part_name("", attributes.get("Target", "")))

        if "_rels/.rels" in self.parts:
            self._parse("_rels/.rels", relation)
        named = next((part for part in found if part in self.parts), None)
        return named or next(part for part in sorted(self.parts) if part.endswith(".model"))

    def _part(self, part: str, is_start: bool = False) -> None:
        if part not in self.parts:
            raise ModelUnreadable(f"{self.name} refers to a part that is not in it. Please export it again.")
        self.read_parts.add(part)
        model = _ModelPart(part, self.package, is_start)
        self._parse(part, model.begin, model.end)
        if model.problem:
            raise ModelUnreadable(f"{self.name} {model.problem} Please export it again.")

    def _parse(
        self, part: str, begin: Callable[[str, Attributes], None], end: Callable[[str], None] | None = None
    ) -> None:
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.StartElementHandler = begin
        parser.EndElementHandler = end
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        try:
            with self.archive.open(self.parts[part]) as stream:
                parser.ParseFile(stream)
        except expat.ExpatError as error:
            raise ModelUnreadable(f"{self.name} holds XML that is damaged. Please export it again.") from error
        except (KeyError, ValueError) as error:
            raise ModelUnreadable(
                f"{self.name} lacks numbers where it needs them, or has others. Please export it again."
            ) from error

    def _refuse_doctype(self, *_: object) -> None:
        raise ModelUnreadable(f"{self.name} holds XML that we do not open (a document type). Please export it again.")


def _part_name(base: str, target: str) -> str:
    return posixpath.normpath(posixpath.join("/", base, unquote(target))).lstrip("/").casefold()


class _ModelPart:
    """One XML part. Only the part that the package starts with says what is built and in which unit."""

    def __init__(self, part: str, package: Package, is_start: bool) -> None:
        self.part, self.package, self.is_start = part, package, is_start
        self.solid: Solid | None = None
        self.points: list[float] = []
        self.corners: list[int] = []
        self.problem = ""

    def begin(self, tag: str, attributes: Attributes) -> None:
        if not tag.startswith(CORE):
            return
        tag = tag.rpartition(" ")[2]
        if tag == "vertex":
            self.points += float(attributes["x"]), float(attributes["y"]), float(attributes["z"])
        elif tag == "triangle":
            self.corners += int(attributes["v1"]), int(attributes["v2"]), int(attributes["v3"])
        elif tag == "component" and self.solid is not None:
            self.solid.components.append(self._use(attributes))
        elif tag == "object":
            self.solid = Solid(printed=attributes.get("type", "model") in ("model", "surface", "solidsupport"))
            self.package.objects[(self.part, attributes["id"])] = self.solid
        elif tag == "item" and self.is_start and attributes.get("printable") != "0":
            self.package.items.append(self._use(attributes))
        elif tag == "model" and self.is_start:
            self._unit(attributes.get("unit", "millimeter"))

    def end(self, tag: str) -> None:
        if tag.startswith(CORE) and tag.endswith(" mesh") and self.solid is not None:
            self.solid.points = np.array(self.points, np.float64).reshape(-1, 3)
            self.solid.faces = np.array(self.corners, np.int64).reshape(-1, 3)
            self.points, self.corners = [], []
            if len(self.solid.faces) and not 0 <= self.solid.faces.min() <= self.solid.faces.max() < len(
                self.solid.points
            ):
                self.problem = "has triangles whose corners do not exist."

    def _use(self, attributes: Attributes) -> Use:
        target = attributes.get(PRODUCTION)
        part = self.part if target is None else _part_name(posixpath.dirname(self.part), target)
        return Use((part, attributes["objectid"]), _matrix(attributes.get("transform")))

    def _unit(self, unit: str) -> None:
        if unit not in MM_PER_UNIT:
            self.problem = f"is measured in “{unit[:20]}”, which is no unit of 3MF."
        else:
            self.package.unit = unit


def _matrix(text: str | None) -> Matrix:
    """Twelve numbers by rows; the fourth row moves (3MF core, chapter 3.3)."""
    if text is None:
        return np.vstack([np.eye(3), np.zeros(3)])
    return np.array([float(word) for word in text.split()], np.float64).reshape(4, 3)
