"""Bodies of their own that are too slim for a printer's line."""

from __future__ import annotations

import numpy as np

from printsys.models3d.mesh import Floats
from printsys.models3d.thickness import Thin
from printsys.models3d.topology import Topology


def slimmest(points: Floats, topology: Topology) -> Thin | None:
    """The body that is slimmest in two directions (a hair, a crumb), which no way of standing prints: the second of the
    sides of its box, in mm, and its middle. Cavities are no bodies."""
    order = np.argsort(topology.body, kind="stable")
    first = np.flatnonzero(np.diff(topology.body[order], prepend=-1))
    corners = points[topology.faces[order]].astype(np.float64)
    lowest = np.minimum.reduceat(corners.min(axis=1), first)
    highest = np.maximum.reduceat(corners.max(axis=1), first)
    width = np.sort(highest - lowest, axis=1)[:, 1]
    outward = np.sign(topology.body_volumes[np.argmax(np.abs(topology.body_volumes))])
    solid = np.flatnonzero(np.sign(topology.body_volumes) == outward)
    if len(solid) < 2:  # all of the model: its size says it
        return None
    number = solid[np.argmin(width[solid])]
    x, y, z = ((lowest[number] + highest[number]) / 2).tolist()
    return Thin(float(width[number]), (x, y, z))
