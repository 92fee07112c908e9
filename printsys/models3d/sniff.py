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
from collections.abc import Mapping, Sequence
from typing import BinaryIO
from urllib.parse import unquote

from printsys.domain.filetypes import advised_formats
from printsys.errors import FileRefused
from printsys.formats.safezip import MOST_PARTS, directory_entries
from printsys.models3d.sniff_others import (
    CHUNK,
    EXPORT,
    FORMATS,
    MAX_RATIO,
    MAX_UNPACKED,
    OTHERS,
    TOO_MUCH,
    UNZIP,
    Check,
    whole_lines,
)

STL_HEADER = 84
"""Bytes: 80 of anything, and the count of facets."""
NO_COUNT = {0, 0xFFFFFFFF}
"""What programs write that do not know the count yet."""
DAMAGED = "is a 3MF file that is damaged or cut short. Please export it again."
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
    (b"version https://git-lfs", "a Git LFS pointer"),
)
PACKAGES = (".3mf", ".amf", ".zip")
UNEXPORTED = (
    (b"PK\x03\x04", "a zip archive", PACKAGES),
    (b"ISO-10303-21", "a STEP file", (".step", ".stp")),
    (b"\xd0\xcf\x11\xe0", "a SolidWorks part or an Office document", ()),
    (b"BLENDER", "a Blender project", ()),
    (b"Kaydara FBX", "an FBX file", ()),
    (b"glTF", "a glTF file", (".glb",)),
    (b"ply\n", "a PLY file", (".ply",)),
    (b"ply\r", "a PLY file", (".ply",)),
)
"""Models and packages that do not become printable under another extension than their own."""
MAC_NOTES = b"\x00\x05\x16\x07"
"""AppleDouble (RFC 1740): what macOS keeps of a file where the file system has no place for it, as `._name`."""
WEB_PAGE = re.compile(rb"\s*<(!doctype\s+html|html)\b", re.IGNORECASE)
GCODE_LINE = re.compile(rb"^(G[0-3]|G28|G9[0-2]|M10[4-9]|M140|M190)\b", re.MULTILINE)
STL_START = re.compile(rb"(\xef\xbb\xbf)?\s*solid", re.IGNORECASE)
STL_FACET = re.compile(rb"(?:^|[\r\n])[ \t]*facet\b", re.IGNORECASE)
OBJ_POINT = re.compile(rb"(?:^|[\r\n])[ \t]*v[ \t]")
OBJ_FACE = re.compile(rb"(?:^|[\r\n])[ \t]*f(?:[ \t]+[-0-9/]+){3}")


def check_model(name: str, stream: BinaryIO, max_bytes: int, extensions: Sequence[str]) -> None:
    """FileRefused, with a sentence that says what to do, unless `stream` holds what the extension of `name` promises.

    `max_bytes`: the largest size accepted; `extensions`: lower case, with their dot. Leaves the stream at its start.
    """
    formats = advised_formats(extensions)
    problem = _problem(name, stream, max_bytes, extensions)
    stream.seek(0)
    if problem is not None:
        raise FileRefused(name, f"{name} {problem.replace(FORMATS, formats)}")


def _problem(name: str, stream: BinaryIO, max_bytes: int, extensions: Sequence[str]) -> str | None:
    extension = os.path.splitext(name)[1].lower()
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    head = stream.read(CHUNK)
    stream.seek(0)
    if extension not in extensions:
        if extension == ".zip" and head.startswith(b"PK\x03\x04"):
            return f"is a zip archive. {UNZIP}"
        return f"is not one of the kinds that we print ({', '.join(extensions)}). {EXPORT}"
    if head.startswith(MAC_NOTES):
        real_name = name.rpartition("/")[2].removeprefix("._")
        return f"is not the model but what macOS notes about it. Please send {real_name or 'the file'} itself."
    if size == 0:
        return "is empty (0 bytes). Please export the model again."
    if size > max_bytes:
        return f"is larger than {max_bytes // 1024 // 1024} MB. Please simplify the model or split it into parts."
    foreign_kind = _foreign_kind(head, extension)
    if foreign_kind is not None and not (extension == ".stl" and facet_count(head, size) is not None):
        if head.startswith(b"PK"):
            is_3mf = b"3D/" in head or b"[Content_Types].xml" in head
            advice = f"It may be a 3MF file: rename it to end in .3mf, or unzip it. {EXPORT}" if is_3mf else UNZIP
            return f"is {foreign_kind}, whatever its name says. {advice}"
        return f"is {foreign_kind}, whatever its name says. {EXPORT}"
    return CHECKS[extension](stream, head, size)


def _foreign_kind(head: bytes, extension: str) -> str | None:
    """In words, the kind of a file that people send by mistake or with a changed extension."""
    if WEB_PAGE.match(head):
        return "a web page, not a 3D model"
    if head.lstrip()[:1] in b";GM" and len(GCODE_LINE.findall(head)) > 2:
        return "sliced G-code, not a 3D model"
    kind = next((f"{kind}, not a 3D model" for magic, kind in FOREIGN if head.startswith(magic)), None)
    if kind is None:
        matching = (kind for magic, kind, own in UNEXPORTED if head.startswith(magic) and extension not in own)
        kind = next(matching, None)
    return kind


