"""A part of a page in docs/ that a script writes, between two comments."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class DocPart:
    page: Path
    begin: str
    end: str

    def text(self) -> str:
        """What stands there now."""
        return self.page.read_text("utf-8").partition(self.begin)[2].partition(self.end)[0]

    def write(self, text: str) -> None:
        before, _, rest = self.page.read_text("utf-8").partition(self.begin)
        self.page.write_text(before + self.begin + text + self.end + rest.partition(self.end)[2], "utf-8")
