"""Free space on the disks that the lab writes to: said early, so that nobody learns of it by a failed upload."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from printsys.config import Settings
from printsys.config.lab import Lab

UPLOADS_LEFT = 20
"""Low: fewer than so many of the largest requests fit (each file is kept twice) ..."""
LOW_BYTES = 2_000_000_000
"""... or less than this is free, whichever is more."""


@dataclass(frozen=True)
class DiskSpace:
    """`free` bytes on the disk of `place`; `low` is how many there should be."""

    name: str
    place: Path
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


def rooms(settings: Settings, lab: Lab) -> list[DiskSpace]:
    """Of storage and of instance/; what cannot be asked is left out, since others say that it is away."""
    low = max(LOW_BYTES, UPLOADS_LEFT * 2 * lab.submission.max_file_bytes)
    found = []
    for name, place in (("the storage", settings.storage), ("this computer (instance/)", settings.instance)):
        try:
            found.append(DiskSpace(name, place, shutil.disk_usage(place).free, low))
        except OSError:
            continue
    return found


def shortages(settings: Settings, lab: Lab) -> list[DiskSpace]:
    """Each disk once."""
    short = [room for room in rooms(settings, lab) if room.is_low]
    return [room for number, room in enumerate(short) if not any(_same_disk(room, one) for one in short[:number])]


def _same_disk(one: DiskSpace, other: DiskSpace) -> bool:
    try:
        return one.place.stat().st_dev == other.place.stat().st_dev
    except OSError:
        return False
