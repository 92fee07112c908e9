"""Something on disk or in the mirror that is not as it should be."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class AttentionItem:
    """`kind` is a stable slug, `folder` is relative to storage/, `fixes` are slugs of what puts it right, `file` is
    the one that it is about, relative to the job's folder."""

    kind: str
    job_id: str | None
    folder: str | None
    sentence: str
    fixes: tuple[str, ...] = ()
    file: str | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"fixes": list(self.fixes)}


BEGIN_ANEW = ("restore-record", "quarantine")
"""The fixes of a record that cannot be trusted or read."""
