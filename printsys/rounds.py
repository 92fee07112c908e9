"""What is due by the calendar, for every job that waits for its student. Straight from the folders: the mirror may be
down, and nothing here depends on when it was last looked."""

from __future__ import annotations

import logging
import threading

from printsys.domain.reminders import WAITING
from printsys.errors import PrintSysError
from printsys.wiring import House

logger = logging.getLogger(__name__)


def make_rounds(house: House, stop: threading.Event) -> None:
    """Remind and flag what is due (see domain/due.py). A job that cannot be read or changed now keeps none waiting."""
    for job_id, _folder in list(house.store.ids(WAITING)):
        if stop.is_set():
            return
        try:
            house.actions.do_what_is_due(job_id)
        except PrintSysError as error:
            logger.info("job %s: what is due waits for the next round: %s", job_id, error)
