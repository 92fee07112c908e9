"""The collection of real files beside the project, and what its MANIFEST.tsv states of them."""

from __future__ import annotations

import csv
import re
from pathlib import Path

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"


def stated(*kinds: str) -> dict[str, str]:
    """File names with their kind's folder → the column about meshes and packages."""
    if not CORPUS.is_dir():
        return {}
    with (CORPUS / "MANIFEST.tsv").open(encoding="utf-8", newline="") as table:
        rows = csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE)
        return {row["path"]: row["mesh_or_package"] for row in rows if row["path"].split("/")[0] in kinds}


def number(text: str, name: str) -> float | None:
    found = re.search(rf"\b{name}=(-?[\d.e+]+)", text)
    return float(found.group(1)) if found else None


def sides(text: str) -> tuple[float, ...] | None:
    found = re.search(r"\bsize=([\d.e+-]+)x([\d.e+-]+)x([\d.e+-]+)", text)
    return tuple(float(side) for side in found.groups()) if found else None
