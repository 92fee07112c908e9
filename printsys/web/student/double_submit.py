"""A form that is sent twice (a double click, a reload) makes one job."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import cast

from flask import current_app, request

from printsys.jobstore import Stored
from printsys.web.student.uploads import digests

REMEMBERED = 2000
EXTENSION = "submissions"


@dataclass
class SentForm:
    """One opened form: whose turn it is to send it, and what came of it the last time."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    job_id: str | None = None
    answers: list[tuple[str, str]] = field(default_factory=list)
    files: list[tuple[str, str]] = field(default_factory=list)

    def is_sent_again(self) -> bool:
        """Whether this request repeats the one that made the job. A student who goes back and sends another model, or
        other wishes, from the same page wants another job: it must never get lost."""
        if self.job_id is None or self.answers != _answers():
            return False
        return self.files == digests(request.files.getlist("file"))

    def record(self, stored: Stored) -> None:
        """Remember the job that this request made."""
        self.job_id, self.answers = stored.id, _answers()
        self.files = [(record.uploaded_as or "", record.sha256) for record in stored.job.sent_files]


class Submissions:
    """Which form made which job.

    Kept in this process alone: it is about the seconds after a click, not about history.
    """

    def __init__(self) -> None:
        self._forms: OrderedDict[str, SentForm] = OrderedDict()
        self._guard = threading.Lock()

    def form(self, form_id: str) -> SentForm:
        with self._guard:
            form = self._forms.setdefault(form_id, SentForm())
            self._forms.move_to_end(form_id)
            while len(self._forms) > REMEMBERED:
                self._forms.popitem(last=False)
            return form


def submissions() -> Submissions:
    return cast(Submissions, current_app.extensions[EXTENSION])


def _answers() -> list[tuple[str, str]]:
    return sorted(item for item in request.form.items(multi=True) if item[0] != "csrf_token")
