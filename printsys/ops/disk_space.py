"""Free space on the disks that the lab writes to, so that a page warns before an upload fails."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from printsys.config import Settings
from printsys.config.lab import Lab

UPLOADS_LEFT = 20
"""Low: fewer than so many of the largest requests fit (each file is stored twice) ..."""
LOW_BYTES = 2_000_000_000
"""... or less than this is free, whichever is more."""
RATE_WEEKS = 13
"""A quarter: the weeks before say less of the ones to come."""
FEWEST_WEEKS = 4
MOST_WEEKS = 520


@dataclass(frozen=True)
class DiskSpace:
    """`free` bytes are left on the disk with the number `device`; `low` is how many there should be. `key`: its name
    for programs."""

    key: str
    name: str
    device: int
    free: int
    low: int

    @property
    def is_low(self) -> bool:
        return self.free < self.low

    @property
    def sentence(self) -> str:
        return (
            f"The disk of {self.name} is nearly full: {self.free / 1e9:.1f} GB are free. Please make room, for example "
            "with `python manage.py prune`, or by archiving and taking old jobs to another disk."
        )


def disks(settings: Settings, lab: Lab) -> list[DiskSpace]:
    """Of storage and of instance/, without those that do not answer: other checks report that."""
    low = max(LOW_BYTES, UPLOADS_LEFT * 2 * lab.submission.max_file_bytes)
    spaces = []
    folders = (
        ("storage", "the storage", settings.storage),
        ("instance", "this computer (instance/)", settings.instance),
    )
    for key, name, folder in folders:
        try:
            spaces.append(DiskSpace(key, name, folder.stat().st_dev, shutil.disk_usage(folder).free, low))
        except OSError:
            continue
    return spaces


def shortages(settings: Settings, lab: Lab) -> list[DiskSpace]:
    """Each disk once."""
    by_device: dict[int, DiskSpace] = {}
    for disk in disks(settings, lab):
        if disk.is_low:
            by_device.setdefault(disk.device, disk)
    return list(by_device.values())


@dataclass(frozen=True)
class Growth:
    """`weeks` None: longer than anybody plans."""

    bytes_a_week: int
    weeks: int | None


def growth(free: int, bytes_by_day: Mapping[date, int], today: date) -> Growth | None:
    """How many weeks `free` bytes last at the rate of the last whole weeks. None where too few have jobs to tell."""
    this_week = today - timedelta(days=today.weekday())
    weeks: dict[date, int] = {}
    for day, size in bytes_by_day.items():
        week = day - timedelta(days=day.weekday())
        if this_week - timedelta(weeks=RATE_WEEKS) <= week < this_week:
            weeks[week] = weeks.get(week, 0) + size
    if len(weeks) < FEWEST_WEEKS:
        return None
    since_first = (this_week - min(weeks)).days // 7  # weeks of the vacation count, too
    rate = sum(weeks.values()) // since_first
    if rate == 0:
        return None
    left = free // rate
    return Growth(rate, left if left <= MOST_WEEKS else None)
