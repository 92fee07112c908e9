"""Which way the triangles of a closed surface face: all the same way round, before anything is measured.

A volume by the divergence theorem means something only where the triangles agree about the outside. Slicers turn
them by themselves; so a model of mixed triangles prints, and only its volume would be wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from printsys.models3d.mesh import Ints

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Neighbors:
    """Pairs of triangles with a common edge. `disagree`: both run along it in the same direction."""

    first: Ints
    second: Ints
    disagree: Flags


def neighbors(faces: Ints) -> Neighbors:
    """Across the edges that belong to exactly two of `faces` (count × 3)."""
    count = int(faces.max(initial=0)) + 1
    start = faces.ravel().astype(np.int64)
    stop = np.roll(faces, -1, axis=1).ravel().astype(np.int64)
    key = np.minimum(start, stop) * count + np.maximum(start, stop)
    order = np.argsort(key, kind="stable")
    _, first, uses = np.unique(key[order], return_index=True, return_counts=True)
    pairs = first[uses == 2]
    one, other = order[pairs], order[pairs + 1]
    return Neighbors(one // 3, other // 3, (start[one] < stop[one]) == (start[other] < stop[other]))


def connected(count: int, start: Ints, stop: Ints) -> Ints:
    """Of each of `count` things the smallest number that it is connected to, by the pairs `start`, `stop`."""
    label = np.arange(count)
    while len(start):
        a, b = label[start], label[stop]
        np.minimum.at(label, np.maximum(a, b), np.minimum(a, b))
        while not np.array_equal(shorter := label[label], label):
            label = shorter
        apart = label[start] != label[stop]
        start, stop = start[apart], stop[apart]
    return label


def turned(faces: Ints) -> tuple[Flags, Ints, bool]:
    """Which triangles to turn over so that all agree, the shell that each belongs to, and whether that succeeds.

    It does not for a surface with one side only (a Möbius strip). Which way a whole shell faces stays open.
    """
    pairs = neighbors(faces)
    shell = connected(len(faces), pairs.first, pairs.second)
    # Each triangle's neighbors in one row after the other.
    source = np.concatenate([pairs.first, pairs.second])
    target = np.concatenate([pairs.second, pairs.first])
    disagree = np.concatenate([pairs.disagree, pairs.disagree])
    order = np.argsort(source, kind="stable")
    source, target, disagree = source[order], target[order], disagree[order]
    begin = np.searchsorted(source, np.arange(len(faces) + 1))
    flip, is_known = np.zeros(len(faces), bool), np.zeros(len(faces), bool)
    front = np.unique(shell)
    is_known[front] = True
    while len(front):
        lengths = begin[front + 1] - begin[front]
        rows = np.repeat(begin[front] - np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths) + np.arange(
            lengths.sum()
        )
        reached, first = np.unique(target[rows], return_index=True)
        is_new = ~is_known[reached]
        front, via = reached[is_new], rows[first[is_new]]
        flip[front] = flip[source[via]] ^ disagree[via]
        is_known[front] = True
    agrees = (flip[pairs.first] ^ flip[pairs.second]) == pairs.disagree
    return flip, shell, bool(agrees.all())
