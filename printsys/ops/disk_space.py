"""Free space on the disks that the lab writes to, so that a page warns before an upload fails."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

from printsys.config import Settings
from printsys.config.lab import Lab

UPLOADS_LEFT = 20
"""Low: fewer than so many of the largest requests fit (each file is stored twice) ..."""
LOW_BYTES = 2_000_000_000
"""... or less than this is free, whichever is more."""


@dataclass(frozen=True)
class DiskSpace:
    """`free` bytes are left on the disk with the number `device`; `low` is how many there should be."""

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
    for name, folder in (("the storage", settings.storage), ("this computer (instance/)", settings.instance)):
        try:
            spaces.append(DiskSpace(name, folder.stat().st_dev, shutil.disk_usage(folder).free, low))
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
