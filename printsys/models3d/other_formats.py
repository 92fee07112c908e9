"""Models that no slicer opens, or not every one: PLY, OFF, glTF, STEP and AMF. The lab works with STLs of them.

trimesh reads glTF, cascadio (OpenCASCADE) STEP. AMF is read here: it is XML, and nothing in it may refer to anything
(ISO/ASTM 52915). PrusaSlicer's projects in it, with angles, scales and modifiers of its own, are refused.
"""

from __future__ import annotations

import io
import json
import math
import xml.parsers.expat as expat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from printsys import fs
from printsys.errors import ModelTooHard, ModelUnreadable
from printsys.formats.safezip import ZipRefused, open_package
from printsys.formats.threemf import MAX_TRIANGLES
from printsys.models3d import off, ply
from printsys.models3d.sniff_others import MAX_UNPACKED

Points = npt.NDArray[np.float64]
Faces = npt.NDArray[np.int64]
AMF_UNITS = {"millimeter": 1.0, "inch": 25.4, "feet": 304.8, "foot": 304.8, "meter": 1000.0, "micron": 0.001}
PACKED = frozenset({"KHR_draco_mesh_compression", "KHR_mesh_quantization", "EXT_meshopt_compression"})
INSTANCING = "EXT_mesh_gpu_instancing"
FAN = 6
METERS = 1000.0
"""glTF is in meters, its y axis upwards (glTF 2.0 specification, 3.4). Of a STEP file cascadio leaves z upwards."""
COARSENESS_MM = 0.05
"""By how much a triangle may leave the curved surface of a STEP file: less than half a layer."""


class Surface(NamedTuple):
    """Lengths in mm. `pieces`: each with its corners and triangles. `unit`: the file's own."""

    kind: str
    pieces: list[tuple[Points, Faces]]
    unit: str | None = None


def read(path: Path) -> Surface:
    """ModelUnreadable or ModelTooHard, each with a sentence."""
    surface = READERS[path.suffix.lower()](path)
    triangles = sum(len(faces) for _, faces in surface.pieces)
    if triangles > MAX_TRIANGLES:
        raise ModelTooHard(f"{path.name} has {triangles:,} triangles, far too many. Please simplify it.")
    return surface


# -- PLY and OFF ----------------------------------------------------------------------------------------------------


def _ply(path: Path) -> Surface:
    return Surface("PLY", [_polygons(path, ply.read)])


def _off(path: Path) -> Surface:
    return Surface("OFF", [_polygons(path, off.read)])


def _polygons(path: Path, read: Callable[[bytes], tuple[Points, Faces]]) -> tuple[Points, Faces]:
    try:
        return read(fs.read(path))
    except (ValueError, LookupError, OverflowError) as error:
        raise ModelUnreadable(f"{path.name} is damaged or cut short. Please export it again.") from error


# -- by trimesh -----------------------------------------------------------------------------------------------------


def _gltf(path: Path) -> Surface:
    data = fs.read(path)
    if (trouble := _unread_in_gltf(data)) is not None:
        raise ModelUnreadable(f"{path.name} {trouble}")
    pieces = _meshes(data, path.suffix[1:].lower(), path.name)
    return Surface("glTF", [_upright(*piece) for piece in pieces], "meter")


def _unread_in_gltf(data: bytes) -> str | None:
    """What trimesh would take for something else or leave out, the rest of a sentence (glTF 2.0 specification, 3.6.2,
    3.7.2.1 and 4.4; Khronos' list of extensions)."""
    text = data
    if data.startswith(b"glTF"):  # a header of 12 bytes, the length of the JSON, its type
        text = data[20 : 20 + int.from_bytes(data[12:16], "little")]
    try:
        document = json.loads(text)
        accessors = document.get("accessors", [])
        extensions = {*document.get("extensionsUsed", []), *document.get("extensionsRequired", [])}
        primitives = [each for mesh in document.get("meshes", []) for each in mesh["primitives"]]
        points = [accessors[primitive["attributes"]["POSITION"]] for primitive in primitives]
        has_fans = any(primitive.get("mode") == FAN for primitive in primitives)
    except (ValueError, AttributeError, LookupError, TypeError, RecursionError):
        return None  # damaged, which its reader says
    is_sparse = any("sparse" in each for each in accessors)
    if extensions & PACKED or is_sparse or any(each.get("normalized") for each in points):
        return "is compressed in a way that we do not read. Please export it uncompressed."
    if has_fans or INSTANCING in extensions or document.get("skins"):
        return (
            "has triangles as fans, or parts that a pose or a pattern moves: we do not read that. Please export an STL."
        )
    return None


def _step(path: Path) -> Surface:
    try:
        import cascadio
    except ImportError as error:
        raise ModelUnreadable(f"{path.name}: this computer cannot read STEP files. Please export an STL.") from error
    glb = cascadio.load(fs.read(path), "step", tol_linear=COARSENESS_MM, use_parallel=False)
    if not glb:
        raise ModelUnreadable(f"{path.name} is a STEP file that cannot be read. Please export it again, or as STL.")
    pieces = [(points * METERS, faces) for points, faces in _meshes(glb, "glb", path.name)]
    return Surface("STEP", pieces, "millimeter")


def _upright(points: Points, faces: Faces) -> tuple[Points, Faces]:
    """From meters with y upwards to millimeters with z upwards."""
    return np.column_stack([points[:, 0], -points[:, 2], points[:, 1]]) * METERS, faces


def _meshes(data: bytes, file_type: str, name: str) -> Iterator[tuple[Points, Faces]]:
    """Each where it stands."""
    import trimesh

    try:
        meshes = trimesh.load_scene(io.BytesIO(data), file_type=file_type, process=False, resolver=None).dump()
    except READING_FAILED as error:
        raise ModelUnreadable(f"{name} is damaged or cut short. Please export it again.") from error
    for mesh in meshes:
        if isinstance(mesh, trimesh.Trimesh) and len(mesh.faces):
            yield np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.int64)


