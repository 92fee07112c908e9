"""The real files beside the project (../shared/corpus) and what MANIFEST.tsv says that a person read off each."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

CORPUS = Path(__file__).resolve().parents[2] / "shared" / "corpus"


@dataclass(frozen=True)
class Row:
    """One file; "-" in the manifest, "not stated", is None here."""

    path: Path
    said: dict[str, str]

    def __getitem__(self, column: str) -> str | None:
        value = self.said[column]
        return None if value in ("-", "none") or value.startswith("- ") else value


def rows(*folders: str) -> list[Row]:
    """Of these folders; [] where the corpus is not here (tests that need it are marked `needs("corpus")`)."""
    if not CORPUS.is_dir():
        return []
    with (CORPUS / "MANIFEST.tsv").open(encoding="utf-8", newline="") as table:
        read = csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [Row(CORPUS / said["path"], said) for said in read if said["path"].split("/")[0] in folders]
