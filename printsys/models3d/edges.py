"""Lines in a picture: where two neighboring pixels show surfaces that do not go on into each other."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Grid = npt.NDArray[np.int64]

CREASE = float(np.cos(np.radians(30)))
"""Two faces that bend more than this meet at an edge."""
STEP = 1.6
"""Pixels: so far a neighbor lies off the plane of a face, and the other way round, at the edge of something behind."""
BLOCK = 16
CROWDED = 0.5
"""Where more of a block than this is lines, they fade: the relief is finer than the picture."""


def lines(front: Grid, depth: Array, normals: Array) -> Array:
    """0 to 1 for each pixel. `front`: the row of `normals` (to right, up, the eye) that the pixel shows, -1 for none;
    `depth`: away from the eye, in pixels."""
    strength = np.zeros(front.shape, np.float32)
    for first, second, across in (
        (np.s_[:, :-1], np.s_[:, 1:], (1.0, 0.0)),
        (np.s_[:-1], np.s_[1:], (0.0, -1.0)),
    ):
        a, b = front[first], front[second]
        differs = a != b
        for side, own, opposite in ((first, a, b), (second, b, a)):
            strength[side][differs & (own >= 0) & (opposite < 0)] = 1
        rows = np.nonzero(differs & (a >= 0) & (b >= 0))
        is_edge = _parts(normals[a[rows]], normals[b[rows]], depth[second][rows] - depth[first][rows], across)
        edge = tuple(axis[is_edge] for axis in rows)
        strength[first][edge] = 1
        strength[second][edge] = 1
    return _faded(strength)


def _parts(own: Array, opposite: Array, deeper: Array, across: tuple[float, float]) -> npt.NDArray[np.bool_]:
    crease = np.einsum("ij,ij->i", own, opposite) < CREASE
    off = [np.abs(n[:, 0] * across[0] + n[:, 1] * across[1] - n[:, 2] * deeper) for n in (own, opposite)]
    is_edge: npt.NDArray[np.bool_] = crease | (np.minimum(*off) > STEP)
    return is_edge


def _faded(strength: Array) -> Array:
    side = len(strength) // BLOCK
    blocks = strength[: side * BLOCK, : side * BLOCK].reshape(side, BLOCK, side, BLOCK)
    crowd = blocks.mean(axis=(1, 3), keepdims=True)
    blocks *= np.clip((CROWDED + 0.4 - crowd) / 0.4, 0.15, 1)
    return strength
