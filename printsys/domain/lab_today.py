"""What is otherwise at the lab today: printers down, colors out, days closed, a message, staff's own order of prints.

Kept in storage (jobstore/lab_today.py), so that every computer of the lab and every page sees the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from pydantic import BaseModel, ConfigDict

from printsys.domain.job import Time


class Note(BaseModel):
    """That something is so `since` a moment, by whom, and in whose words."""

    model_config = ConfigDict(extra="allow", frozen=True)

    since: Time
    by: str = "staff"
    text: str = ""


class LabToday(BaseModel):
    """`printers_down` by the printer's id, `colors_out` by method and color, `closed` by day (2026-03-31); `order`: the
    ids of jobs in staff's order, by printer."""

    model_config = ConfigDict(extra="allow", frozen=True)

    printers_down: Mapping[str, Note] = {}
    colors_out: Mapping[str, Mapping[str, Note]] = {}
    closed: Mapping[str, Note] = {}
    message: Note | None = None
    order: Mapping[str, list[str]] = {}

    def is_down(self, printer: str | None) -> bool:
        return printer in self.printers_down

    def is_out(self, method: str, color: str | None) -> bool:
        return color in self.colors_out.get(method, {})

    @property
    def closed_days(self) -> frozenset[date]:
        return frozenset(day for text in self.closed if (day := _day(text)) is not None)

    def without_old_days(self, today: date) -> LabToday:
        """A closed day that is over says nothing any more."""
        coming = {text: note for text, note in self.closed.items() if (day := _day(text)) is None or day >= today}
        return self.model_copy(update={"closed": coming})


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def toggled(notes: Mapping[str, Note], key: str, note: Note | None) -> dict[str, Note]:
    """`notes` with `note` at `key`, or without it."""
    others = {name: value for name, value in notes.items() if name != key}
    return others | {key: note} if note is not None else others


def color_toggled(today: LabToday, method: str, color: str, note: Note | None) -> LabToday:
    colors = toggled(today.colors_out.get(method, {}), color, note)
    return today.model_copy(update={"colors_out": {**today.colors_out, method: colors}})
