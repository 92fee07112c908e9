"""What is recorded × what is found → named changes. Pure: the reader of the disk and the writer of it are elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from printsys.domain.events import diff, merge_patch
from printsys.domain.job import Document

OURS = frozenset({"revision", "updated_at"})
"""Keys that only the system counts: what a person has there is ignored."""


@dataclass(frozen=True)
class HandEdit:
    """What a person changed in metadata.json: a merge patch on the document as it is now."""

    patch: Document


@dataclass(frozen=True)
class Conflict:
    """Both the system and the person changed these fields (dotted paths) since the person opened the file."""

    fields: tuple[str, ...]


def hand_edit(base: Mapping[str, Any], theirs: Mapping[str, Any], current: Mapping[str, Any]) -> HandEdit | Conflict:
    """Three-way merge: what `theirs` changed against `base` (the revision they edited), brought onto `current`."""
    wanted = _without(diff(base, theirs), OURS)
    meanwhile = _without(diff(base, current), OURS)
    clashes = tuple(_clashes(wanted, meanwhile))
    if clashes:
        return Conflict(clashes)
    return HandEdit(_without(diff(current, merge_patch(current, wanted)), OURS))


def _without(patch: Document, keys: frozenset[str]) -> Document:
    return {name: value for name, value in patch.items() if name not in keys}


def _clashes(one: Any, other: Any, path: str = "") -> list[str]:
    """Paths that both patches set to different values."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        shared = [key for key in one if key in other]
        return [clash for key in shared for clash in _clashes(one[key], other[key], f"{path}.{key}" if path else key)]
    return [] if one == other else [path]
