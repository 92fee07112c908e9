"""Fills an empty storage: the real actions make each job, under a clock that shows its story's time.

Nothing here is of real people; all addresses are at example.edu, which belongs to nobody
(https://www.iana.org/domains/reserved).
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from printsys.actions import Actions
from printsys.config import Lab
from printsys.demo.gcode import drop_gcode
from printsys.demo.stories import STORIES, DemoStep, Story
from printsys.domain import emails
from printsys.domain.events import STAFF
from printsys.domain.inputs import SubmitInput, validate
from printsys.domain.workflow import find_step
from printsys.errors import PrintSysError
from printsys.jobstore import IncomingFile, JobStore, Stored
from printsys.models3d.samples import sample
from printsys.services import Services


def is_empty(store: JobStore) -> bool:
    return next(store.layout.job_folders(), None) is None


def fill(services: Services, stories: Iterable[Story] = STORIES) -> list[Stored]:
    """The jobs, as they are in the end. PrintSysError where the storage has jobs already."""
    if not is_empty(services.store):
        raise PrintSysError(
            f"There are jobs in {services.settings.storage} already. The demo fills only an empty storage; "
            "give it one of its own with --storage."
        )
    demo = _Demo(services, datetime.now(UTC))
    return [demo.live(story) for story in stories]


class _Demo:
    """Takes each job through the real actions, under a clock that shows the story's time."""

    def __init__(self, services: Services, now: datetime) -> None:
        self.services, self.now, self.clock_time = services, now, now
        store = JobStore(services.settings.storage, services.store.expected_id, clock=self._clock)
        self.actions: Actions = replace(services.actions, store=store, enqueue=lambda job_id: None, clock=self._clock)
        self.lab: Lab = services.lab
        self.staff = f"{STAFF}:{self.lab.about.staff[0]}" if self.lab.about.staff else STAFF

    def _clock(self) -> datetime:
        return self.clock_time

    def live(self, story: Story) -> Stored:
        self.clock_time = self.now - story.sent
        stored = self._submit(story)
        for step in story.steps:
            self.clock_time = self.now - step.ago
            stored = self._perform(stored, step)
        return self._keep_from_real_mail(stored)

    def _submit(self, story: Story) -> Stored:
        method = self.lab.method(story.method) or self.lab.methods[0]
        due = story.due_in_days and (self.now + timedelta(days=story.due_in_days)).date().isoformat()
        form = {
            "student_name": story.name,
            "student_email": story.email,
            "discipline": _offered(story.discipline, self.lab.submission.disciplines),
            "class_number": story.class_number,
            "print_method": method.name,
            "color": _offered(story.color, method.colors),
            "printer": _offered(story.printer, [printer.id for printer in self.lab.printers_for(method.name)]),
            "minimum_charge_consent": "yes",
            "copies": min(story.copies, self.lab.submission.max_copies),
            "due_date": due,
            "message": story.message,
        }
        files = [self._file(*file) for file in story.files[: self.lab.submission.max_files]]
        return self.actions.submit(validate(SubmitInput, form), files)

    def _file(self, name: str, source: str | Path) -> IncomingFile:
        if isinstance(source, Path):
            return IncomingFile(name, io.BytesIO(source.read_bytes()))
        shape, _, kind = source.partition(".")
        kind = _offered(f".{kind}", self.lab.submission.extensions).removeprefix(".")
        return IncomingFile(f"{name.rpartition('.')[0]}.{kind}", io.BytesIO(sample(shape, kind)))

    def _perform(self, stored: Stored, step: DemoStep) -> Stored:
        if step.action == "slice":
            drop_gcode(stored, step.values["weight_g"], step.values["time_h"], self.clock_time)
            return stored
        if step.action == "student agrees":
            confirmation = stored.job.confirmation
            assert confirmation is not None and confirmation.nonce is not None
            return self.actions.student_decides(stored.id, confirmation.nonce, confirm=True)
        needs = find_step(step.action, stored.job.status, STAFF).needs
        action_input = validate(needs, dict(step.values) | self._values_of_this_lab(stored, step))
        return self.actions.perform(stored.id, step.action, action_input, self.staff, stored.job.revision)

    def _values_of_this_lab(self, stored: Stored, step: DemoStep) -> dict[str, Any]:
        """What staff fill in besides, with the materials, prices and reasons that the lab has."""
        job = stored.job
        method = self.lab.method(job.request.method)
        if step.action == "approve" and method is not None:
            material = method.materials[0]
            volume = Decimal(step.values["weight_g"]) / material.density_g_cm3
            by_volume = self.lab.price_list_on(self.clock_time.date()).rates[method.name].unit == "ml"
            amount = {"volume_ml": f"{volume:.1f}"} if by_volume else {}
            return amount | {"print_file": print_files(stored), "material": material.name}
        if step.action == "pickup" and job.estimate is not None:
            return {"payment_method": self.lab.payment.methods[0], "amount": str(job.estimate.cost)}
        if step.action == "reject":
            return {"reasons": [name for name in step.values["reasons"] if self.lab.reason(name)]}
        return {}

    def _keep_from_real_mail(self, stored: Stored) -> Stored:
        """Drops the job's e-mails where a real server is set up; the outbox may have all of them."""
        if self.services.settings.mail is None:
            return stored
        owed = emails.owed(stored.events, stored.id)
        return self.actions.record(stored.id, lambda _: [emails.dropped(mail, "a job of the demo") for mail in owed])


def _offered(wish: str, offered: Sequence[str]) -> str:
    """`wish` where the lab has it: it may have other colors, printers and so on."""
    return wish if wish in offered else offered[0]


def print_files(stored: Stored) -> list[str]:
    """What a slicer saved in the folder, else the working copies."""
    gcode = sorted(path.name for path in stored.folder.glob("*.gcode"))
    return gcode or [file.name for file in stored.job.files if file.role == "working"]
