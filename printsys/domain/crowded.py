"""Which files of a crowded folder a job's record follows: somebody may unpack ten thousand into it."""

from __future__ import annotations

from collections.abc import Collection

from printsys.domain.filetypes import type_of

MOST_FILES = 200
"""Unless lab.toml says otherwise."""


def followed(names: Collection[str], recorded: Collection[str], most: int = MOST_FILES) -> set[str]:
    """Of the files `names`, those to record: all of them or, where they are more than `most`, what is recorded already
    and what could be printed, up to `most`. A slicer's files come before models."""
    if len(names) <= most:
        return set(names)
    present = set(recorded).intersection(names)
    new = [name for name in names if name not in present and type_of(name).is_printable]
    new.sort(key=lambda name: (type_of(name).kind == "model", name.casefold()))
    return present | set(new[: max(0, most - len(present))])
