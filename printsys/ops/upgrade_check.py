"""What `upgrade --check` found last, for the page *System*: a file in instance/."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from printsys import fs

FILE = "upgrade-check.json"


@dataclass(frozen=True)
class UpgradeCheck:
    """`current`, `available`: names of versions. `changes`: how many the second has beyond the first."""

    at: datetime
    current: str
    available: str
    changes: int

    def as_json(self) -> dict[str, Any]:
        return dict(_SHAPE.dump_python(self, mode="json"))


_SHAPE = TypeAdapter(UpgradeCheck)


def write_check(instance: Path, check: UpgradeCheck) -> None:
    fs.replace(instance / FILE, _SHAPE.dump_json(check) + b"\n")


def forget_check(instance: Path) -> None:
    """What it found may be here by now."""
    (instance / FILE).unlink(missing_ok=True)


def read_check(instance: Path) -> UpgradeCheck | None:
    """None where nobody has asked yet."""
    try:
        return _SHAPE.validate_json(fs.read(instance / FILE))
    except (OSError, ValidationError):
        return None