def facet_count(head: bytes, size: int) -> int | None:
    """Of a binary STL, by its first bytes and its size; None for one that is a text, or cut short.

    Some programs add a few bytes at the end. Some write no count: slicers go by the
    size then. A count that the file is too short for means that its end is missing.
    """
    if len(head) < STL_HEADER:
        return None
    count = stated_count(head)
    if count > 0 and STL_HEADER + 50 * count <= size <= STL_HEADER + 50 * count + 4096:
        return count
    # A text, too, may have any size: only words differ.
    is_text = STL_START.match(head) is not None and b"\0" not in head
    is_whole = size > STL_HEADER and (size - STL_HEADER) % 50 == 0
    is_cut = count not in NO_COUNT and STL_HEADER + 50 * count > size
    return (size - STL_HEADER) // 50 if is_whole and not is_cut and not is_text and b"\0" in head else None


def stated_count(head: bytes) -> int:
    """Of facets, in the header of a binary STL."""
    count: int = struct.unpack_from("<I", head, 80)[0]
    return count


def _stl(stream: BinaryIO, head: bytes, size: int) -> str | None:
    if facet_count(head, size) is not None:
        return None
    if STL_START.match(head) and b"\0" not in head:
        if any(STL_FACET.search(lines) for lines in whole_lines(stream)):
            return None
        return f"is an STL file without any surface in it. {EXPORT}"
    if size >= STL_HEADER and stated_count(head) == 0:
        return f"is an STL file without any surface in it. {EXPORT}"
    if size >= 84 and b"\0" in head[:84]:
        return "is an STL file that is cut short or damaged. Please export it again, and wait until the upload is done."
    return f"is not an STL file, whatever its name says. {EXPORT}"


def _obj(stream: BinaryIO, head: bytes, size: int) -> str | None:
    if b"\0" in head:
        return f"is not an OBJ file, whatever its name says. {EXPORT}"
    points = faces = False
    for lines in whole_lines(stream):
        points = points or OBJ_POINT.search(lines) is not None
        faces = faces or OBJ_FACE.search(lines) is not None
        if points and faces:
            return None
    if points:
        return "is an OBJ file with points but no surface. Please export the model as a mesh with faces."
    return f"is not an OBJ file, whatever its name says. {EXPORT}"


def _3mf(stream: BinaryIO, head: bytes, size: int) -> str | None:
    if not head.startswith(b"PK"):
        return f"is not a 3MF file, whatever its name says. {EXPORT}"
    if directory_entries(stream) > MOST_PARTS:
        return TOO_MUCH
    try:
        with zipfile.ZipFile(stream) as package:
            return _package(package, size)
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        OSError,
        ValueError,
        OverflowError,
        struct.error,
    ):
        return DAMAGED


def _package(package: zipfile.ZipFile, size: int) -> str | None:
    """Checks the directory first: we unpack nothing that is encrypted or promises too much."""
    parts = package.infolist()
    if sum(part.file_size for part in parts) > min(MAX_UNPACKED, MAX_RATIO * size + (1 << 20)):
        return TOO_MUCH
    if any(part.flag_bits & 1 for part in parts):
        return "is encrypted. Please save it without a password."
    if any(".." in re.split(r"[/\\]", part.filename) or "\\" in part.filename for part in parts):
        return "holds file names that lead out of it. Please export it again from your own program."
    if any(part.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for part in parts):
        return "is packed in a way that 3MF files are not. Please export it again from your own program."
    by_name = {part.filename.lstrip("/").casefold(): part for part in parts}
    start = _start_part(package, by_name)
    models = [part for part in parts if MODEL_PART.search(part.filename) or part is by_name.get(start or "")]
    if "[content_types].xml" not in by_name or not models:
        return f"is a zip archive, but not a 3MF model. {EXPORT}"
    if start is not None and start not in by_name:
        return DAMAGED
    words: set[bytes] = set()
    problem = next((problem for part in models if (problem := _model_part(package, part, words))), None)
    return problem or (None if b"triangle" in words else f"is a 3MF file without any surface in it. {EXPORT}")


def _start_part(package: zipfile.ZipFile, by_name: Mapping[str, zipfile.ZipInfo]) -> str | None:
    """The model that `_rels/.rels` names, in lower case: it may have any extension."""
    part = by_name.get("_rels/.rels")
    if part is None or part.file_size > CHUNK:
        return None
    for tag in re.findall(rb"<Relationship\b[^>]*>", package.read(part)):
        target = re.search(rb"""Target\s*=\s*["']/?([^"']+)["']""", tag)
        if b"/3dmodel" in tag and target:
            return unquote(target.group(1).decode("utf-8", "replace")).casefold()
    return None


def _model_part(package: zipfile.ZipFile, part: zipfile.ZipInfo, words: set[bytes]) -> str | None:
    """Reads to the end: only unpacking proves what a part claims of its size and checksum.

    Adds to `words` which of `model` and `triangle` are in it.
    """
    unpacked = 0
    tail = b""
    part_words: set[bytes] = set()
    with package.open(part) as reader:
        while chunk := reader.read(CHUNK):
            unpacked += len(chunk)
            if unpacked > MAX_UNPACKED:
                return TOO_MUCH
            window = (tail + chunk).replace(b"\0", b"")  # UTF-16 reads like ASCII without them
            if b"<!DOCTYPE" in window or b"<!ENTITY" in window:
                return "holds XML that we do not open (a document type). Please export it again from your own program."
            part_words |= {word for word in (b"model", b"triangle") if word not in part_words and word in window}
            tail = chunk[-32:]
    words |= part_words
    if b"model" not in part_words:
        return f"holds no model that we can read; it may be encrypted or damaged. {EXPORT}"
    return None


CHECKS: dict[str, Check] = {
    ".stl": _stl,
    ".obj": _obj,
    ".3mf": _3mf,
    **OTHERS,
}
"""By extension, what is the matter with a file, by its stream (at the start), its first bytes and its size."""
