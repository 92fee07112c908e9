"""Whether a file is what its name says: by its content, in constant memory, without building a mesh.

Sources of the formats: binary STL is 80 bytes of header, a little-endian count and 50 bytes a facet
(https://www.loc.gov/preservation/digital/formats/fdd/fdd000505.shtml); 3MF is a zip package with
[Content_Types].xml and a model part (3MF core specification 1.3, chapter 2).
"""

from __future__ import annotations

import os
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from printsys.errors import FileRefused

CHUNK = 1 << 16
MAX_RATIO = 100
MAX_UNPACKED = 1 << 30
"""A true 3MF of a million triangles unpacks 19 to 87 MB: these caps are far from any honest file."""
MAX_PARTS = 10_000
MODEL_PART = re.compile(r"\.model$", re.IGNORECASE)

FOREIGN = (
    (b"MZ", "a Windows program"),
    (b"\x7fELF", "a program"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"Rar!", "an archive"),
    (b"7z\xbc\xaf", "an archive"),
    (b"\x1f\x8b", "an archive"),
    (b"GCDE", "sliced G-code"),
)
EXPORT = "Please export your model as STL, OBJ or 3MF."


def check_model(name: str, stream: BinaryIO, max_bytes: int, extensions: Sequence[str]) -> None:
    """FileRefused, with a sentence that says what to do, unless `stream` holds what the extension of `name` promises.

    `max_bytes` is the largest size taken, `extensions` are lower case with their dot. Leaves the stream at its start.
    """
    extension = os.path.splitext(name)[1].lower()
    if extension not in extensions:
        raise FileRefused(name, f"{name} is not one of the kinds that we print ({', '.join(extensions)}). {EXPORT}")
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    if size == 0:
        raise FileRefused(name, f"{name} is empty (0 bytes). Please export the model again.")
    if size > max_bytes:
        limit = max_bytes // 1024 // 1024
        raise FileRefused(name, f"{name} is larger than {limit} MB. Please simplify the model or split it into parts.")
    head = stream.read(CHUNK)
    stream.seek(0)
    for magic, what in FOREIGN:
        if head.startswith(magic) and not (extension == ".stl" and _is_binary_stl(head, size)):
            raise FileRefused(name, f"{name} is {what}, not a 3D model, whatever its name says. {EXPORT}")
    problem = {".stl": _stl, ".obj": _obj, ".3mf": _3mf}[extension](stream, head, size)
    stream.seek(0)
    if problem is not None:
        raise FileRefused(name, f"{name} {problem}")


def _is_binary_stl(head: bytes, size: int) -> bool:
    """Whether the count of facets fits the size. Some programs add a few bytes at the end."""
    if len(head) < 84:
        return False
    facets: int = struct.unpack_from("<I", head, 80)[0]
    return facets > 0 and 84 + 50 * facets <= size <= 84 + 50 * facets + 4096


def _stl(stream: BinaryIO, head: bytes, size: int) -> str | None:
    if _is_binary_stl(head, size):
        return None
    if head.lstrip().lower().startswith(b"solid") and b"\0" not in head[:80]:
        if any(re.match(rb"\s*facet\b", line, re.IGNORECASE) for line in _lines(stream)):
            return None
        return f"is an STL file without any surface in it. {EXPORT}"
    if size >= 84 and struct.unpack_from("<I", head, 80)[0] == 0:
        return f"is an STL file without any surface in it. {EXPORT}"
    if size >= 84 and b"\0" in head[:84]:
        return "is an STL file that is cut short or damaged. Please export it again, and wait until the upload is done."
    return f"is not an STL file, whatever its name says. {EXPORT}"


def _obj(stream: BinaryIO, head: bytes, size: int) -> str | None:
    if b"\0" in head:
        return f"is not an OBJ file, whatever its name says. {EXPORT}"
    points = faces = False
    for line in _lines(stream):
        keyword = line.split(None, 1)[:1]
        points = points or keyword == [b"v"]
        faces = faces or keyword == [b"f"]
        if points and faces:
            return None
    if points:
        return "is an OBJ file with points but no surface. Please export the model as a mesh with faces."
    return f"is not an OBJ file, whatever its name says. {EXPORT}"


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """Lines of a text, none longer than a chunk."""
    while line := stream.readline(CHUNK):
        yield line


def _3mf(stream: BinaryIO, head: bytes, size: int) -> str | None:
    damaged = "is a 3MF file that is damaged or cut short. Please export it again."
    if not head.startswith(b"PK"):
        return f"is not a 3MF file, whatever its name says. {EXPORT}"
    try:
        with zipfile.ZipFile(stream) as package:
            return _package(package, size)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, ValueError, struct.error):
        return damaged


def _package(package: zipfile.ZipFile, size: int) -> str | None:
    parts = package.infolist()
    names = {part.filename.lstrip("/").casefold() for part in parts}
    named = _model_named_by_relationships(package, parts)
    models = [part for part in parts if MODEL_PART.search(part.filename) or part.filename.lstrip("/") == named]
    if "[content_types].xml" not in names or not models:
        return f"is a zip archive, but not a 3MF model. {EXPORT}"
    if len(parts) > MAX_PARTS or sum(part.file_size for part in parts) > min(
        MAX_UNPACKED, MAX_RATIO * size + (1 << 20)
    ):
        return "unpacks to far more than a model needs. Please simplify it and export it again."
    if any(part.flag_bits & 1 for part in parts):
        return "is encrypted. Please save it without a password."
    if any(".." in re.split(r"[/\\]", part.filename) or "\\" in part.filename for part in parts):
        return "holds file names that lead out of it. Please export it again from your own program."
    return next((problem for part in models if (problem := _model_part(package, part))), None)


def _model_named_by_relationships(package: zipfile.ZipFile, parts: Sequence[zipfile.ZipInfo]) -> str | None:
    """The start part that `_rels/.rels` names: it may have any extension."""
    for part in parts:
        if part.filename.lstrip("/").casefold() == "_rels/.rels" and part.file_size <= CHUNK:
            for tag in re.findall(rb"<Relationship\b[^>]*>", package.read(part)):
                target = re.search(rb'Target\s*=\s*"/?([^"]+)"', tag)
                if b"/3dmodel" in tag and target:
                    return target.group(1).decode("utf-8", "replace")
    return None


def _model_part(package: zipfile.ZipFile, part: zipfile.ZipInfo) -> str | None:
    """Read to the end: what a part claims of its size and checksum is only proven by unpacking it."""
    came = 0
    tail = b""
    looks_like_model = False
    with package.open(part) as reader:
        while chunk := reader.read(CHUNK):
            came += len(chunk)
            if came > MAX_UNPACKED:
                return "unpacks to far more than a model needs. Please simplify it and export it again."
            window = (tail + chunk).replace(b"\0", b"")
            if b"<!DOCTYPE" in window or b"<!ENTITY" in window:
                return "holds XML that we do not open (a document type). Please export it again from your own program."
            looks_like_model = looks_like_model or b"model" in window
            tail = chunk[-16:]
    return None if looks_like_model else f"is a 3MF file without a model in it. {EXPORT}"
