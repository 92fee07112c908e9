"""Every file type that the system knows, by extension: who reads it, who prints it, who opens it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

RESIN = "Resin"


@dataclass(frozen=True)
class FileType:
    """`extension` is in lower case, with its dot; `.gcode.3mf` counts as `.3mf`.

    A "convertible" is a model that no slicer opens: the lab works with an STL of it. A "companion" belongs to a print
    file that stands beside it. `method` is the print method of a file that only a resin printer's program writes.
    `is_mesh`: printsys/models3d measures it. `has_reader`: printsys/slicers reads it. `is_gcode`: that reader takes it
    for G-code as text, unless its first bytes say otherwise. `opens_everywhere`: every slicer opens it, so we advise
    students to export it.
    """

    extension: str
    kind: Literal["model", "convertible", "sliced", "project", "model or project", "companion", "unknown"]
    method: str | None = None
    is_mesh: bool = False
    has_reader: bool = True
    is_gcode: bool = False
    opens_everywhere: bool = False

    @property
    def is_known(self) -> bool:
        """Whether the opener opens it."""
        return self.kind not in ("convertible", "unknown")

    @property
    def is_printable(self) -> bool:
        """Whether staff may choose it as a job's print file."""
        return self.kind not in ("convertible", "companion", "unknown")


FILE_TYPES = (
    FileType(".stl", "model", is_mesh=True, has_reader=False, opens_everywhere=True),
    FileType(".obj", "model", is_mesh=True, has_reader=False, opens_everywhere=True),
    FileType(".3mf", "model or project", is_mesh=True, opens_everywhere=True),
    FileType(".amf", "model", is_mesh=True, has_reader=False),
    FileType(".ply", "model", is_mesh=True, has_reader=False),
    FileType(".step", "model", is_mesh=True, has_reader=False),
    FileType(".stp", "model", is_mesh=True, has_reader=False),
    FileType(".off", "convertible", is_mesh=True, has_reader=False),
    FileType(".gltf", "convertible", is_mesh=True, has_reader=False),
    FileType(".glb", "convertible", is_mesh=True, has_reader=False),
    FileType(".zip", "convertible", is_mesh=True, has_reader=False),
    FileType(".gcode", "sliced", is_gcode=True),
    FileType(".gco", "sliced", is_gcode=True),
    FileType(".gc", "sliced", is_gcode=True),
    FileType(".g", "sliced", is_gcode=True),
    FileType(".nc", "sliced", is_gcode=True),
    FileType(".bgcode", "sliced", is_gcode=True),
    FileType(".bgc", "sliced", is_gcode=True),
    FileType(".gx", "sliced", is_gcode=True),
    FileType(".ufp", "sliced"),
    FileType(".x3g", "sliced", has_reader=False),
    FileType(".makerbot", "sliced", has_reader=False),
    FileType(".idea", "project"),
    FileType(".data", "companion", has_reader=False),
    FileType(".form", "project", RESIN),
    FileType(".formx", "project", RESIN, has_reader=False),
    FileType(".sl1", "sliced", RESIN),
    FileType(".sl1s", "sliced", RESIN),
    FileType(".ctb", "sliced", RESIN),
    FileType(".cbddlp", "sliced", RESIN),
    FileType(".photon", "sliced", RESIN),
    FileType(".pwmx", "sliced", RESIN, has_reader=False),
    FileType(".cws", "sliced", RESIN, has_reader=False),
    FileType(".lys", "project", RESIN, has_reader=False),
    FileType(".chitubox", "project", RESIN, has_reader=False),
)
UNKNOWN = FileType("", "unknown", has_reader=False)
MESHES = tuple(file_type.extension for file_type in FILE_TYPES if file_type.is_mesh)
ADVISED = tuple(file_type.extension for file_type in FILE_TYPES if file_type.opens_everywhere)
_BY_EXTENSION = {file_type.extension: file_type for file_type in FILE_TYPES}


def type_of(name: str) -> FileType:
    """By the last extension of `name`, in any case. `UNKNOWN` for one that is not in `FILE_TYPES`."""
    return _BY_EXTENSION.get(os.path.splitext(name)[1].casefold(), UNKNOWN)


def advised_formats(accepted: Sequence[str] = ADVISED) -> str:
    """`STL, OBJ or 3MF`: what to export a model as, of the extensions that the lab accepts."""
    names = [extension[1:].upper() for extension in accepted if extension in ADVISED or not {*ADVISED} & {*accepted}]
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))
