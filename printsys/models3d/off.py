"""OFF, the Object File Format of Geomview (http://www.geomview.org/docs/html/OFF.html), as text.

Read here, since trimesh cuts each face as a fan.
"""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from printsys.models3d.polygons import triangulate

HEADER = re.compile(rb"(?:ST)?C?N?(4?)(n?)OFF\b[ \t]*(BINARY)?")


def read(data: bytes) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Corners (count × 3) and triangles of their numbers. ValueError, LookupError for a damaged file, or one in four
    dimensions or more."""
    text = re.sub(rb"#[^\r\n]*", b"", data).lstrip()
    header = HEADER.match(text)
    if header is None or any(header.groups()):
        raise ValueError("no OFF file that we read")
    lines = [words for line in text[header.end() :].splitlines() if (words := line.split())]
    corner_count, face_count = int(lines[0][0]), int(lines[0][1])
    if min(corner_count, face_count) < 0 or len(lines) < 1 + corner_count + face_count:
        raise ValueError("cut short")
    # Normals, colors and texture follow on the same line.
    points = np.array([words[:3] for words in lines[1 : 1 + corner_count]], "S40").astype(np.float64).reshape(-1, 3)
    polygons = []
    for words in lines[1 + corner_count : 1 + corner_count + face_count]:
        count = int(words[0])
        corners = [int(word) for word in words[1 : 1 + count]]
        if len(corners) != count or any(not 0 <= corner < corner_count for corner in corners):
            raise ValueError("faces whose corners do not exist")
        if count >= 3:
            polygons.append(corners)
    return points, triangulate(points, polygons)
