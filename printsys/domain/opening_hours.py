"""When the lab is open: hours by weekday, and days on which it is closed. All moments carry their zone."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

FARTHEST = timedelta(days=60)
"""A lab that does not open within so many days has no next opening that could be named."""


@dataclass(frozen=True)
class OpeningHours:
    """`by_weekday`: opening and closing time by weekday (0: Monday), in the lab's own `zone`."""

    zone: ZoneInfo
    by_weekday: Mapping[int, tuple[time, time]]
    closed_days: Set[date] = frozenset()

    def on(self, day: date) -> tuple[datetime, datetime] | None:
        """From when to when the lab is open on `day`; None: not at all."""
        hours = self.by_weekday.get(day.weekday())
        if hours is None or day in self.closed_days:
            return None
        opens, closes = (datetime.combine(day, at, self.zone) for at in hours)
        return opens, closes

    def day_of(self, moment: datetime) -> date:
        return moment.astimezone(self.zone).date()

    def closes(self, moment: datetime) -> datetime | None:
        """When the lab closes, if it is open at `moment`."""
        hours = self.on(self.day_of(moment))
        return hours[1] if hours is not None and hours[0] <= moment < hours[1] else None

    def next_open(self, moment: datetime) -> datetime | None:
        """`moment` while the lab is open, else when it next opens; None: not soon."""
        if self.closes(moment) is not None:
            return moment
        return self.opens_after(moment)

    def opens_after(self, moment: datetime) -> datetime | None:
        """The first opening after `moment`."""
        day = self.day_of(moment)
        for days in range(FARTHEST.days):
            hours = self.on(day + timedelta(days=days))
            if hours is not None and hours[0] > moment:
                return hours[0]
        return None
