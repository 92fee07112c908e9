"""The real files beside the project (../shared/corpus) and what MANIFEST.tsv says that a person read off each."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

CORPUS = Path(__file__).resolve().parents[2] / "shared" / "corpus"


@dataclass(frozen=True)
class CorpusFile:
    """`name` is its path in the corpus; `columns` is its row of the manifest."""

    name: str
    columns: dict[str, str]

    @property
    def path(self) -> Path:
        return CORPUS / self.name

    def __getitem__(self, column: str) -> str | None:
        """None where the manifest has "-": "not stated"."""
        value = self.columns[column]
        return None if value in ("-", "none") or value.startswith("- ") else value

    @property
    def mesh(self) -> str:
        """The column about meshes and packages: `ascii facets=12 size=10x20x30 ...`."""
        return self.columns["mesh_or_package"]

    def figure(self, key: str) -> float | None:
        """`12.0` for `facets` of `facets=12` in `mesh`."""
        match = re.search(rf"\b{key}=(-?[\d.e+]+)", self.mesh)
        return float(match.group(1)) if match else None

    @property
    def size_mm(self) -> tuple[float, ...] | None:
        match = re.search(r"\bsize=([\d.e+-]+)x([\d.e+-]+)x([\d.e+-]+)", self.mesh)
        return tuple(map(float, match.groups())) if match else None


def files(*folders: str) -> list[CorpusFile]:
    """Of these folders; [] where the corpus is not here (tests that need it are marked `needs("corpus")`)."""
    if not CORPUS.is_dir():
        return []
    with (CORPUS / "MANIFEST.tsv").open(encoding="utf-8", newline="") as table:
        rows = csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [CorpusFile(row["path"], row) for row in rows if row["path"].split("/")[0] in folders]


def each(corpus_files: Iterable[CorpusFile]) -> list[Any]:
    """For pytest.mark.parametrize; one placeholder where the corpus is missing, so that the report shows it."""
    return [pytest.param(file, id=file.name) for file in corpus_files] or [pytest.param(None, id="no-corpus")]
