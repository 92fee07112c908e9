"""Binary STL, the one format that every slicer opens: what a model becomes that slicers refuse as it is.

80 bytes of header, a little-endian count and 50 bytes a facet
(https://www.loc.gov/preservation/digital/formats/fdd/fdd000505.shtml). Lengths in millimeters.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from printsys.models3d.mesh import STL_FACET, Floats, Mesh

HEADER = b"written by the print lab from the file that the student sent, in mm".ljust(80)
FAR_MM = 10_000.0
"""Beyond that the 32 bits of a coordinate are coarser than a printer; the model moves to the origin then."""
AT_ONCE = 1 << 18


def write(mesh: Mesh, path: Path) -> None:
    """The whole surface, each triangle as it is; one without area has no normal."""
    triangles = mesh.triangles.astype(np.float64)
    if np.abs(triangles).max(initial=0) > FAR_MM:
        triangles -= triangles.min(axis=(0, 1))
    with path.open("wb") as file:
        file.write(HEADER + len(triangles).to_bytes(4, "little"))
        for start in range(0, len(triangles), AT_ONCE):
            file.write(_facets(triangles[start : start + AT_ONCE]).tobytes())


def _facets(triangles: Floats) -> np.ndarray:
    facets = np.zeros(len(triangles), STL_FACET)
    across = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    length = np.linalg.norm(across, axis=1, keepdims=True)
    facets["normal"] = np.divide(across, length, out=np.zeros_like(across), where=length > 0)
    facets["points"] = triangles
    return facets
