"""Asks the indexer to look at a job. It may run on another computer, so a request is a file in storage itself: empty,
named by the job's id. Losing one costs the time until the next sweep."""

from __future__ import annotations

import logging
import os
from contextlib import suppress

from printsys import fs
from printsys.domain.naming import parse_id
from printsys.jobstore.layout import Layout

logger = logging.getLogger(__name__)


def request_look(layout: Layout, job_id: str) -> None:
    """Where the disk refuses, the sweep finds the job."""
    request = layout.looks / job_id
    try:
        if not request.exists():
            request.parent.mkdir(exist_ok=True)
            with suppress(FileExistsError):
                fs.write_new(request, b"")
    except OSError as error:
        logger.info("job %s: the indexer cannot be asked to look at it: %s", job_id, error.strerror)


def take_look_requests(layout: Layout) -> list[str]:
    """The ids of the jobs to look at. Each request is gone before its look, so that none that comes meanwhile is lost;
    one that cannot be deleted is made again each time, which costs a look."""
    try:
        names = sorted(os.listdir(layout.looks))
    except OSError as error:  # a share that drops; the sweep knows what that means
        if not isinstance(error, FileNotFoundError):
            logger.info("the requests for a look cannot be read: %s", error.strerror)
        return []
    for name in names:
        with suppress(OSError):
            fs.unlink(layout.looks / name)
    return [name for name in names if parse_id(name) == name]
