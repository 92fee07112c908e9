"""Which slicer a person chose where several fit, kept apart from the settings so that those stay as written."""

from __future__ import annotations

import tomllib
from pathlib import Path

from opener import tomltext


def read(path: Path) -> dict[str, str]:
    """The slicer's name by the kind of file. A lost or damaged file remembers nothing: the opener asks again."""
    try:
        document = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return {}
    return {kind: name for kind, name in document.items() if isinstance(name, str)}


def remember(path: Path, kind: str, name: str) -> None:
    """May raise OSError."""
    tomltext.write(path, tomltext.table({**read(path), kind: name}))
