"""The names in the status folders, listed again only where something came or went: an archive holds 100,000 of them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from printsys.domain.naming import id_in_folder_name

SETTLE_S = 2.5
"""A folder's times say whether anything came or went once they have been the same for so long by the monotonic clock:
the next change falls into another tick of the file system's clock, be it FAT's of 2 s."""


@dataclass(frozen=True)
class _Listing:
    """`text`: the names that end with an id as the system writes it, each with a NUL behind it; `other`: the rest.
    One text, because a dict of 100,000 names would take 20 MB in every process."""

    times: tuple[int, int, int]
    since: float
    is_settled: bool
    text: str
    other: tuple[str, ...]


class FolderNames:
    """Of the folders that it is asked about, what it listed last, as long as that is what a listing would give now."""

    def __init__(self) -> None:
        self._listings: dict[Path, _Listing] = {}

    def ending_with(self, folder: Path, job_id: str) -> Iterator[str]:
        """The names in `folder` that end with this id. OSError."""
        listing = self._listing(folder)
        ending, end = f"_{job_id}\0", 0
        while (found_at := listing.text.find(ending, end)) >= 0:
            end = found_at + len(ending)
            yield listing.text[listing.text.rfind("\0", 0, found_at) + 1 : end - 1]
        yield from (name for name in listing.other if id_in_folder_name(name) == job_id)

    def without_id(self, folder: Path) -> Iterator[str]:
        """The names in `folder` that end with no id. OSError."""
        return (name for name in self._listing(folder).other if id_in_folder_name(name) is None)

    def forget(self) -> None:
        """List anew what is asked for next: Windows leaves a folder's time as it is on FAT."""
        self._listings.clear()

    def _listing(self, folder: Path) -> _Listing:
        status, now = os.stat(folder), time.monotonic()
        times = status.st_ino, status.st_mtime_ns, status.st_ctime_ns
        last = self._listings.get(folder)
        is_same = last is not None and last.times == times
        if last is not None and is_same and last.is_settled:
            return last
        since = last.since if last is not None and is_same else now
        names: list[str] = []
        other: list[str] = []
        for name in os.listdir(folder):
            job_id = id_in_folder_name(name)
            (names if job_id is not None and name.endswith(job_id) else other).append(name)
        text = "".join(f"{name}\0" for name in names)
        listing = _Listing(times, since, now - since >= SETTLE_S, text, tuple(other))
        self._listings[folder] = listing
        return listing
