"""Does what is due by the calendar for every job that waits for its student.

It reads the folders, so it needs no mirror, and it does not matter when it last ran.
"""

from __future__ import annotations

import logging
import threading
from functools import partial

from printsys.actions import Actions
from printsys.domain.status import WAITS_FOR_STUDENT
from printsys.jobstore.visits import Failure, visit

logger = logging.getLogger(__name__)


def send_reminders(actions: Actions, stop: threading.Event) -> None:
    """Remind and flag what is due (see domain/reminders.py). A job that cannot be changed now delays no other."""
    for job_id, _folder in list(actions.store.ids(WAITS_FOR_STUDENT)):
        if stop.is_set():
            return
        result = visit(actions.store, job_id, partial(actions.do_what_is_due, job_id))
        if isinstance(result, Failure):
            logger.info("job %s: what is due waits for the next round: %s", job_id, result.error)
