"""The formats that the lab converts: whether a file is what its name says, in constant memory.

Each check continues a sentence that begins with the file's name; None where nothing is the matter. Sources: glTF 2.0
(https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html), PLY and OFF as their libraries write them, ISO 10303-21.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO

from printsys.domain.filetypes import type_of
from printsys.formats.safezip import Package, ZipRefused, open_package

Check = Callable[[BinaryIO, bytes, int], str | None]
"""By the file's stream (at the start), its first bytes and its size."""
CHUNK = 1 << 16
MAX_RATIO = 100
MAX_UNPACKED = 1 << 30
"""A real 3MF of a million triangles unpacks to 19 to 87 MB: these caps are far from any honest file."""
FORMATS = "{formats}"
EXPORT = f"Please export your model as {FORMATS}."
UNZIP = "Please unzip it and send the model that is in it."
TOO_MUCH = "unpacks to far more than a model needs. Please simplify it and export it again."
DAMAGED_FILE = "is damaged or cut short. Please export it again, and wait until the upload is done."


def whole_lines(stream: BinaryIO) -> Iterator[bytes]:
    """A text in pieces that end where a line does (or, in a line longer than any program writes, somewhere)."""
    while piece := stream.read(CHUNK):
        yield piece + stream.readline(CHUNK)


def _ply(stream: BinaryIO, head: bytes, size: int) -> str | None:
    if not head.startswith((b"ply\n", b"ply\r")):
        return f"is not a PLY file, whatever its name says. {EXPORT}"
    if not re.search(rb"element\s+face\s+[1-9]", head):
        return f"is a PLY file without any surface in it (a cloud of points). {EXPORT}"
    return None


def _off(stream: BinaryIO, head: bytes, size: int) -> str | None:
    is_off = re.match(rb"\s*(?:#[^\n]*\n\s*)*(?:ST)?C?N?4?n?OFF\b", head)
    return None if is_off else f"is not an OFF file, whatever its name says. {EXPORT}"


def _glb(stream: BinaryIO, head: bytes, size: int) -> str | None:
    if len(head) < 20 or not head.startswith(b"glTF"):
        return f"is not a glTF file, whatever its name says. {EXPORT}"
    version, length = struct.unpack_from("<II", head, 4)
    if version != 2:
        return f"is glTF of version {version}, which we do not open. {EXPORT}"
    return DAMAGED_FILE if length > size else None


def _gltf(stream: BinaryIO, head: bytes, size: int) -> str | None:
    if not head.lstrip().startswith(b"{"):
        return f"is not a glTF file, whatever its name says. {EXPORT}"
    if any(re.search(rb'"uri"\s*:\s*"(?!data:)', lines) for lines in whole_lines(stream)):
        return "needs other files that are not in it. Please export it as .glb, which is one file with all of it."
    return None


def _step(stream: BinaryIO, head: bytes, size: int) -> str | None:
    if b"ISO-10303-21" not in head[:1024]:
        return f"is not a STEP file, whatever its name says. {EXPORT}"
    if any(re.search(rb"DOCUMENT_FILE\s*\(", lines, re.IGNORECASE) for lines in whole_lines(stream)):
        return "refers to other files, which we do not open. Please export it as one STEP file with all of it."
    return None


def _amf(stream: BinaryIO, head: bytes, size: int) -> str | None:
    is_amf = head.startswith(b"PK") or b"<amf" in head[:4096]
    return None if is_amf else f"is not an AMF file, whatever its name says. {EXPORT}"


def _zip(stream: BinaryIO, head: bytes, size: int) -> str | None:
    """One model and whatever lies beside it (a license, pictures, macOS's notes)."""
    if not head.startswith(b"PK"):
        return f"is not a zip archive, whatever its name says. {EXPORT}"
    try:
        with open_package(stream) as package:
            names = models_in(package)
            if len(names) == 1 and package.size(names[0]) > min(MAX_UNPACKED, MAX_RATIO * size + (1 << 20)):
                return TOO_MUCH
    except ZipRefused as error:
        return f"cannot be unpacked. {error}"
    if len(names) > 1:
        return f"holds {len(names)} models. Please unzip it and send those that you want printed."
    return None if names else f"is a zip archive without a model that we print. {EXPORT}"


def models_in(package: Package) -> list[str]:
    """Names of the models in a zip archive: no archives in it, and nothing that a system hides there."""
    return [
        name
        for name in package.names
        if type_of(name).is_mesh
        and not name.casefold().endswith(".zip")
        and not any(part.startswith(".") or part == "__MACOSX" for part in re.split(r"[/\\]", name))
    ]


OTHERS: dict[str, Check] = {
    ".ply": _ply,
    ".off": _off,
    ".glb": _glb,
    ".gltf": _gltf,
    ".step": _step,
    ".stp": _step,
    ".amf": _amf,
    ".zip": _zip,
}
