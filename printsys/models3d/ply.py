"""PLY (Greg Turk, "The PLY Polygon File Format", 1994), text and binary: the corners and faces, whatever else is in it.

Read here, since trimesh cuts each face as a fan and takes all faces of a binary file to have equally many corners.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from printsys.models3d.polygons import triangulate

TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2", "ushort": "u2",
    "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4", "float": "f4", "float32": "f4",
    "double": "f8", "float64": "f8",
}  # fmt: skip
BYTE_ORDERS = {"binary_little_endian": "<", "binary_big_endian": ">"}
CORNERS = "vertex_indices"
"""Or `vertex_index`: both are usual."""
Polygons = npt.NDArray[np.int64] | Sequence[Sequence[int]]
"""Numbers of corners: in an array where all have equally many."""


@dataclass(frozen=True)
class _Property:
    """A number, or a list with a number of the type `counted_by` in front of it. Types as numpy calls them."""

    name: str
    type: str
    counted_by: str | None = None


@dataclass(frozen=True)
class _Element:
    name: str
    count: int
    properties: list[_Property] = field(default_factory=list)

    @property
    def lists(self) -> list[str]:
        return [column.name for column in self.properties if column.counted_by is not None]


def read(data: bytes) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Corners (count × 3) and triangles of their numbers. ValueError, LookupError for a damaged file."""
    layout, elements, body = _header(data)
    columns = _text(elements, body) if layout == "ascii" else _binary(elements, body, BYTE_ORDERS[layout])
    points, faces = np.zeros((0, 3)), np.zeros((0, 3), np.int64)
    for element, values in zip(elements, columns, strict=True):
        if element.name == "vertex":
            points = np.column_stack([values[axis] for axis in "xyz"]).astype(np.float64)
        elif element.name == "face":
            faces = _triangles(points, values[CORNERS if CORNERS in values else "vertex_index"])
    return points, faces


def _triangles(points: npt.NDArray[np.float64], polygons: Polygons) -> npt.NDArray[np.int64]:
    """Where a file has its faces in front of its corners, none of these exists yet: nobody writes that."""
    if isinstance(polygons, np.ndarray):
        lowest, highest = int(polygons.min(initial=0)), int(polygons.max(initial=-1))
        corners = polygons.tolist() if polygons.shape[1] > 3 else []
    else:
        corners = [polygon for polygon in polygons if len(polygon) >= 3]
        lowest, highest = min(map(min, corners), default=0), max(map(max, corners), default=-1)
    if lowest < 0 or highest >= len(points):
        raise ValueError("faces whose corners do not exist")
    is_done = isinstance(polygons, np.ndarray) and polygons.shape[1] == 3
    return np.asarray(polygons, np.int64) if is_done else triangulate(points, corners)


def _header(data: bytes) -> tuple[str, list[_Element], bytes]:
    end = re.search(rb"[\r\n]end_header(?:\r\n|\r|\n)", data)
    if end is None:
        raise ValueError("no end of the header")
    layout, elements = "", list[_Element]()
    for line in data[: end.start()].decode("latin-1").splitlines():
        match line.split():
            case ["format", name, _]:
                layout = name
            case ["element", name, count]:
                elements.append(_Element(name, int(count)))
            case ["property", "list", counted_by, kind, name]:
                elements[-1].properties.append(_Property(name, TYPES[kind], TYPES[counted_by]))
            case ["property", kind, name]:
                elements[-1].properties.append(_Property(name, TYPES[kind]))
    if layout not in ("ascii", *BYTE_ORDERS) or any(element.count < 0 for element in elements):
        raise ValueError("a layout that PLY does not have")
    return layout, elements, data[end.end() :]


def _length(count: int) -> int:
    """Of a list: some files count in numbers that may be negative."""
    if count < 0:
        raise ValueError("a list with fewer numbers than none")
    return count


# -- text: numbers with white space between them --------------------------------------------------------------------


def _text(elements: Sequence[_Element], body: bytes) -> Iterator[dict[str, Any]]:
    words = body.split()
    at = 0
    for element in elements:
        width = len(element.properties)
        if not element.lists:
            rows = np.array(words[at : at + element.count * width], "S40").astype(np.float64)
            at += element.count * width
            columns = rows.reshape(element.count, width).T
            yield {column.name: values for column, values in zip(element.properties, columns, strict=True)}
            continue
        lists: dict[str, list[list[int]]] = {name: [] for name in element.lists}
        for _ in range(element.count):
            for column in element.properties:
                start = at + 1
                at = start + (_length(int(words[at])) if column.counted_by else 0)
                if column.counted_by:
                    lists[column.name].append([int(word) for word in words[start:at]])
        if at > len(words):
            raise ValueError("cut short")
        yield lists


# -- binary: one element after the other, without any padding -------------------------------------------------------


def _binary(elements: Sequence[_Element], body: bytes, order: str) -> Iterator[dict[str, Any]]:
    at = 0
    for element in elements:
        if element.lists:
            lists, at = _uniform(element, body, at, order) or _ragged(element, body, at, order)
            yield lists
        else:
            row = np.dtype([(column.name, order + column.type) for column in element.properties])
            table = np.frombuffer(body, row, element.count, at)
            at += row.itemsize * element.count
            yield {column.name: table[column.name] for column in element.properties}


def _uniform(element: _Element, body: bytes, at: int, order: str) -> tuple[dict[str, Any], int] | None:
    """Where each list is as long as that of the first row: the usual file, of triangles alone."""
    fields: list[tuple[Any, ...]] = []
    for column in element.properties:
        if column.counted_by is None:
            fields.append((column.name, order + column.type))
            continue
        offset = at + np.dtype(fields).itemsize
        count = int(np.frombuffer(body, order + column.counted_by, 1, offset)[0])
        fields.append((_counter(column.name), order + column.counted_by))
        fields.append((column.name, order + column.type, (count,)))
    row = np.dtype(fields)
    if at + row.itemsize * element.count > len(body):
        return None
    table = np.frombuffer(body, row, element.count, at)
    counts = [table[_counter(name)] for name in element.lists]
    if any((numbers != numbers[0]).any() for numbers in counts):
        return None
    return {name: table[name].astype(np.int64) for name in element.lists}, at + row.itemsize * element.count


def _counter(name: str) -> str:
    return f"count of {name}"


def _ragged(element: _Element, body: bytes, at: int, order: str) -> tuple[dict[str, Any], int]:
    lists: dict[str, list[list[int]]] = {name: [] for name in element.lists}
    for _ in range(element.count):
        for column in element.properties:
            if column.counted_by:
                count = _length(int(np.frombuffer(body, order + column.counted_by, 1, at)[0]))
                at += np.dtype(column.counted_by).itemsize
                lists[column.name].append(np.frombuffer(body, order + column.type, count, at).tolist())
                at += count * np.dtype(column.type).itemsize
            else:
                at += np.dtype(column.type).itemsize
    return lists, at