READING_FAILED = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    NotImplementedError,
    OverflowError,
    AssertionError,
    EOFError,
    RecursionError,
)
"""What trimesh raises on files that are not what they promise."""


# -- AMF ------------------------------------------------------------------------------------------------------------


def _amf(path: Path) -> Surface:
    with fs.open_regular(path) as stream:
        is_zip = stream.read(2) == b"PK"
        stream.seek(0)
        if not is_zip:
            return _read_amf(path, stream.read)
        try:
            with open_package(stream) as package:
                name = next((name for name in package.names if name.lower().endswith(".amf")), None)
                if name is None or package.size(name) > MAX_UNPACKED:
                    raise ModelUnreadable(f"{path.name} is a zip archive without an AMF model. Please export it again.")
                with package.open(name) as part:
                    return _read_amf(path, part.read)
        except ZipRefused as error:
            raise ModelUnreadable(f"{path.name} is damaged or cut short. Please export it again.") from error


def _read_amf(path: Path, read: Callable[[int], bytes]) -> Surface:
    handler = _AmfHandler()
    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = handler.begin, handler.end
    parser.CharacterDataHandler = handler.text.append
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.buffer_text = True
    try:
        unpacked = 0
        while chunk := read(1 << 20):
            unpacked += len(chunk)
            if unpacked > MAX_UNPACKED:
                raise ModelTooHard(f"{path.name} unpacks to far more than a model needs. Please simplify it.")
            parser.Parse(chunk, False)
        parser.Parse(b"", True)
        return handler.surface()
    except _SlicerProject as error:
        raise ModelUnreadable(
            f"{path.name} is a project of PrusaSlicer or Slic3r. Please export the model itself, as STL or 3MF."
        ) from error
    except _Doctype as error:
        raise ModelUnreadable(f"{path.name} holds XML that we do not open (a document type).") from error
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise ModelUnreadable(f"{path.name} is damaged or cut short. Please export it again.") from error


class _Doctype(Exception):
    pass


class _SlicerProject(Exception):
    pass


def _refuse_doctype(*_: object) -> None:
    raise _Doctype


@dataclass
class _AmfObject:
    """`volumes` share the object's points."""

    points: list[float] = field(default_factory=list)
    corners: list[int] = field(default_factory=list)

    def arrays(self) -> tuple[Points, Faces]:
        faces = np.array(self.corners, np.int64).reshape(-1, 3)
        return np.array(self.points, np.float64).reshape(-1, 3), faces


@dataclass
class _AmfHandler:
    """Collects the objects and where a constellation puts them."""

    unit: str = "millimeter"
    objects: dict[str, _AmfObject] = field(default_factory=dict)
    instances: list[dict[str, str]] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    current: _AmfObject = field(default_factory=_AmfObject)
    instance: dict[str, str] | None = None
    metadata: str = ""
    """The type of the one that begins."""

    def begin(self, tag: str, attributes: dict[str, str]) -> None:
        self.text.clear()
        if tag == "amf":
            self.unit = attributes.get("unit", "millimeter").lower()
        elif tag == "metadata":
            self.metadata = attributes.get("type", "")
        elif tag == "object":
            self.current = self.objects[attributes["id"]] = _AmfObject()
        elif tag == "instance":
            self.instance = dict(attributes)
            self.instances.append(self.instance)

    def end(self, tag: str) -> None:
        word = "".join(self.text).strip()
        if tag in ("x", "y", "z"):
            self.current.points.append(float(word))
        elif tag in ("v1", "v2", "v3"):
            self.current.corners.append(int(word))
            if len(self.current.corners) > 3 * MAX_TRIANGLES:
                raise ValueError("more triangles than any printer shows")
        elif tag == "metadata" and self.metadata.startswith(("slic3r", "slic3rpe")):
            raise _SlicerProject
        elif self.instance is not None and tag in PLACEMENT:
            self.instance[tag] = word
        elif tag == "instance":
            self.instance = None
        self.text.clear()

    def surface(self) -> Surface:
        factor = AMF_UNITS[self.unit]
        placed = self.instances or [{"objectid": object_id} for object_id in self.objects]
        pieces = []
        for instance in placed:
            points, faces = self.objects[instance["objectid"]].arrays()
            if len(faces) and not 0 <= faces.min() <= faces.max() < len(points):
                raise ValueError("triangles whose corners do not exist")
            if len(faces):
                pieces.append((_placed(points, instance) * factor, faces))
        return Surface("AMF", pieces, self.unit)


PLACEMENT = ("deltax", "deltay", "deltaz", "rx", "ry", "rz")


def _placed(points: Points, instance: dict[str, str]) -> Points:
    """Turned about x, then y, then z (degrees), then moved."""
    delta_x, delta_y, delta_z, *turns = (float(instance.get(name) or 0) for name in PLACEMENT)
    for axis, degrees in enumerate(turns):
        sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
        u, v = (axis + 1) % 3, (axis + 2) % 3
        matrix = np.eye(3)
        matrix[u, u], matrix[u, v], matrix[v, u], matrix[v, v] = cosine, -sine, sine, cosine
        points = points @ matrix.T
    moved: Points = points + np.array([delta_x, delta_y, delta_z])
    return moved


READERS: dict[str, Callable[[Path], Surface]] = {
    ".ply": _ply,
    ".off": _off,
    ".gltf": _gltf,
    ".glb": _gltf,
    ".step": _step,
    ".stp": _step,
    ".amf": _amf,
}
